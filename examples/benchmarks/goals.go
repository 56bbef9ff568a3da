package main

import (
	"cmp"
	"fmt"
	"strings"
)

// A goal is what a figure of a report should be.
type goal struct {
	what, want string
	limit      float64 // the figure is to be at most this, or if least is set at least
	least      bool
	unit       string
	figure     func(*report) float64 // 0 if it was not measured
}

// goals writes how the report stands to each goal.
func (r *report) goals(b *strings.Builder) {
	var rows strings.Builder
	for _, g := range goals {
		x := g.figure(r)
		if x == 0 {
			continue
		}
		verdict := "met"
		if g.least && x < g.limit || !g.least && x > g.limit {
			verdict = "**missed**"
		}
		fmt.Fprintf(&rows, "| %s | %s | %s %s | %s |\n", g.what, g.want, digits(x), g.unit, verdict)
	}
	if rows.Len() > 0 {
		fmt.Fprintf(b, "\n## Goals\n\n| what | goal | measured | |\n|---|---|--:|---|\n%s", rows.String())
	}
}

// ratioOf is the ratio of one contender to the first of its contest.
func ratioOf(id, name string) func(*report) float64 {
	return func(r *report) float64 {
		if x := r.of(id, name); x != nil {
			return x.Ratio.Median
		}
		return 0
	}
}

// between is how many times the CPU time of another contender one uses.
func between(id, name, other string) func(*report) float64 {
	return func(r *report) float64 {
		x, y := r.of(id, name), r.of(id, other)
		if x == nil || y == nil {
			return 0
		}
		return x.CPU.Median / y.CPU.Median
	}
}

// ahead is how many times faster a contender is than the fastest peer.
func ahead(id, name string) func(*report) float64 {
	return func(r *report) float64 {
		x := r.of(id, name)
		for _, h := range r.held {
			if h.id == id && x != nil {
				return fastest(h.results, peer) / x.CPU.Median
			}
		}
		return 0
	}
}

func field(id, name string, of func(*result) float64) func(*report) float64 {
	return func(r *report) float64 {
		if x := r.of(id, name); x != nil {
			return cmp.Or(of(x), 1e-9)
		}
		return 0
	}
}

func micros(x *result) float64 { return x.CPU.Median / 1000 }
func allocs(x *result) float64 { return x.Allocs }
func kept(x *result) float64   { return x.Retain }

var goals = allGoals()

func allGoals() []goal {
	const again, first = "gatehouse, the same token again", "gatehouse, first sight"
	var all []goal
	most := func(what string, limit float64, figure func(*report) float64) {
		all = append(all, goal{what, fmt.Sprintf("at most %g x the floor", limit), limit, false, "x", figure})
	}
	faster := func(what string, limit float64, figure func(*report) float64) {
		all = append(all, goal{what, fmt.Sprintf("at least %g x as fast as the fastest peer", limit), limit, true, "x", figure})
	}
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		most("first sight of a token, "+alg, 1.10, ratioOf("guard/"+alg, first))
	}
	most("first sight of a token, HS256", 4, ratioOf("guard/HS256", first))
	for _, alg := range []string{"RS256", "ES256", "EdDSA", "HS256"} {
		all = append(all,
			goal{"the same token again, " + alg, "at most 1.0 µs", 1, false, "µs", field("guard/"+alg, again, micros)},
			goal{"the same token again, " + alg, "at most 2 allocations", 2.05, false, "", field("guard/"+alg, again, allocs)})
	}
	all = append(all, goal{"100,000 tokens in turn", "at most 1.6 µs", 1.6, false, "µs", field("guard/100k", "gatehouse, Remember 262144", micros)})
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		faster("the same token again, "+alg, 40, ahead("guard/"+alg, again))
	}
	faster("the same token again, HS256", 10, ahead("guard/HS256", again))
	most("three RSA keys without kid", 1.10, ratioOf("guard/nokid", "gatehouse"))
	for _, id := range []string{"1", "1k", "1M", "1-parallel", "1k-parallel"} {
		most("limiter's decision, "+id, 1.25, ratioOf("limit/"+id, "gatehouse"))
		all = append(all, goal{"limiter's decision, " + id, "no allocation", 0.05, false, "", field("limit/"+id, "gatehouse", allocs)})
		faster("limiter's decision, "+id, 1, ahead("limit/"+id, "gatehouse"))
	}
	for _, id := range []string{"admitted", "refused"} {
		most("limiter through net/http, "+id, 1.25, ratioOf("limit/http-"+id, "gatehouse"))
		faster("limiter through net/http, "+id, 3, ahead("limit/http-"+id, "gatehouse"))
	}
	all = append(all, goal{"memory per key at 1M keys", "at most 40 bytes", 40, false, "B", field("limit/1M", "gatehouse", kept)})
	for _, name := range []string{"right", "undecided", "blocked"} {
		all = append(all, goal{"lockout's attempt, " + name, "at most 3 x a limiter's decision", 3, false, "x", ratioOf("limit/lockout", "lockout, "+name)})
	}
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		most("a pair, "+alg, 1.10, ratioOf("mint/"+alg, "gatehouse"))
		most("a pair with a refresh secret, "+alg, 1.10, between("mint/"+alg, "gatehouse, refresh secret", "one signature and an HMAC alone"))
	}
	most("a refresh in memory, RS256", 1.15, ratioOf("refresh/RS256", "gatehouse"))
	most("a limiter's decision in Redis", 1.15, ratioOf("redis/limit", "gatehouse"))
	faster("a limiter's decision in Redis", 1, ahead("redis/limit", "gatehouse"))
	all = append(all, goal{"whole server, RS256, 10,000 tokens in turn", "at most 1.4 x unguarded", 1.4, false, "x", ratioOf("server/RS256", "gatehouse")})
	return all
}
