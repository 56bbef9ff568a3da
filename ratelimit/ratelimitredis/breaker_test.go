package ratelimitredis_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimitredis"
)

// patience is for a slow machine that runs other tests; by default it is 30 ms.
const patience = 200 * time.Millisecond

// fleet is limits over a breaker and a lockout, all over one server.
type fleet struct {
	refuse, local, open *ratelimit.Limiter
	guesses             *lockout.Lockout
}

func newFleet(t *testing.T, store *ratelimitredis.Store) (g fleet) {
	t.Helper()
	breaker, err := ratelimit.NewBreaker(ratelimit.BreakerConfig{Store: store, Timeout: patience, Logger: silent})
	if err != nil {
		t.Fatal(err)
	}
	limit := func(c ratelimit.Config) *ratelimit.Limiter {
		c.Limit, c.Store = ratelimit.Per(10, time.Hour), breaker
		l, err := ratelimit.New(c)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	g.refuse = limit(ratelimit.Config{Name: "refuse"})
	g.local = limit(ratelimit.Config{Name: "local", LocalShare: 0.5})
	g.open = limit(ratelimit.Config{Name: "open", FailOpen: true})
	g.guesses = newLockout(t, store, day)
	return g
}

// spend takes n tokens, which must be there.
func spend(t *testing.T, l *ratelimit.Limiter, n, left int) {
	t.Helper()
	d, err := l.AllowN(context.Background(), "k", n)
	if err != nil || !d.Allowed || d.Remaining != left || d.Local {
		t.Errorf("%+v, %v; want %d left", d, err, left)
	}
}

// wantDown checks what everybody does without the store, which is known to be
// down.
func (g fleet) wantDown(t *testing.T) {
	t.Helper()
	if d, err := g.refuse.Allow(context.Background(), "k"); d.Allowed || !errors.Is(err, ratelimit.ErrUnavailable) {
		t.Errorf("refuse: %+v, %v", d, err)
	}
	granted := 0
	for range 20 {
		if d, err := g.local.Allow(context.Background(), "k"); err != nil {
			t.Errorf("local: %v", err)
		} else if d.Allowed {
			granted++
		}
	}
	if granted > 5 { // some may have been spent before
		t.Errorf("local: %d granted, the share is 5", granted)
	}
	if d, err := g.open.Allow(context.Background(), "k"); !d.Allowed || !d.Local || err != nil {
		t.Errorf("open: %+v, %v", d, err)
	}
	if _, err := g.guesses.Attempt(context.Background(), "k", func(context.Context) (bool, error) {
		t.Error("looked at a guess without a store")
		return true, nil
	}); err == nil || errors.Is(err, lockout.ErrBlocked) {
		t.Errorf("lockout: %v", err)
	}
}

// costs measures n requests in a row, and says what the slowest cost.
func (g fleet) costs(n int) (all []time.Duration) {
	for range n {
		start := time.Now()
		g.refuse.Allow(context.Background(), "cost")
		all = append(all, time.Since(start))
	}
	return all
}

// returns waits until the store is asked again.
func (g fleet) returns(t *testing.T) (after time.Duration) {
	t.Helper()
	start := time.Now()
	for time.Since(start) < 10*time.Second {
		if _, err := g.refuse.Allow(context.Background(), "returns"); err == nil {
			return time.Since(start)
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the store was not asked again in 10 s")
	return 0
}

// Redis is frozen, killed, or out of reach without a sign: RL-19, XX-09.
func TestBreaker(t *testing.T) {
	for name, test := range map[string]struct {
		setup func(t *testing.T) (address string, fail, repair func())
	}{
		"frozen": {func(t *testing.T) (string, func(), func()) {
			s := newServer(t)
			return s.address, func() { s.signal(syscall.SIGSTOP) }, func() { s.signal(syscall.SIGCONT) }
		}},
		"killed": {func(t *testing.T) (string, func(), func()) {
			s := newServer(t, "--appendonly", "yes", "--appendfsync", "always")
			return s.address, s.kill, func() { s.start(t) }
		}},
		"replies get lost on the way": {func(t *testing.T) (string, func(), func()) {
			p := newProxy(t, newServer(t).address)
			return p.address(), func() { p.silent.Store(true) }, func() { p.silent.Store(false) }
		}},
	} {
		t.Run("RL-19 "+name, func(t *testing.T) {
			address, fail, repair := test.setup(t)
			client := (&server{address: address}).client(t)
			g := newFleet(t, newStore(t, client, ratelimitredis.Config{}))
			spend(t, g.refuse, 3, 7)
			spend(t, g.local, 3, 7)
			for range 5 {
				wrong(t, g.guesses, "blocked")
			}
			fail()
			first, later := g.costs(10), g.costs(1000)
			g.wantDown(t)
			parallel := g.parallel(100)
			time.Sleep(1500 * time.Millisecond)
			probed := g.costs(1000)
			slices.Sort(later)
			slices.Sort(probed)
			t.Logf("a request costs %v at first, then %v (median; worst of 1000 %v), of 100 in parallel %v at worst, after 1.5 s %v (worst %v)",
				first[:4], later[500], later[999], parallel, probed[500], probed[999])
			repair()
			t.Logf("back after %v", g.returns(t))
			spend(t, g.refuse, 4, 3)
			spend(t, g.local, 4, 3)
			if _, err := g.guesses.Attempt(t.Context(), "blocked", nil); !errors.Is(err, lockout.ErrBlocked) {
				t.Errorf("the block did not survive: %v", err)
			}
		})
	}
}

func (g fleet) parallel(n int) time.Duration {
	var worst atomic.Int64
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			start := time.Now()
			g.refuse.Allow(context.Background(), "cost")
			for d := int64(time.Since(start)); ; {
				was := worst.Load()
				if d <= was || worst.CompareAndSwap(was, d) {
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Duration(worst.Load())
}
