package ratelimit_test

import (
	"context"
	"fmt"
	"hash/maphash"
	"math/bits"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// floor is the least that a decision can be: the clock, a lock, and the
// arithmetic on a bucket that needs no looking up.
type floor struct {
	mu   sync.Mutex
	base time.Time
	full int64
}

func (f *floor) allow(interval, tolerance int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := int64(time.Since(f.base))
	debt := max(0, f.full-now) + interval
	if debt > tolerance {
		return false
	}
	f.full = now + debt
	return true
}

// openFloor is floor behind a table that does nothing but find: of one size,
// under one lock, with no bound, no expiry, no growth.
type openFloor struct {
	mu    sync.Mutex
	base  time.Time
	seeds [2]maphash.Seed
	slots []struct {
		hi, lo uint64
		full   int64
	}
}

func newOpenFloor(n int) *openFloor {
	f := &openFloor{base: time.Now(), seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
	f.slots = make([]struct {
		hi, lo uint64
		full   int64
	}, 2<<bits.Len(uint(n)))
	return f
}

func (f *openFloor) allow(key string, interval, tolerance int64) bool {
	hi, lo := maphash.String(f.seeds[0], key), maphash.String(f.seeds[1], key)
	f.mu.Lock()
	defer f.mu.Unlock()
	now := int64(time.Since(f.base))
	mask := uint64(len(f.slots) - 1)
	i := hi & mask
	for f.slots[i].full != 0 && (f.slots[i].hi != hi || f.slots[i].lo != lo) {
		i = (i + 1) & mask
	}
	s := &f.slots[i]
	debt := max(0, s.full-now) + interval
	if debt > tolerance {
		return false
	}
	s.hi, s.lo, s.full = hi, lo, now+debt
	return true
}

// generous never refuses in a benchmark.
var generous = ratelimit.Limit{Rate: 1e6, Burst: 1e9}

func keys(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = "10." + strconv.Itoa(i>>16&255) + "." + strconv.Itoa(i>>8&255) + "." + strconv.Itoa(i&255)
	}
	return all
}

// stride walks over keys without order.
const stride = 7_368_787

func BenchmarkAllow(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		f := &floor{base: time.Now()}
		b.ReportAllocs()
		for b.Loop() {
			f.allow(1000, 1e12)
		}
	})
	for _, n := range []int{1, 1000, 1_000_000} {
		b.Run(fmt.Sprintf("floor, %d keys", n), func(b *testing.B) {
			all := keys(n)
			f := newOpenFloor(n)
			for _, k := range all {
				f.allow(k, 1e11, 1e15)
			}
			i := 0
			for b.Loop() {
				if i += stride; i >= n {
					i %= n
				}
				f.allow(all[i], 1000, 1e15)
			}
		})
		b.Run(fmt.Sprintf("%d keys", n), func(b *testing.B) {
			all := keys(n)
			l := newLimiter(b, ratelimit.Config{Limit: generous, Store: ratelimit.NewMemoryStore(2 * n)})
			for _, k := range all {
				l.AllowN(context.Background(), k, 1e8) // lasts for the whole run
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i += stride; i >= n {
					i %= n
				}
				l.Allow(context.Background(), all[i])
			}
		})
	}
	b.Run("floor parallel", func(b *testing.B) {
		f := &floor{base: time.Now()}
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				f.allow(1000, 1e12)
			}
		})
	})
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("%d keys parallel", n), func(b *testing.B) {
			all := keys(n)
			l := newLimiter(b, ratelimit.Config{Limit: generous})
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i += stride {
					l.Allow(context.Background(), all[i%n])
				}
			})
		})
	}
	b.Run("2 limits", func(b *testing.B) {
		store := ratelimit.NewMemoryStore(0)
		l, err := ratelimit.All(newLimiter(b, ratelimit.Config{Name: "a", Limit: generous, Store: store}), newLimiter(b, ratelimit.Config{Name: "b", Limit: generous, Store: store}))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			l.Allow(context.Background(), "k")
		}
	})
}

// sink is a ResponseWriter that costs nothing.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

func BenchmarkHandler(b *testing.B) {
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for name, c := range map[string]ratelimit.Config{
		"with headers": {},
		"quiet":        {Quiet: true},
	} {
		b.Run(name, func(b *testing.B) {
			c.Limit, c.Key = generous, ratelimit.RemoteIP
			h := newLimiter(b, c).Handler(next)
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = "192.0.2.7:4711"
			w := &sink{make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkMemory fills a store with a million keys and reports bytes per key,
// everything included: at the end, and the most on the way there from half a
// million.
func BenchmarkMemory(b *testing.B) {
	const n, step = 1_000_000, 50_000
	all := keys(n)
	var perKey, most float64
	for b.Loop() {
		before := heap()
		l := newLimiter(b, ratelimit.Config{Limit: generous, Store: ratelimit.NewMemoryStore(2 * n)})
		for i, k := range all {
			l.AllowN(context.Background(), k, 1e8)
			if (i+1)%step == 0 && i >= n/2 {
				perKey = float64(heap()-before) / float64(i+1)
				most = max(most, perKey)
			}
		}
		runtime.KeepAlive(l)
	}
	b.ReportMetric(perKey, "B/key")
	b.ReportMetric(most, "most-B/key")
}

// BenchmarkSweep is one client's requests while a million expired buckets are
// removed, and reports the longest of them.
func BenchmarkSweep(b *testing.B) {
	const n = 1_000_000
	all := keys(n)
	var longest time.Duration
	for b.Loop() {
		b.StopTimer()
		l := newLimiter(b, ratelimit.Config{Limit: ratelimit.Limit{Rate: 1e6, Burst: 3e6}, Store: ratelimit.NewMemoryStore(2 * n)})
		for _, k := range all {
			l.AllowN(context.Background(), k, 2e6) // two seconds
		}
		before := heap()
		time.Sleep(2 * time.Second)
		b.StartTimer()
		for end := time.Now().Add(6 * time.Second); time.Now().Before(end); {
			start := time.Now()
			l.Allow(context.Background(), "k")
			longest = max(longest, time.Since(start))
		}
		b.ReportMetric(float64(before-heap())/n, "B-given-back/key")
		runtime.KeepAlive(l)
	}
	b.ReportMetric(float64(longest.Microseconds()), "longest-µs")
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkFlood is an attacker with ever new keys against a store at its
// bound.
func BenchmarkFlood(b *testing.B) {
	for name, limit := range map[string]ratelimit.Limit{"fullest goes": ratelimit.Per(100, time.Minute), "all exhausted": ratelimit.Per(1, time.Hour)} {
		b.Run(name, func(b *testing.B) {
			l := newLimiter(b, ratelimit.Config{Limit: limit, Store: ratelimit.NewMemoryStore(100_000)})
			var n atomic.Int64
			buf := make([]byte, 0, 20)
			b.ReportAllocs()
			for b.Loop() {
				l.Allow(context.Background(), string(strconv.AppendInt(buf, n.Add(1), 10)))
			}
		})
	}
}
