// Package ratelimittest proves that a [ratelimit.Store] keeps its contract: semantics,
// expiry, atomicity under a thousand parallel callers, and what a limit makes of its
// faults. Stores of lockouts are proven by lockout/lockouttest.
package ratelimittest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// Run tests the stores that open makes. Each must be empty, or new to the policies that
// it is asked for, and may be closed by a Cleanup.
//
// advance moves the store's clock. It is time.Sleep for a clock that can't be set;
// then a run takes some ten seconds. Nil is for stores in memory, which read the time
// of this process: they are tested in a bubble of testing/synctest, exactly and without
// waiting.
func Run(t *testing.T, open func(testing.TB) ratelimit.Store, advance func(time.Duration)) {
	for _, p := range proofs {
		t.Run(p.name, func(t *testing.T) {
			if advance == nil {
				synctest.Test(t, func(t *testing.T) { p.prove(&kit{t, open(t), time.Sleep}) })
				return
			}
			p.prove(&kit{t, open(t), advance})
		})
	}
}

type proof struct {
	name  string
	prove func(*kit)
}

var proofs = []proof{
	{"Take/spends the burst and no more", (*kit).takeBurst},
	{"Take/debt melts", (*kit).takeMelts},
	{"Take/all or nothing", (*kit).takeAllOrNothing},
	{"Take/policy and key are apart", (*kit).takeApart},
	{"Take/1000 in parallel", (*kit).takeParallel},
	{"Take/several cells in parallel, in any order", (*kit).takeCrossing},
	{"Limiter/faults", (*kit).limiterFaults},
}

// kit is one proof under way. Times are coarse enough for a store with a real
// clock on a slow machine.
type kit struct {
	*testing.T
	store   ratelimit.Store
	advance func(time.Duration)
}

const (
	callers  = 1000
	interval = time.Second
	slack    = 500 * time.Millisecond
)

// awkward are keys that must stay apart.
var awkward = []string{"a", "b", "a:b", "a|b", "{a}", "*", "a\n", " ", "\x00", "\xff\xfe", "ä", strings.Repeat("x", 127), strings.Repeat("x", 128)}

// Names joined to one: "p-b" and "a" is not "p" and "b-a". A name has no more
// characters than letters, digits and these, a key has all.
var (
	policies = []string{"a", "p", "pb", "p-b", "p.b", "p_b"}
	joined   = []string{"ba", "b-a", "b.a", "b_a", "-b-a", ".b.a", "_b_a"}
)

func cell(policy, key string, cost, burst int) ratelimit.Cell {
	return ratelimit.Cell{Policy: policy, Key: key, Cost: time.Duration(cost) * interval, Interval: interval, Tolerance: time.Duration(burst) * interval}
}

func (k *kit) take(cells ...ratelimit.Cell) (bool, []ratelimit.Cell) {
	k.Helper()
	ok, err := k.store.Take(context.Background(), cells)
	if err != nil {
		k.Fatalf("Take: %v", err)
	}
	return ok, cells
}

// wantDebt allows for what a real clock has melted meanwhile.
func (k *kit) wantDebt(c ratelimit.Cell, want time.Duration) {
	k.Helper()
	if c.Debt > want || c.Debt < want-slack {
		k.Errorf("debt of %s/%.10q is %v, want %v", c.Policy, c.Key, c.Debt, want)
	}
}

func (k *kit) takeBurst() {
	for n := range 5 {
		ok, cells := k.take(cell("p", "burst", 1, 5))
		if !ok {
			k.Fatalf("token %d of 5 refused", n+1)
		}
		k.wantDebt(cells[0], time.Duration(n+1)*interval)
	}
	ok, cells := k.take(cell("p", "burst", 1, 5))
	if ok {
		k.Error("a sixth of 5 granted")
	}
	k.wantDebt(cells[0], 5*interval)
	if ok, cells := k.take(cell("p", "cost", 4, 5)); !ok {
		k.Error("cost of 4 refused by a full bucket of 5")
	} else {
		k.wantDebt(cells[0], 4*interval)
	}
	if ok, cells := k.take(cell("p", "cost", 2, 5)); ok {
		k.Error("cost of 2 granted where 1 was left")
	} else {
		k.wantDebt(cells[0], 4*interval)
	}
	if ok, _ := k.take(cell("p", "cost", 1, 5)); !ok {
		k.Error("the last one refused")
	}
}

func (k *kit) takeMelts() {
	k.take(cell("p", "k", 3, 3))
	k.advance(interval / 2)
	if ok, _ := k.take(cell("p", "k", 1, 3)); ok {
		k.Error("granted after half an interval")
	}
	k.advance(interval / 2)
	if ok, _ := k.take(cell("p", "k", 1, 3)); !ok {
		k.Error("refused after an interval")
	}
	k.advance(3*interval + slack)
	ok, cells := k.take(cell("p", "k", 3, 3))
	if !ok {
		k.Error("a bucket that was left alone is not full")
	}
	k.wantDebt(cells[0], 3*interval)
}

func (k *kit) takeAllOrNothing() {
	k.take(cell("strict", "k", 1, 1))
	ok, cells := k.take(cell("wide", "k", 1, 5), cell("strict", "k", 1, 1), cell("other", "k", 2, 5))
	if ok {
		k.Fatal("granted though one cell was exhausted")
	}
	k.wantDebt(cells[0], 0)
	k.wantDebt(cells[1], interval)
	k.wantDebt(cells[2], 0)
	ok, cells = k.take(cell("wide", "k", 5, 5), cell("other", "k", 5, 5))
	if !ok {
		k.Error("a refused Take has charged")
	}
	k.wantDebt(cells[0], 5*interval)
	k.wantDebt(cells[1], 5*interval)
}

func (k *kit) takeApart() {
	for _, policy := range policies {
		for _, key := range slices.Concat(awkward, joined) {
			if ok, _ := k.take(cell(policy, key, 1, 1)); !ok {
				k.Errorf("%s/%.10q was charged for another", policy, key)
			}
			if ok, _ := k.take(cell(policy, key, 1, 1)); ok {
				k.Errorf("%s/%.10q is not counted", policy, key)
			}
		}
	}
}

// parallel counts how many of the callers get true.
func parallel(f func(i int) bool) int {
	var wg sync.WaitGroup
	var count atomic.Int64
	for i := range callers {
		wg.Go(func() {
			if f(i) {
				count.Add(1)
			}
		})
	}
	wg.Wait()
	return int(count.Load())
}

// slow is a cell whose debt does not melt while a proof runs.
func slow(policy, key string, burst int) ratelimit.Cell {
	return ratelimit.Cell{Policy: policy, Key: key, Cost: time.Hour, Interval: time.Hour, Tolerance: time.Duration(burst) * time.Hour}
}

func (k *kit) takeParallel() {
	got := parallel(func(int) bool {
		ok, err := k.store.Take(context.Background(), []ratelimit.Cell{slow("p", "k", 100)})
		if err != nil {
			k.Errorf("Take: %v", err)
		}
		return ok
	})
	if got != 100 {
		k.Errorf("%d of %d were granted a burst of 100", got, callers)
	}
}

func (k *kit) takeCrossing() {
	pair := [2]ratelimit.Cell{slow("p", "a", 100), slow("p", "b", 50)}
	got := parallel(func(i int) bool {
		ok, err := k.store.Take(context.Background(), []ratelimit.Cell{pair[i%2], pair[1-i%2]})
		if err != nil {
			k.Errorf("Take: %v", err)
		}
		return ok
	})
	if got != 50 {
		k.Errorf("%d of %d were granted where the smaller burst is 50", got, callers)
	}
	left := pair[0]
	left.Cost = 50 * time.Hour
	if ok, _ := k.take(left); !ok {
		k.Error("the larger burst was charged for what the smaller refused")
	}
}

func always(int) bool { return true }

func (k *kit) limiterFaults() {
	for name, f := range map[string]*Faults{
		"failed": {Store: k.store, Before: always},
		"lost":   {Store: k.store, After: always},
	} {
		l, err := ratelimit.New(ratelimit.Config{Name: "faults", Limit: ratelimit.Per(3, time.Hour), Store: f})
		if err != nil {
			k.Fatal(err)
		}
		if d, err := l.Allow(context.Background(), name); d.Allowed || !errors.Is(err, ErrFault) {
			k.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}
