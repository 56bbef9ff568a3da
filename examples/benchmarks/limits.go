package main

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

// limits are the contests of "how often".
func limits() []contest {
	var all []contest
	for _, row := range []struct {
		id, title string
		keys      int
		parallel  int
	}{
		{"1", "1 key", 1, 1}, {"1k", "1,000 keys", 1000, 1}, {"1M", "1,000,000 keys", 1_000_000, 1},
		{"1-parallel", "1 key, as many goroutines as processors", 1, 0},
		{"1k-parallel", "1,000 keys, as many goroutines as processors", 1000, 0},
	} {
		c := contest{id: "limit/" + row.id, title: "A limiter's decision: " + row.title, per: "decision",
			note: "The floor is the same arithmetic on integers in an open table under one lock, of fixed size, with neither bound nor expiry."}
		for _, d := range deciders {
			c.contenders = append(c.contenders, contender{name: d.name, kind: d.kind, setup: decides(d.make, row.keys, row.parallel)})
		}
		all = append(all, c)
	}
	return append(all, limitHandlers("admitted", http.StatusOK), limitHandlers("refused", http.StatusTooManyRequests), lockouts())
}

// limitHandlers is the contest of whole requests through net/http.
func limitHandlers(id string, status int) contest {
	c := contest{id: "limit/http-" + id, title: "A request with a limit, " + id,
		note: "With `RateLimit` and `RateLimit-Policy` of the IETF's draft (gatehouse and floor) or the headers that a peer has, and where refused `Retry-After`. The client's address is the key; 1,000 clients in turn. That all send headers about the limit is checked: the peers `X-RateLimit-Limit`, `-Remaining` and `-Reset`, of which echo's has no `-Reset` and tollbooth an older draft's as well."}
	for _, h := range limitedHandlers {
		c.contenders = append(c.contenders, contender{name: h.name, kind: h.kind, setup: limited(h.make, status)})
	}
	return c
}

// lockouts compares guesses with a limiter's decision.
func lockouts() contest {
	attempt := func(right bool, failure error) func(*world) (op, error) {
		return func(*world) (op, error) {
			l, err := lockout.New(lockout.Config{Name: "recovery"})
			if err != nil {
				return nil, err
			}
			check := func(context.Context) (bool, error) { return right, failure }
			return func(n int) error {
				for range n {
					l.Attempt(context.Background(), "victim@example.com", check)
				}
				return nil
			}, nil
		}
	}
	return contest{id: "limit/lockout", title: "A lockout's attempt, in memory", per: "attempt",
		note: "*Blocked* is one step in the store, as is a wrong guess; right and undecided ones are two: paid for, and settled.",
		contenders: []contender{
			{name: "a limiter's decision", kind: ours, setup: decides(gatehouseDecider, 1, 1)},
			{name: "lockout, right", kind: ours, setup: attempt(true, nil)},
			{name: "lockout, undecided", kind: ours, setup: attempt(false, lockout.ErrUndecided)},
			{name: "lockout, blocked", kind: ours, setup: attempt(false, nil)},
		}}
}

// addresses are n keys such as limits have.
func addresses(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = "10." + strconv.Itoa(i>>16&255) + "." + strconv.Itoa(i>>8&255) + "." + strconv.Itoa(i&255)
	}
	return all
}

// stride walks over keys without order.
const stride = 7_368_787

// The limit of all contenders is a burst in a day, so wide that it never refuses
// while it is measured, and so narrow that nothing expires.
const every = 24 * time.Hour

func burstFor(keys int) int { return max(1<<30/keys, 10_000) }

// decides asks about so many keys without order, in so many goroutines, as many
// as processors if 0.
func decides(make decider, n, goroutines int) func(*world) (op, error) {
	return func(w *world) (op, error) {
		keys := addresses(n)
		w.weigh(n)
		if n < 1000 {
			w.weigh(0)
		}
		allow, err := make(n)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			if !allow(k) {
				return nil, fmt.Errorf("the first request of %s is refused", k)
			}
		}
		one := func(from, times int) (err error) {
			for i := from; times > 0; times-- {
				if i += stride; i >= n {
					i %= n
				}
				if !allow(keys[i]) {
					err = fmt.Errorf("%s is refused, or failed", keys[i])
				}
			}
			return err
		}
		if goroutines == 1 {
			next := 0
			return func(times int) error {
				next = (next + times) % n
				return one(next, times)
			}, nil
		}
		return together(goroutines, one), nil
	}
}

// together splits an operation among goroutines.
func together(goroutines int, one func(from, times int) error) op {
	if goroutines == 0 {
		goroutines = runtime.GOMAXPROCS(0)
	}
	return func(times int) error {
		var all sync.WaitGroup
		failed := make([]error, goroutines)
		for i := range goroutines {
			share := (times + goroutines - 1 - i) / goroutines
			all.Go(func() { failed[i] = one(i*stride, share) })
		}
		all.Wait()
		for _, err := range failed {
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// limited has a handler serve requests of 1,000 clients, all admitted or all
// refused, with headers about the limit.
func limited(make func(burst int) (http.Handler, error), status int) func(*world) (op, error) {
	return func(*world) (op, error) {
		burst := burstFor(1000)
		if status != http.StatusOK {
			burst = 1
		}
		h, err := make(burst)
		if err != nil {
			return nil, err
		}
		var requests []*http.Request
		for _, a := range addresses(1000) {
			r := bearer("")
			r.RemoteAddr = a + ":4711"
			requests = append(requests, r)
		}
		w := &recorded{blank{http.Header{}}, 0}
		next := 0
		serve := func() {
			clear(w.h)
			w.status = http.StatusOK
			h.ServeHTTP(w, requests[next])
			if next++; next == len(requests) {
				next = 0
			}
		}
		for range 2 * len(requests) { // the second time each has been counted
			serve()
		}
		if w.status != status {
			return nil, fmt.Errorf("status %d, want %d", w.status, status)
		}
		if status != http.StatusOK && w.h.Get("Retry-After") == "" && w.h.Get("X-Retry-After") == "" {
			return nil, fmt.Errorf("no Retry-After in %s", strings.TrimSpace(fmt.Sprint(w.h)))
		}
		if !tellsLimit(w.h) {
			return nil, fmt.Errorf("no headers about the limit in %s", strings.TrimSpace(fmt.Sprint(w.h)))
		}
		return func(n int) error {
			for range n {
				serve()
			}
			return nil
		}, nil
	}
}

// tellsLimit says whether there are headers about the limit, however they are
// spelt: RateLimit, X-RateLimit-Limit, X-Rate-Limit-Limit.
func tellsLimit(h http.Header) bool {
	for name := range h {
		if strings.Contains(strings.ToLower(strings.ReplaceAll(name, "-", "")), "ratelimit") {
			return true
		}
	}
	return false
}

// recorded is a blank ResponseWriter that knows its status.
type recorded struct {
	blank
	status int
}

func (w *recorded) WriteHeader(status int) { w.status = status }
