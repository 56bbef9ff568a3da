package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimittest"
)

func TestMemoryStore(t *testing.T) {
	ratelimittest.Run(t, func(testing.TB) ratelimit.Store { return ratelimit.NewMemoryStore(0) }, nil)
}

// flood sends n requests under ever new keys and counts those let in.
func flood(t *testing.T, l *ratelimit.Limiter, prefix string, n int) (admitted int) {
	for i := range n {
		if allow(t, l, prefix+strconv.Itoa(i), 1).Allowed {
			admitted++
		}
	}
	return admitted
}

func TestMemoryStore_bound(t *testing.T) {
	const bound, many = 4096, 200_000 // a single shard
	t.Run("a flood frees no exhausted bucket and takes no more memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(3, time.Hour), Store: ratelimit.NewMemoryStore(bound)})
			for i := range 100 {
				allow(t, l, "victim"+strconv.Itoa(i), 3)
			}
			before := heap()
			if n := flood(t, l, "flood", many); n != many {
				t.Errorf("%d of %d strangers were let in; each has a bucket of his own", n, many)
			}
			if grown := int64(heap()) - int64(before); grown > bound*64 {
				t.Errorf("%d bytes more", grown)
			}
			for i := range 100 {
				if allow(t, l, "victim"+strconv.Itoa(i), 1).Allowed {
					t.Fatal("an exhausted bucket was forgotten")
				}
			}
		})
	})
	t.Run("where all are exhausted newcomers share, the known are not affected", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := ratelimit.NewMemoryStore(bound)
			l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(1, time.Hour), Store: store})
			owner := newLimiter(t, ratelimit.Config{Name: "owner", Limit: ratelimit.Per(1, time.Hour), Store: store})
			allow(t, owner, "k", 1)
			if n := flood(t, l, "flood", many); n < bound-1 || n > bound+bound/8 {
				t.Errorf("%d were let in, the bound is %d", n, bound)
			}
			if allow(t, l, "flood0", 1).Allowed || allow(t, owner, "k", 1).Allowed {
				t.Error("an exhausted bucket was forgotten")
			}
			if !allow(t, owner, "newcomer", 1).Allowed {
				t.Error("the flood of one policy shut out the newcomers of another")
			}
			time.Sleep(time.Hour)
			if !allow(t, owner, "k", 1).Allowed || !allow(t, l, "newcomer", 1).Allowed {
				t.Error("the flood outlasts its limit")
			}
		})
	})
	t.Run("more policies than there are overflow buckets for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := ratelimit.NewMemoryStore(bound)
			admitted := 0
			for i := range 100 {
				l := newLimiter(t, ratelimit.Config{Name: strconv.Itoa(i), Limit: ratelimit.Per(1, time.Hour), Store: store})
				admitted += flood(t, l, "flood", bound/4)
			}
			if admitted != bound+bound/8 {
				t.Errorf("%d were let in, want %d", admitted, bound+bound/8)
			}
		})
	})
	t.Run("LO-25 a flood of unknown accounts frees no blocked one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLockout(t, ratelimit.LockoutConfig{Store: ratelimit.NewMemoryStore(bound)})
			guess(t, l, "blocked", 5)
			guess(t, l, "almost", 4)
			before := heap()
			for i := range 20_000 {
				guess(t, l, strconv.Itoa(i), 1)
			}
			if grown := int64(heap()) - int64(before); grown > bound*64 {
				t.Errorf("%d bytes more", grown)
			}
			wantStatus(t, l, "blocked", 0, day)
			wantStatus(t, l, "almost", 1, 0)
		})
	})
	t.Run("LO-25 where half of them block, others have all tries but the last", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var lines strings.Builder
			store := ratelimit.NewMemoryStore(bound)
			l := newLockout(t, ratelimit.LockoutConfig{Store: store, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
			guess(t, l, "almost", 4)
			for i := range bound / 16 {
				guess(t, l, strconv.Itoa(i), 5)
			}
			for i := range 100 {
				for range 5 {
					l.Attempt(t.Context(), "more"+strconv.Itoa(i), wrong)
				}
			}
			for i := range 2000 {
				guess(t, l, "stranger"+strconv.Itoa(i), 1)
			}
			for i := range bound / 16 {
				wantStatus(t, l, strconv.Itoa(i), 0, day)
			}
			wantStatus(t, l, "almost", 1, 0)
			guess(t, l, "new", 4)
			for _, key := range []string{"new", "almost"} {
				if ok, err := l.Attempt(t.Context(), key, never(t)); ok || err == nil || errors.Is(err, ratelimit.ErrBlocked) {
					t.Errorf("%v, %v", ok, err)
				}
			}
			wantStatus(t, l, "new", 1, 0)
			guess(t, l, "fewer", 3)
			fewer := newLockout(t, ratelimit.LockoutConfig{Tries: 2, Store: store})
			wantStatus(t, fewer, "fewer", 0, day) // not charged, so not one too many
			l.Unblock(t.Context(), "fewer")
			if ok, err := l.Attempt(t.Context(), "owner", right); !ok || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
			if n := strings.Count(lines.String(), "level=ERROR"); n != 1 || strings.Contains(lines.String(), "more") {
				t.Errorf("%d lines: %.500s", n, &lines)
			}
			l.Unblock(t.Context(), "0")
			guess(t, l, "almost", 1) // there is room for one
			wantBlocked(t, l, "almost", day)
			time.Sleep(day)
			guess(t, l, "new", 5)
			wantBlocked(t, l, "new", day)
		})
	})
	t.Run("LO-25 with a single try: refused, not let in", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLockout(t, ratelimit.LockoutConfig{Tries: 1, Store: ratelimit.NewMemoryStore(bound), Logger: quietLog})
			for i := range bound / 16 {
				guess(t, l, strconv.Itoa(i), 1)
			}
			if ok, err := l.Attempt(t.Context(), "new", never(t)); ok || err == nil {
				t.Errorf("%v, %v", ok, err)
			}
			wantStatus(t, l, "0", 0, day)
			time.Sleep(day)
			guess(t, l, "new", 1)
		})
	})
	// However the memory has been filled before, one more look at the victim costs
	// guesses at others: in a shard of 512 logs 64, a quarter of half of them.
	for i := range 12 {
		charges, others := i/2, bound/8-1+i%2*bound/8
		t.Run(fmt.Sprintf("LO-25 looks at a victim where %d others have %d charges", others, charges), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := ratelimit.NewMemoryStore(bound)
				l := newLockout(t, ratelimit.LockoutConfig{Store: store, Logger: quietLog})
				long := newLockout(t, ratelimit.LockoutConfig{Name: "long", Window: 2 * day, Store: store, Logger: quietLog})
				for i := range others {
					for range charges {
						long.Attempt(t.Context(), strconv.Itoa(i), wrong)
					}
				}
				looks := 0
				const guesses = 1000
				for i := range guesses {
					time.Sleep(time.Second)
					l.Attempt(t.Context(), "victim", func(context.Context) (bool, error) { looks++; return false, nil })
					l.Attempt(t.Context(), "stranger"+strconv.Itoa(i), wrong)
				}
				if most := 5 + guesses/64; looks > most {
					t.Errorf("%d looks for %d guesses at others, want at most %d", looks, guesses, most)
				}
			})
		})
	}
}

// What has expired is given back by whatever requests come, even if they are
// all for one key.
func TestMemoryStore_givesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ratelimit.NewMemoryStore(0)
		l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(2, time.Minute), Store: store})
		lock := newLockout(t, ratelimit.LockoutConfig{Store: store, Block: time.Minute})
		stays := newLimiter(t, ratelimit.Config{Name: "stays", Limit: ratelimit.Per(2, time.Hour), Store: store})
		before := heap()
		flood(t, l, "flood", 300_000)
		flood(t, stays, "stays", 2000) // in every shard some
		for i := range 10_000 {
			guess(t, lock, strconv.Itoa(i), 1)
		}
		full := heap() - before
		time.Sleep(time.Minute)
		for range 300 { // a million keys are 256 shards, swept in turn
			time.Sleep(10 * time.Millisecond)
			allow(t, l, "k", 1)
		}
		if left := int64(heap()) - int64(before); left > int64(full)/10 {
			t.Errorf("%d bytes of %d are left", left, full)
		}
		allow(t, l, "k", 1)
	})
}

func TestMemoryStore_givesBackLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ratelimit.NewMemoryStore(0)
		l := newLockout(t, ratelimit.LockoutConfig{Store: store, Block: time.Minute})
		stays := newLockout(t, ratelimit.LockoutConfig{Name: "stays", Store: store})
		before := heap()
		for i := range 50_000 {
			guess(t, l, strconv.Itoa(i), 1)
		}
		for i := range 1000 {
			guess(t, stays, strconv.Itoa(i), 1)
		}
		full := heap() - before
		time.Sleep(time.Minute)
		for range 300 { // a million keys are 256 shards, swept in turn
			time.Sleep(10 * time.Millisecond)
			wantStatus(t, l, "k", 5, 0)
		}
		if left := int64(heap()) - int64(before); left > int64(full)/8 {
			t.Errorf("%d bytes of %d are left", left, full)
		}
		wantStatus(t, stays, "7", 4, 0)
	})
}

// Sweeping, growing and deciding at once lose nothing: in a store at its bound,
// where all of it goes on all the time, a bucket still admits exactly its
// burst.
func TestMemoryStore_busy(t *testing.T) {
	store := ratelimit.NewMemoryStore(4096)
	l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(50, time.Hour), Store: store})
	short := newLimiter(t, ratelimit.Config{Name: "short", Limit: ratelimit.Per(1, time.Millisecond), Store: store})
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 10_000 {
				allow(t, short, strconv.Itoa(g*10_000+i), 1)
				if i%50 == 0 && allow(t, l, "k", 1).Allowed {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if admitted.Load() != 50 {
		t.Errorf("%d admitted of a burst of 50", admitted.Load())
	}
}
