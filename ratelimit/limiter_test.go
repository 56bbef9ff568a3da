package ratelimit_test

import (
	"context"
	"crypto/sha256"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

func newLimiter(t testing.TB, c ratelimit.Config) *ratelimit.Limiter {
	t.Helper()
	if c.Name == "" {
		c.Name = "test"
	}
	l, err := ratelimit.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func allow(t testing.TB, l *ratelimit.Limiter, key string, n int) ratelimit.Decision {
	t.Helper()
	d, err := l.AllowN(context.Background(), key, n)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The engine decides as a rate.Limiter does, over random histories of bursts,
// pauses and costs, with random limits.
func TestLimiter_decidesAsRateLimiter(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			// Intervals in whole nanoseconds, so that both mean the same; the
			// rounding of others is bounded in TestLimit_rounding.
			interval := time.Duration(1+rnd.Int64N(1e6)) * 1000
			limit := ratelimit.Limit{Rate: rate.Every(interval), Burst: 1 + rnd.IntN(20)}
			ours := newLimiter(t, ratelimit.Config{Limit: limit})
			theirs := rate.NewLimiter(limit.Rate, limit.Burst)
			for range 500 {
				// Off the very nanosecond of a refill, where the floats of a
				// rate.Limiter may fall to either side.
				time.Sleep(time.Duration(rnd.Int64N(3*int64(interval))) | 1)
				for range rnd.IntN(4) {
					n := 1 + rnd.IntN(limit.Burst)
					tokens := theirs.TokensAt(time.Now())
					if math.Abs(tokens-math.Round(tokens)) < 1e-6 && tokens < float64(limit.Burst) {
						continue
					}
					d := allow(t, ours, "k", n)
					if want := theirs.AllowN(time.Now(), n); d.Allowed != want {
						t.Fatalf("seed %d: %d of %v tokens: %v, rate.Limiter says %v", seed, n, tokens, d.Allowed, want)
					}
					if want := int(theirs.TokensAt(time.Now()) + 1e-6); d.Remaining != want {
						t.Fatalf("seed %d: %d remain, rate.Limiter has %d", seed, d.Remaining, want)
					}
				}
			}
		})
	}
}

// What rounding the interval to nanoseconds costs: below a thousandth.
func TestLimit_rounding(t *testing.T) {
	for _, n := range []int{3, 7, 100, 30_000, 999_999, 1_000_000} {
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(n, time.Second)})
			d := allow(t, l, "k", n)
			if !d.Allowed || d.Remaining != 0 {
				t.Fatalf("Per(%d, 1s): %+v", n, d)
			}
			if off := (d.Reset - time.Second).Abs(); off > time.Millisecond {
				t.Errorf("Per(%d, 1s) takes %v to refill", n, d.Reset)
			}
		})
	}
}

// Waiting for RetryAfter is enough, and a nanosecond less is not.
func TestDecision_retryAfterIsTrue(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(1+rnd.IntN(50), time.Duration(1+rnd.Int64N(int64(time.Hour))))})
			n := 1
			for {
				d := allow(t, l, "k", n)
				if d.Allowed {
					time.Sleep(time.Duration(rnd.Int64N(int64(d.Reset)/int64(2*d.Limit.Burst) + 1)))
					continue
				}
				if d.RetryAfter <= 0 {
					t.Fatalf("refused, but RetryAfter is %v", d.RetryAfter)
				}
				time.Sleep(d.RetryAfter - 1)
				if d := allow(t, l, "k", n); d.Allowed || d.RetryAfter != 1 {
					t.Fatalf("a nanosecond early: %+v", d)
				}
				time.Sleep(time.Nanosecond)
				if d := allow(t, l, "k", n); !d.Allowed {
					t.Fatalf("after RetryAfter: %+v", d)
				}
				break
			}
		})
	}
}

func TestDecision_reset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(6, time.Minute)})
		d := allow(t, l, "k", 4)
		if d.Reset != 40*time.Second || d.Remaining != 2 || d.RetryAfter != 20*time.Second || d.Policy != "test" {
			t.Fatalf("4 of 6: %+v", d)
		}
		time.Sleep(d.Reset)
		if d := allow(t, l, "k", 6); !d.Allowed {
			t.Fatalf("after Reset: %+v", d)
		}
	})
}

func TestNew_refuses(t *testing.T) {
	good := ratelimit.Per(1, time.Second)
	refused := map[string]ratelimit.Config{
		"XX-01 zero Config":            {},
		"no name":                      {Limit: good},
		"name with quote":              {Name: `a"`, Limit: good},
		"name with newline":            {Name: "a\n", Limit: good},
		"long name":                    {Name: strings.Repeat("a", 65), Limit: good},
		"RL-20 limit 0":                {Name: "a", Limit: ratelimit.Per(0, time.Second)},
		"RL-20 limit negative":         {Name: "a", Limit: ratelimit.Per(-1, time.Second)},
		"RL-20 per nothing":            {Name: "a", Limit: ratelimit.Per(1, 0)},
		"RL-20 per negative time":      {Name: "a", Limit: ratelimit.Per(1, -time.Second)},
		"RL-20 burst 0":                {Name: "a", Limit: ratelimit.Limit{Rate: 1}},
		"RL-20 burst negative":         {Name: "a", Limit: ratelimit.Limit{Rate: 1, Burst: -1}},
		"RL-20 rate Inf":               {Name: "a", Limit: ratelimit.Limit{Rate: rate.Inf, Burst: 1}},
		"RL-20 rate +Inf":              {Name: "a", Limit: ratelimit.Limit{Rate: rate.Limit(math.Inf(1)), Burst: 1}},
		"RL-20 rate NaN":               {Name: "a", Limit: ratelimit.Limit{Rate: rate.Limit(math.NaN()), Burst: 1}},
		"RL-20 rate above a million":   {Name: "a", Limit: ratelimit.Limit{Rate: 1e6 + 1, Burst: 1}},
		"RL-20 rate almost 0":          {Name: "a", Limit: ratelimit.Limit{Rate: 1e-300, Burst: 1}},
		"RL-20 refills in a century":   {Name: "a", Limit: ratelimit.Limit{Rate: 1, Burst: math.MaxInt}},
		"nil store of another type":    {Name: "a", Limit: good, Store: (*recorder)(nil)},
		"unknown legacy headers":       {Name: "a", Limit: good, Legacy: "X-Limit"},
		"nil *MemoryStore in an iface": {Name: "a", Limit: good, Store: (*ratelimit.MemoryStore)(nil)},
	}
	if burst := int64(3003199566417); int64(int(burst)) == burst { // so not where an int has 32 bits
		refused["RL-20 refills in 52 days if not for rounding"] = ratelimit.Config{
			Name: "a", Limit: ratelimit.Limit{Rate: rate.Limit(1e9 / 1499.6), Burst: int(burst)},
		}
	}
	for name, c := range refused {
		t.Run(name, func(t *testing.T) {
			if l, err := ratelimit.New(c); err == nil || l != nil {
				t.Errorf("New made %v, %v", l, err)
			} else if !strings.HasPrefix(err.Error(), "ratelimit: ") {
				t.Errorf("error doesn't say where it comes from: %v", err)
			}
		})
	}
}

func TestNew_reportsAllMistakes(t *testing.T) {
	_, err := ratelimit.New(ratelimit.Config{Legacy: "no"})
	for _, field := range []string{"Name", "Rate", "Burst", "Legacy"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not in: %v", field, err)
		}
	}
}

func TestAllowN_refusesCosts(t *testing.T) {
	l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(3, time.Minute)})
	for name, n := range map[string]int{"RL-20 cost 0": 0, "RL-20 cost negative": -1, "RL-20 cost above burst": 4, "RL-20 cost that overflows": math.MaxInt} {
		t.Run(name, func(t *testing.T) {
			if d, err := l.AllowN(t.Context(), "k", n); err == nil || d.Allowed {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
	if d := allow(t, l, "k", 3); !d.Allowed {
		t.Error("a refused cost was charged")
	}
}

func TestZeroValuesRefuse(t *testing.T) {
	t.Run("XX-01 Limiter", func(t *testing.T) {
		if d, err := new(ratelimit.Limiter).Allow(t.Context(), "k"); err == nil || d.Allowed {
			t.Errorf("%+v, %v", d, err)
		}
		if d, err := new(ratelimit.Limiter).Check(new(http.Request)); err == nil || d.Allowed {
			t.Errorf("%+v, %v", d, err)
		}
	})
	t.Run("XX-01 Set", func(t *testing.T) {
		if l, err := new(ratelimit.Set).Limiter("a"); err == nil {
			t.Errorf("%+v", l)
		}
	})
	t.Run("XX-01 nil Limiter", func(t *testing.T) {
		var l *ratelimit.Limiter
		if d, err := l.Allow(t.Context(), "k"); err == nil || d.Allowed {
			t.Errorf("%+v, %v", d, err)
		}
		if d, err := l.AllowN(t.Context(), "k", 2); err == nil || d.Allowed {
			t.Errorf("%+v, %v", d, err)
		}
		if d, err := l.Check(request("192.0.2.7:1")); err == nil || d.Allowed {
			t.Errorf("%+v, %v", d, err)
		}
		for _, l := range []*ratelimit.Limiter{l, new(ratelimit.Limiter)} {
			if w := serve(l.Handler(mustNotRun(t)), request("192.0.2.7:1")); w.Code != 503 || w.headers != 1 {
				t.Errorf("%d, answered %d times", w.Code, w.headers)
			}
		}
	})
	t.Run("XX-01 nil and zero Set", func(t *testing.T) {
		for _, s := range []*ratelimit.Set{nil, new(ratelimit.Set)} {
			if l, err := s.Limiter("a"); err == nil {
				t.Errorf("%+v", l)
			}
			name := func(*http.Request) string { return "a" }
			for _, mount := range []func(http.Handler) http.Handler{s.Handler("a"), s.Handler(), s.Choose(name)} {
				if w := serve(mount(mustNotRun(t)), request("192.0.2.7:1")); w.Code != 503 || w.headers != 1 {
					t.Errorf("%d, answered %d times", w.Code, w.headers)
				}
			}
		}
		if err := (*ratelimit.Set)(nil).Replace(); err == nil {
			t.Error("a nil Set was replaced")
		}
	})
	t.Run("XX-01 All", func(t *testing.T) {
		for _, ls := range [][]*ratelimit.Limiter{nil, {nil}, {new(ratelimit.Limiter)}} {
			if l, err := ratelimit.All(ls...); err == nil {
				t.Errorf("All(%v) is %+v", ls, l)
			}
		}
	})
	t.Run("XX-01 TrustedProxies", func(t *testing.T) {
		if _, err := ratelimit.TrustedProxies(""); err == nil {
			t.Error("made")
		}
	})
	if (ratelimit.Decision{}).Allowed {
		t.Error("the zero Decision admits")
	}
}

func TestAllow_emptyKeyRefuses(t *testing.T) {
	l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(3, time.Minute)})
	if d, err := l.Allow(t.Context(), ""); err == nil || d.Allowed {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestAllow_parallel(t *testing.T) {
	t.Run("RL-02 1000 at once, 10 pass", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(10, time.Hour)})
			if n := inParallel(1000, func() bool { return allow(t, l, "k", 1).Allowed }); n != 10 {
				t.Errorf("%d passed", n)
			}
		})
	})
	t.Run("exactly as many as there are", func(t *testing.T) {
		// In real time: callers that read the clock in one order and get the
		// lock in another must not be refused for it.
		for range 50 {
			l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(64, time.Hour)})
			if n := inParallel(64, func() bool { return allow(t, l, "k", 1).Allowed }); n != 64 {
				t.Fatalf("%d of 64 passed", n)
			}
		}
	})
}

// inParallel counts how often f is true.
func inParallel(n int, f func() bool) int {
	var wg sync.WaitGroup
	var count atomic.Int64
	start := make(chan struct{})
	for range n {
		wg.Go(func() {
			<-start
			if f() {
				count.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	return int(count.Load())
}

func TestAllow_windowEdge(t *testing.T) {
	t.Run("RL-17 no edge with twice the limit", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(10, time.Minute)})
			time.Sleep(time.Minute - time.Millisecond)
			passed := 0
			for range 2 {
				for range 10 {
					if allow(t, l, "k", 1).Allowed {
						passed++
					}
				}
				time.Sleep(2 * time.Millisecond)
			}
			if passed != 10 {
				t.Errorf("%d passed within 2 ms", passed)
			}
		})
	})
}

func TestKeys(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	sum := sha256.Sum256([]byte(long))
	for name, pairs := range map[string][2][2]string{
		"LO-32 separator in the name":     {{"a.b", "c"}, {"a", "b.c"}},
		"RL-14 name and key change place": {{"a", "b"}, {"b", "a"}},
		"RL-14 key contains colon":        {{"a", "b:c"}, {"a", "b"}},
		"RL-14 key contains newline":      {{"a", "b\n"}, {"a", "b"}},
		"RL-14 key is a wildcard":         {{"a", "*"}, {"a", "b"}},
		"RL-14 key is the name":           {{"a", "a"}, {"b", "b"}},
		"RL-22 1 MiB, and its digest":     {{"a", long}, {"a", "\x00" + string(sum[:])}},
		"RL-22 1 MiB, other ends":         {{"a", long + "1"}, {"a", long + "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			store := ratelimit.NewMemoryStore(0)
			for i, p := range pairs {
				l := newLimiter(t, ratelimit.Config{Name: p[0], Limit: ratelimit.Per(1, time.Hour), Store: store})
				if !allow(t, l, p[1], 1).Allowed {
					t.Errorf("pair %d shares a bucket", i+1)
				}
				if allow(t, l, p[1], 1).Allowed {
					t.Errorf("pair %d has no bucket", i+1)
				}
			}
		})
	}
}

func TestKeys_bounded(t *testing.T) {
	t.Run("RL-22 a store never sees more than 128 bytes", func(t *testing.T) {
		store := &recorder{Store: ratelimit.NewMemoryStore(0)}
		l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(9, time.Hour), Store: store})
		other := newLimiter(t, ratelimit.Config{Name: "other", Limit: ratelimit.Per(9, time.Hour), Store: store})
		both, err := ratelimit.All(l, other)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 128, 129, 1 << 20} {
			key := strings.Repeat("x", n)
			allow(t, l, key, 1)
			allow(t, both, key, 1)
		}
		if store.longest != 128 {
			t.Errorf("it saw %d", store.longest)
		}
	})
}

// recorder notes how long keys are.
type recorder struct {
	ratelimit.Store
	longest int
}

func (r *recorder) Take(ctx context.Context, cells []ratelimit.Cell) (bool, error) {
	for _, c := range cells {
		r.longest = max(r.longest, len(c.Key))
	}
	return r.Store.Take(ctx, cells)
}

func TestAllow_wallClock(t *testing.T) {
	t.Run("RL-18 only monotonic time counts", func(t *testing.T) {
		// The wall clock can't be set from a test; that time comes from
		// time.Since of a time.Now with its monotonic reading is what keeps
		// its jumps out, and this shows that a pause is a pause.
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(1, time.Hour)})
			allow(t, l, "k", 1)
			time.Sleep(time.Hour - 1)
			if allow(t, l, "k", 1).Allowed {
				t.Error("early")
			}
			time.Sleep(time.Nanosecond)
			if !allow(t, l, "k", 1).Allowed {
				t.Error("late")
			}
		})
	})
}
