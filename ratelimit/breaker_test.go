package ratelimit_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// moody is a store that can be made to fail.
type moody struct {
	ratelimit.Store
	mood  atomic.Int32
	calls atomic.Int32
}

const (
	well = iota
	hangs
	fails
	readOnly // fails at what writes
)

var errMoody = errors.New("moody store")

func (m *moody) act(ctx context.Context, writes bool) error {
	m.calls.Add(1)
	if err := ctx.Err(); err != nil {
		return err
	}
	switch m.mood.Load() {
	case hangs:
		<-ctx.Done()
		return ctx.Err()
	case fails:
		return errMoody
	case readOnly:
		if writes {
			return errMoody
		}
	}
	return nil
}

func (m *moody) Take(ctx context.Context, cells []ratelimit.Cell) (bool, error) {
	if err := m.act(ctx, true); err != nil {
		return false, err
	}
	return m.Store.Take(ctx, cells)
}

func newMoody() *moody { return &moody{Store: ratelimit.NewMemoryStore(0)} }

func newBreaker(t testing.TB, c ratelimit.BreakerConfig) *ratelimit.Breaker {
	t.Helper()
	c.Logger = slog.New(slog.DiscardHandler)
	g, err := ratelimit.NewBreaker(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// cost is how long one request waits.
func cost(l *ratelimit.Limiter) (time.Duration, error) {
	start := time.Now()
	_, err := l.Allow(context.Background(), "k")
	return time.Since(start), err
}

func TestBreaker(t *testing.T) {
	bubble := func(name string, test func(*testing.T, *moody, *ratelimit.Limiter)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMoody()
				test(t, m, newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(5, time.Hour), Store: newBreaker(t, ratelimit.BreakerConfig{Store: m})}))
			})
		})
	}
	bubble("RL-19 a store that hangs costs 30 ms three times, then nothing", func(t *testing.T, m *moody, l *ratelimit.Limiter) {
		m.mood.Store(hangs)
		for i := range 3 {
			if d, err := cost(l); d != 30*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("request %d: %v, %v", i, d, err)
			}
		}
		for i := range 1000 {
			if d, err := cost(l); d != 0 || !errors.Is(err, ratelimit.ErrUnavailable) {
				t.Fatalf("request %d: %v, %v", i, d, err)
			}
			time.Sleep(10 * time.Millisecond) // probes go on, and nobody waits for them
		}
		if n := m.calls.Load(); n < 90 || n > 105 {
			t.Errorf("the store was asked %d times in 10 s, want about 100 times", n)
		}
	})
	bubble("recovery is noticed at the next probe", func(t *testing.T, m *moody, l *ratelimit.Limiter) {
		if d := allow(t, l, "k", 3); d.Remaining != 2 {
			t.Fatalf("%+v", d)
		}
		m.mood.Store(fails)
		for range 3 {
			if _, err := cost(l); !errors.Is(err, errMoody) {
				t.Error(err)
			}
		}
		cost(l) // starts a probe, which fails
		synctest.Wait()
		m.mood.Store(well)
		time.Sleep(100*time.Millisecond - 1)
		if _, err := cost(l); !errors.Is(err, ratelimit.ErrUnavailable) {
			t.Errorf("asked too early: %v", err)
		}
		time.Sleep(time.Nanosecond)
		cost(l)
		synctest.Wait()
		m.mood.Store(fails) // one failure is enough now
		if _, err := cost(l); !errors.Is(err, errMoody) {
			t.Error(err)
		}
		if _, err := cost(l); !errors.Is(err, ratelimit.ErrUnavailable) {
			t.Error(err)
		}
		m.mood.Store(well)
		time.Sleep(100 * time.Millisecond)
		cost(l)
		synctest.Wait()
		if d := allow(t, l, "k", 1); d.Remaining != 1 {
			t.Errorf("the limit did not survive: %+v", d)
		}
	})
	bubble("a store that can't write is not back", func(t *testing.T, m *moody, l *ratelimit.Limiter) {
		m.mood.Store(readOnly)
		for range 3 {
			cost(l)
		}
		for range 50 {
			time.Sleep(50 * time.Millisecond)
			if _, err := cost(l); !errors.Is(err, ratelimit.ErrUnavailable) {
				t.Fatal(err)
			}
			synctest.Wait()
		}
	})
	bubble("two failures and a success are no outage", func(t *testing.T, m *moody, l *ratelimit.Limiter) {
		for range 2 {
			m.mood.Store(fails)
			cost(l)
			cost(l)
			m.mood.Store(well)
			allow(t, l, "k", 1)
		}
	})
	bubble("a client that has gone is charged", func(t *testing.T, m *moody, l *ratelimit.Limiter) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for i := range 10 {
			if d, err := l.Allow(ctx, "k"); err != nil || d.Allowed != (i < 5) {
				t.Errorf("request %d: %+v, %v", i, d, err)
			}
		}
	})
}

func TestBreaker_parallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMoody()
		m.mood.Store(hangs)
		l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(5, time.Hour), Store: newBreaker(t, ratelimit.BreakerConfig{Store: m})})
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if d, err := cost(l); d > 30*time.Millisecond || err == nil {
					t.Errorf("%v, %v", d, err)
				}
			})
		}
		wg.Wait()
	})
}

// Probes are granted however many there are, or they would write nothing.
func TestBreaker_probesWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMoody()
		probes := &probed{Store: m}
		var limiters []*ratelimit.Limiter
		for range 10 { // as on ten machines
			b := newBreaker(t, ratelimit.BreakerConfig{Store: probes})
			limiters = append(limiters, newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(5, time.Hour), Store: b}))
		}
		for _, mood := range []int32{fails, fails, fails, well} {
			m.mood.Store(mood)
			for _, l := range limiters {
				l.Allow(t.Context(), "k")
			}
			synctest.Wait()
		}
		if probes.granted.Load() != 10 || probes.refused.Load() != 0 {
			t.Errorf("%d probes granted, %d refused", probes.granted.Load(), probes.refused.Load())
		}
	})
}

// probed counts the probes that the store behind answers.
type probed struct {
	ratelimit.Store
	granted, refused atomic.Int32
}

func (p *probed) Take(ctx context.Context, cells []ratelimit.Cell) (bool, error) {
	ok, err := p.Store.Take(ctx, cells)
	if err == nil && cells[0].Policy == "breaker probe" {
		if ok {
			p.granted.Add(1)
		} else {
			p.refused.Add(1)
		}
	}
	return ok, err
}

// Without a Logger lines go to what is slog's default when they are logged.
func TestBreaker_logger(t *testing.T) {
	m := newMoody()
	m.mood.Store(fails)
	b, err := ratelimit.NewBreaker(ratelimit.BreakerConfig{Store: m})
	if err != nil {
		t.Fatal(err)
	}
	l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(5, time.Hour), Store: b})
	var lines strings.Builder
	was := slog.Default()
	t.Cleanup(func() { slog.SetDefault(was) })
	slog.SetDefault(slog.New(slog.NewTextHandler(&lines, nil)))
	for range 3 {
		l.Allow(t.Context(), "k")
	}
	if !strings.Contains(lines.String(), `msg="ratelimit: `) || !strings.Contains(lines.String(), `error="moody store"`) {
		t.Errorf("%q", &lines)
	}
}

func TestNewBreaker_refuses(t *testing.T) {
	for name, c := range map[string]ratelimit.BreakerConfig{
		"XX-01 zero":       {},
		"nil memory":       {Store: (*ratelimit.MemoryStore)(nil)},
		"zero breaker":     {Store: new(ratelimit.Breaker)},
		"timeout too long": {Store: newMoody(), Timeout: time.Minute},
		"negative timeout": {Store: newMoody(), Timeout: -1},
		"retry too often":  {Store: newMoody(), Retry: 1},
	} {
		if g, err := ratelimit.NewBreaker(c); err == nil || g != nil {
			t.Errorf("%s: %v, %v", name, g, err)
		}
	}
	if _, err := new(ratelimit.Breaker).Take(t.Context(), nil); err == nil {
		t.Error("XX-01 the zero Breaker takes")
	}
}

// What limits do without a store.
func TestWithoutStore(t *testing.T) {
	m := newMoody()
	breaker := newBreaker(t, ratelimit.BreakerConfig{Store: m})
	limiter := func(name string, c ratelimit.Config) *ratelimit.Limiter {
		c.Name, c.Limit, c.Store, c.Key = name, ratelimit.Per(9, time.Hour), breaker, ratelimit.RemoteIP
		return newLimiter(t, c)
	}
	refuse := limiter("refuse", ratelimit.Config{})
	third := limiter("third", ratelimit.Config{LocalShare: 1.0 / 3})
	half := limiter("half", ratelimit.Config{LocalShare: 0.5})
	open := limiter("open", ratelimit.Config{FailOpen: true})
	all := func(limiters ...*ratelimit.Limiter) *ratelimit.Limiter {
		l, err := ratelimit.All(limiters...)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	granted := func(l *ratelimit.Limiter, key string) (n int) {
		t.Helper()
		for range 20 {
			if d := allow(t, l, key, 1); d.Allowed {
				n++
			}
		}
		return n
	}
	for _, l := range []*ratelimit.Limiter{third, half, open} {
		if d := allow(t, l, "k", 9); !d.Allowed || d.Local {
			t.Errorf("%+v", d)
		}
	}
	m.mood.Store(fails)
	for range 5 { // before the store is given up, and after
		if d, err := refuse.Allow(t.Context(), "k"); err == nil || d.Allowed {
			t.Errorf("refuse: %+v, %v", d, err)
		}
	}
	if n := granted(third, "k"); n != 3 {
		t.Errorf("a third: %d of 9", n)
	}
	if n := granted(open, "k"); n != 20 {
		t.Errorf("open: %d of 20", n)
	}
	if d, err := third.AllowN(t.Context(), "other", 4); err == nil || d.Allowed {
		t.Errorf("more than the share at once: %+v, %v", d, err)
	}
	if d := allow(t, third, "k", 1); d.Allowed || !d.Local || d.Policy != "third" || d.Limit.Burst != 3 || d.RetryAfter < 19*time.Minute || d.RetryAfter > 20*time.Minute {
		t.Errorf("%+v", d)
	}
	if n := granted(all(third, half, open), "joined"); n != 3 {
		t.Errorf("all: %d, the strictest grants 3", n)
	}
	if n := granted(half, "joined"); n != 1 {
		t.Errorf("half has %d left, want 1: nothing is charged if one refuses", n)
	}
	if d, err := all(open, refuse).Allow(t.Context(), "k"); err == nil || d.Allowed {
		t.Errorf("open and refuse: %+v, %v", d, err)
	}
	w := httptest.NewRecorder()
	open.Handler(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusNotFound || w.Header().Get("RateLimit") != "" {
		t.Errorf("%d, %v: open knows of no limit", w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	refuse.Handler(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("refuse: %d, %v", w.Code, w.Header())
	}
}

func TestNew_refusesFailure(t *testing.T) {
	breaker := newBreaker(t, ratelimit.BreakerConfig{Store: newMoody()})
	for name, c := range map[string]ratelimit.Config{
		"share without breaker": {LocalShare: 0.5},
		"open without breaker":  {FailOpen: true, Store: newMoody()},
		"both":                  {LocalShare: 0.5, FailOpen: true, Store: breaker},
		"negative":              {LocalShare: -0.5, Store: breaker},
		"above 1":               {LocalShare: 1.5, Store: breaker},
		"not a number":          {LocalShare: math.NaN(), Store: breaker},
		"too small":             {LocalShare: 1e-9, Store: breaker},
		"zero breaker":          {Store: new(ratelimit.Breaker)},
	} {
		c.Name, c.Limit = "test", ratelimit.Per(5, time.Hour)
		if _, err := ratelimit.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCost(t *testing.T) {
	weigh := func(r *http.Request) int { return map[string]int{"/light": 1, "/heavy": 3, "/free": 0}[r.URL.Path] }
	l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(5, time.Hour), Key: ratelimit.RemoteIP, Cost: weigh})
	for _, step := range []struct {
		path      string
		allowed   bool
		remaining int
		err       bool
	}{
		{"/heavy", true, 2, false},
		{"/heavy", false, 2, false},
		{"/light", true, 1, false},
		{"/free", false, 0, true}, // RL-20: nothing is free
	} {
		d, err := l.Check(httptest.NewRequest("GET", step.path, nil))
		if d.Allowed != step.allowed || d.Remaining != step.remaining || (err != nil) != step.err {
			t.Errorf("%s: %+v, %v", step.path, d, err)
		}
	}
	store := ratelimit.NewMemoryStore(0)
	weighed := newLimiter(t, ratelimit.Config{Name: "weighed", Limit: ratelimit.Per(6, time.Hour), Key: ratelimit.RemoteIP, Cost: weigh, Store: store})
	counted := newLimiter(t, ratelimit.Config{Name: "counted", Limit: ratelimit.Per(6, time.Hour), Key: ratelimit.RemoteIP, Store: store})
	both, err := ratelimit.All(counted, weighed)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, false} {
		if d, err := both.Check(httptest.NewRequest("GET", "/heavy", nil)); err != nil || d.Allowed != want || d.Policy != "weighed" {
			t.Errorf("request %d: %+v, %v", i, d, err)
		}
	}
}
