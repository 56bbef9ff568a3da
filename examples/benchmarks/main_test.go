package main

import (
	"strings"
	"testing"
	"time"
)

// few holds a contest in this process, with a few of its contenders.
func few(t *testing.T, id string, names ...string) map[string]result {
	t.Helper()
	w := newWorld(t.TempDir(), true)
	for _, c := range contests() {
		if c.id != id {
			continue
		}
		var chosen []contender
		for _, name := range names {
			chosen = append(chosen, find(id, name))
		}
		c.contenders = chosen
		all := make(map[string]result)
		for _, r := range hold(c, pace{rounds: 25, round: time.Millisecond}, func(who contender) (runner, error) {
			do, err := who.setup(w)
			return inProcess{w, do}, err
		}) {
			if r.Err != nil {
				t.Fatalf("%s: %v", r.name, r.Err)
			}
			all[r.name] = r
		}
		return all
	}
	t.Fatalf("there is no contest %q", id)
	return nil
}

// These tests fail on allocations, and on ratios that are wrong by far, never on
// times: the machine may be busy.
func TestGuard(t *testing.T) {
	const bare, first, again, hand = "the signature check alone", "gatehouse, first sight", "gatehouse, the same token again", "golang-jwt by hand"
	for alg, limits := range map[string]struct{ first, again float64 }{
		"RS256": {2, 10}, "ES256": {2, 10}, "EdDSA": {2, 10}, "HS256": {12, 1.5},
	} {
		t.Run(alg, func(t *testing.T) {
			r := few(t, "guard/"+alg, bare, first, again, hand)
			if x := r[first].Ratio.Median; x > limits.first {
				t.Errorf("first sight costs %.2f x a signature check, more than %v", x, limits.first)
			}
			if x := r[first].CPU.Median / r[again].CPU.Median; x < limits.again {
				t.Errorf("seen again a token is only %.1f x as cheap as at first, less than %v", x, limits.again)
			}
			if r[again].CPU.Median > r[hand].CPU.Median {
				t.Error("a remembered token costs more than golang-jwt")
			}
			if r[again].Allocs > maxAgain+0.5 {
				t.Errorf("a remembered token costs %.1f allocations, more than %d", r[again].Allocs, maxAgain)
			}
			if r[first].Allocs > r[hand].Allocs/1.5 {
				t.Errorf("first sight costs %.1f allocations, golang-jwt by hand %.1f", r[first].Allocs, r[hand].Allocs)
			}
		})
	}
}

// maxAgain is how many allocations a request with a remembered token may cost:
// its context, and the request with it.
const maxAgain = 2

func TestLimiter(t *testing.T) {
	for _, id := range []string{"limit/1", "limit/1k", "limit/1k-parallel"} {
		t.Run(id, func(t *testing.T) {
			r := few(t, id, "integer GCRA in an open table", "gatehouse")
			if x := r["gatehouse"].Ratio.Median; x > 3 {
				t.Errorf("a decision costs %.2f x the floor", x)
			}
			if x := r["gatehouse"].Allocs; x > 0.5 {
				t.Errorf("a decision costs %.1f allocations", x)
			}
		})
	}
	r := few(t, "limit/http-admitted", "integer GCRA with the draft's headers", "gatehouse")
	if x := r["gatehouse"].Allocs; x > 2.5 {
		t.Errorf("a limited request costs %.1f allocations", x)
	}
}

func TestIssuer(t *testing.T) {
	r := few(t, "mint/EdDSA", "two signatures alone", "gatehouse")
	if x := r["gatehouse"].Ratio.Median; x > 3 {
		t.Errorf("a pair costs %.2f x its signatures", x)
	}
	if x := r["gatehouse"].Allocs; x > 60 {
		t.Errorf("a pair costs %.1f allocations", x)
	}
}

func TestGarbage(t *testing.T) {
	r := few(t, "garbage/kinds", "the signature check alone", "no JWT", "alg none", "unknown kid", "another issuer's")
	for name, x := range r {
		if name != "the signature check alone" && x.Ratio.Median > 2 {
			t.Errorf("%s costs %.2f x a signature check", name, x.Ratio.Median)
		}
	}
	r = few(t, "garbage/flood", "guard alone", "limit in front of the guard")
	if x := r["limit in front of the guard"].Ratio.Median; x > 0.5 {
		t.Errorf("behind a limit a flood still costs %.2f x", x)
	}
}

// TestContenders sets all up that are quickly set up: each proves by itself that
// it guards or limits.
func TestContenders(t *testing.T) {
	w := newWorld(t.TempDir(), true)
	for _, c := range contests() {
		slow := strings.HasPrefix(c.id, "growth/") || strings.HasPrefix(c.id, "redis/") || strings.HasPrefix(c.id, "server/") ||
			c.id == "limit/1M" || c.id == "guard/100k"
		if slow {
			continue
		}
		t.Run(c.id, func(t *testing.T) {
			for _, who := range c.contenders {
				do, err := who.setup(w)
				if err == nil {
					err = do(1)
				}
				if err != nil {
					t.Errorf("%s: %v", who.name, err)
				}
			}
		})
	}
}

func TestReport(t *testing.T) {
	c := contest{id: "guard/RS256", title: "A title", contenders: []contender{{name: "a", kind: floor}, {name: "b<", kind: ours}}}
	speed := map[string]time.Duration{"a": time.Microsecond, "b<": 2 * time.Microsecond}
	results := hold(c, pace{rounds: 5, round: time.Millisecond}, func(who contender) (runner, error) { return fixed{speed[who.name]}, nil })
	if results[1].Ratio.Median != 2 || results[0].CPU.Median != 1000 || results[0].Allocs != 3 {
		t.Fatalf("got %+v", results)
	}
	r := report{held: []held{{c, results}}}
	for _, want := range []string{"| a | 1.00 µs | 1.00 µs to 1.00 µs | 1.00 µs | 1.00 | 3 |", "| **b<** | 2.00 µs |"} {
		if !strings.Contains(r.markdown(), want) {
			t.Errorf("%q is missing in\n%s", want, r.markdown())
		}
	}
	if svg := r.chart(); !strings.Contains(svg, "b&lt;") || strings.Contains(svg, "b<") || strings.Contains(svg, "NaN") {
		t.Errorf("the chart is wrong:\n%s", svg)
	}
}

// fixed is a runner that always takes as long.
type fixed struct{ each time.Duration }

func (f fixed) run(n int) (usage, error) {
	return usage{CPU: f.each * time.Duration(n), Mallocs: 3 * uint64(n)}, nil
}
func (fixed) size() float64 { return 0 }
func (fixed) stop()         {}
