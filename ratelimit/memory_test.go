package ratelimit_test

import (
	"strconv"
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
}

// What has expired is given back by whatever requests come, even if they are
// all for one key.
func TestMemoryStore_givesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ratelimit.NewMemoryStore(0)
		l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(2, time.Minute), Store: store})
		stays := newLimiter(t, ratelimit.Config{Name: "stays", Limit: ratelimit.Per(2, time.Hour), Store: store})
		before := heap()
		flood(t, l, "flood", 300_000)
		flood(t, stays, "stays", 2000) // in every shard some
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
