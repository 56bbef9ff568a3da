package ratelimitredis_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimitredis"
)

// The floors: a script that does nothing, and one that does the arithmetic of one
// bucket and nothing else.
const (
	nothingText = `return 1`
	gcraText    = `local t = redis.call('TIME')
local now = t[1] * 1e6 + t[2]
local full = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
if full + ARGV[1] - now > tonumber(ARGV[2]) then
	return {0, full - now}
end
full = full + ARGV[1]
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return {1, full - now}`
)

// BenchmarkRedis makes decisions from 64 callers at once, and from one.
func BenchmarkRedis(b *testing.B) {
	client := anyServer(b).client(b)
	ctx := context.Background()
	load := func(text string) string {
		digest, err := client.ScriptLoad(ctx, text).Result()
		if err != nil {
			b.Fatal(err)
		}
		return digest
	}
	nothing, gcra := load(nothingText), load(gcraText)
	prefix := freshPrefix()
	store := newStore(b, client, ratelimitredis.Config{Prefix: prefix})
	limiter := func(name string, store ratelimit.Store) *ratelimit.Limiter {
		l, err := ratelimit.New(ratelimit.Config{Name: name, Limit: ratelimit.Limit{Rate: 1e6, Burst: 1e9}, Store: store})
		if err != nil {
			b.Fatal(err)
		}
		return l
	}
	breaker, err := ratelimit.NewBreaker(ratelimit.BreakerConfig{Store: store, Timeout: time.Second, Logger: silent})
	if err != nil {
		b.Fatal(err)
	}
	a, c := limiter("a", store), limiter("c", store)
	two, err := ratelimit.All(a, c)
	if err != nil {
		b.Fatal(err)
	}
	guesses := newLockout(b, store, day)
	allow := func(l *ratelimit.Limiter) func(string) error {
		return func(key string) error {
			d, err := l.Allow(ctx, key)
			if err == nil && !d.Allowed {
				err = fmt.Errorf("refused: %+v", d)
			}
			return err
		}
	}
	evalsha := func(digest string, arguments ...any) func(string) error {
		return func(key string) error {
			return client.EvalSha(ctx, digest, []string{prefix + key}, arguments...).Err()
		}
	}
	for _, bench := range []struct {
		name string
		call func(key string) error
	}{
		{"EVALSHA of nothing", evalsha(nothing)},
		{"EVALSHA of the arithmetic", evalsha(gcra, 1, int64(1e15))},
		{"limit", allow(a)},
		{"limit behind a Breaker", allow(limiter("broken", breaker))},
		{"two limits", allow(two)},
		{"lockout: status", func(key string) error {
			_, _, err := guesses.Status(ctx, key)
			return err
		}},
		{"lockout: right guess", func(key string) error {
			_, err := guesses.Attempt(ctx, key, func(context.Context) (bool, error) { return true, nil })
			return err
		}},
	} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d callers", bench.name, callers), func(b *testing.B) { measure(b, callers, bench.call) })
		}
	}
}

// measure reports calls per second, and how long they take.
func measure(b *testing.B, callers int, call func(key string) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	took := make([]time.Duration, b.N)
	b.ResetTimer()
	for caller := range callers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				start := time.Now()
				if err := call(fmt.Sprintf("%d-%d", caller, i%100)); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64(took[b.N/2])/1e3, "µs-median")
	b.ReportMetric(float64(took[b.N*99/100])/1e3, "µs-p99")
}
