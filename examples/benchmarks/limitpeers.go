package main

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/didip/tollbooth/v8"
	tollboothlimiter "github.com/didip/tollbooth/v8/limiter"
	"github.com/go-chi/httprate"
	"github.com/labstack/echo/v5"
	echomw "github.com/labstack/echo/v5/middleware"
	"github.com/sethvargo/go-limiter/httplimit"
	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	"github.com/ulule/limiter/v3"
	ululestd "github.com/ulule/limiter/v3/drivers/middleware/stdlib"
	"github.com/ulule/limiter/v3/drivers/store/memory"
	"golang.org/x/time/rate"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// A decider makes a limiter for about so many keys.
type decider func(keys int) (func(key string) bool, error)

// deciders are limiters below net/http.
var deciders = []struct {
	name string
	kind kind
	make decider
}{
	{"integer GCRA in an open table", floor, func(keys int) (func(string) bool, error) {
		t := newOpenTable(keys, burstFor(keys), every)
		return func(key string) bool { _, ok := t.allow(key); return ok }, nil
	}},
	{"gatehouse", ours, gatehouseDecider},
	{"x/time/rate per key", peer, ratePerKey},
	{"sethvargo/go-limiter", peer, func(keys int) (func(string) bool, error) {
		s, err := memorystore.New(&memorystore.Config{Tokens: uint64(burstFor(keys)), Interval: every})
		return func(key string) bool {
			_, _, _, ok, err := s.Take(context.Background(), key)
			return ok && err == nil
		}, err
	}},
	{"throttled", peer, func(keys int) (func(string) bool, error) {
		l, err := throttledLimiter(burstFor(keys))
		return func(key string) bool {
			refused, _, err := l.RateLimitCtx(context.Background(), key, 1)
			return !refused && err == nil
		}, err
	}},
	{"ulule/limiter", peer, func(keys int) (func(string) bool, error) {
		l := limiter.New(memory.NewStore(), limiter.Rate{Period: every, Limit: int64(burstFor(keys))})
		return func(key string) bool {
			c, err := l.Get(context.Background(), key)
			return err == nil && !c.Reached
		}, nil
	}},
	{"tollbooth", peer, func(keys int) (func(string) bool, error) {
		l := tollboothLimiter(burstFor(keys))
		return func(key string) bool { return !l.LimitReached(key) }, nil
	}},
	{"httprate", peer, func(keys int) (func(string) bool, error) {
		l := httprate.NewRateLimiter(burstFor(keys), every)
		h := http.Header{}
		w, r := &blank{h}, bearer("")
		var mu sync.Mutex // only for the ResponseWriter, which is shared
		return func(key string) bool {
			mu.Lock()
			defer mu.Unlock()
			return !l.OnLimit(w, r, key)
		}, nil
	}},
	{"echo's limiter", peer, func(keys int) (func(string) bool, error) {
		s := echomw.NewRateLimiterMemoryStoreWithConfig(echomw.RateLimiterMemoryStoreConfig{Rate: float64(burstFor(keys)) / 86400, Burst: burstFor(keys), ExpiresIn: every})
		return func(key string) bool { ok, err := s.Allow(key); return ok && err == nil }, nil
	}},
}

func gatehouseDecider(keys int) (func(string) bool, error) {
	l, err := gatehouseLimiter(burstFor(keys), max(2*keys, 1<<20))
	return func(key string) bool {
		d, err := l.Allow(context.Background(), key)
		return d.Allowed && err == nil
	}, err
}

func gatehouseLimiter(burst, keys int) (*ratelimit.Limiter, error) {
	return ratelimit.New(ratelimit.Config{Name: "p", Limit: ratelimit.Per(burst, every), Key: ratelimit.RemoteIP, Store: ratelimit.NewMemoryStore(keys)})
}

// ratePerKey is what the documentation of many projects shows: a map of
// rate.Limiters under a mutex.
func ratePerKey(keys int) (func(string) bool, error) {
	var mu sync.Mutex
	limiters := map[string]*rate.Limiter{}
	return func(key string) bool {
		mu.Lock()
		l := limiters[key]
		if l == nil {
			l = rate.NewLimiter(rate.Limit(burstFor(keys))/86400, burstFor(keys))
			limiters[key] = l
		}
		mu.Unlock()
		return l.Allow()
	}, nil
}

func throttledLimiter(burst int) (*throttled.GCRARateLimiterCtx, error) {
	store, err := memstore.NewCtx(0)
	if err != nil {
		return nil, err
	}
	return throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerDuration(burst, every), MaxBurst: burst - 1})
}

func tollboothLimiter(burst int) *tollboothlimiter.Limiter {
	l := tollbooth.NewLimiter(float64(burst)/every.Seconds(), &tollboothlimiter.ExpirableOptions{DefaultExpirationTTL: every, ExpireJobInterval: time.Hour})
	l.SetBurst(burst)
	l.SetIPLookup(tollboothlimiter.IPLookup{Name: "RemoteAddr"})
	return l
}

// limitedHandlers are limiters within net/http, each with the headers that it
// has.
var limitedHandlers = []struct {
	name string
	kind kind
	make func(burst int) (http.Handler, error)
}{
	{"integer GCRA with the draft's headers", floor, func(burst int) (http.Handler, error) {
		return newOpenTable(1000, burst, every).handler(nothing), nil
	}},
	{"gatehouse", ours, func(burst int) (http.Handler, error) {
		l, err := gatehouseLimiter(burst, 0)
		if err != nil {
			return nil, err
		}
		return l.Handler(nothing), nil
	}},
	{"throttled", peer, func(burst int) (http.Handler, error) {
		l, err := throttledLimiter(burst)
		h := throttled.HTTPRateLimiterCtx{RateLimiter: l, VaryBy: &throttled.VaryBy{RemoteAddr: true}}
		return h.RateLimit(nothing), err
	}},
	{"sethvargo/go-limiter", peer, func(burst int) (http.Handler, error) {
		s, err := memorystore.New(&memorystore.Config{Tokens: uint64(burst), Interval: every})
		if err != nil {
			return nil, err
		}
		m, err := httplimit.NewMiddleware(s, httplimit.IPKeyFunc())
		if err != nil {
			return nil, err
		}
		return m.Handle(nothing), nil
	}},
	{"httprate", peer, func(burst int) (http.Handler, error) {
		//lint:ignore SA1019 as its users have it
		return httprate.LimitBy(burst, every, httprate.KeyByIP)(nothing), nil
	}},
	{"ulule/limiter", peer, func(burst int) (http.Handler, error) {
		l := limiter.New(memory.NewStore(), limiter.Rate{Period: every, Limit: int64(burst)})
		refuse := func(w http.ResponseWriter, r *http.Request) { // it has no Retry-After of its own
			w.Header().Set("Retry-After", strconv.Itoa(int(every.Seconds())))
			w.WriteHeader(http.StatusTooManyRequests)
		}
		return ululestd.NewMiddleware(l, ululestd.WithLimitReachedHandler(refuse)).Handler(nothing), nil
	}},
	{"tollbooth", peer, func(burst int) (http.Handler, error) {
		l := tollboothLimiter(burst)
		l.SetOnLimitReached(func(w http.ResponseWriter, _ *http.Request) { // nor has this
			w.Header().Set("Retry-After", strconv.Itoa(int(every.Seconds())))
		})
		return tollbooth.HTTPMiddleware(l)(nothing), nil
	}},
	{"echo's limiter", peer, func(burst int) (http.Handler, error) {
		e := echo.New()
		e.Use(echomw.RateLimiterWithConfig(echomw.RateLimiterConfig{
			Store:               echomw.NewRateLimiterMemoryStoreWithConfig(echomw.RateLimiterMemoryStoreConfig{Rate: float64(burst) / 86400, Burst: burst, ExpiresIn: every}),
			IdentifierExtractor: func(c *echo.Context) (string, error) { return c.RealIP(), nil },
		}))
		e.GET("/me", func(c *echo.Context) error { nothing(c.Response(), c.Request()); return nil })
		return e, nil
	}},
}
