package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-chi/httprate"
	httprateredis "github.com/go-chi/httprate-redis"
	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimitredis"
)

// redisLimits is the contest of limits that several machines share.
func redisLimits() []contest {
	return []contest{{
		id: "redis/limit", title: "A limiter's decision in Redis", per: "decision", remote: true,
		note: "CPU time of the caller and of the server together: one Redis server on loopback for all, 64 callers, 1,000 keys. All are on go-redis. *Nothing* is a bare round trip, for comparison. *Time* is the time that passes, divided by the number of decisions.",
		contenders: []contender{
			{name: "EVALSHA of the same arithmetic alone", kind: floor, setup: onRedis(bareScript)},
			{name: "EVALSHA of nothing", kind: floor, setup: onRedis(bareTrip)},
			{name: "gatehouse", kind: ours, setup: onRedis(redisGatehouse)},
			{name: "redis_rate", kind: peer, setup: onRedis(redisRate)},
			{name: "httprate-redis", kind: peer, setup: onRedis(redisHTTPRate)},
		},
	}}
}

// callers ask at the same time.
const callers = 64

// onRedis measures a limiter in Redis. Server and caller count together.
func onRedis(make func(*redis.Client) (func(ctx context.Context, key string) (bool, error), error)) func(*world) (op, error) {
	return func(w *world) (op, error) {
		addr, err := os.ReadFile(filepath.Join(w.dir, "redis"))
		if err != nil {
			return nil, errors.New("redis-server is not installed")
		}
		ctx := context.Background()
		options := &redis.Options{Addr: string(addr), PoolSize: callers, ContextTimeoutEnabled: true}
		client := redis.NewClient(options)
		monitor := redis.NewClient(&redis.Options{Addr: string(addr)})
		allow, err := make(client)
		if err != nil {
			return nil, err
		}
		w.others = func() time.Duration {
			used, err := redisCPU(ctx, monitor)
			if err != nil {
				log.Fatal(err)
			}
			return used
		}
		keys := addresses(1000)
		var next atomic.Int64
		return together(callers, func(_, times int) error {
			for range times {
				ok, err := allow(ctx, keys[next.Add(1)%int64(len(keys))])
				if err != nil {
					return err
				}
				if !ok {
					return errors.New("refused")
				}
			}
			return nil
		}), nil
	}
}

// redisCPU is the CPU time that the server has used.
func redisCPU(ctx context.Context, client *redis.Client) (time.Duration, error) {
	info, err := client.Info(ctx, "cpu").Result()
	if err != nil {
		return 0, err
	}
	var sum float64
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, err
			}
			sum += seconds
		}
	}
	return time.Duration(sum * 1e9), nil
}

// gcraScript is the floor: the same arithmetic and nothing else. It keeps when
// the debt will have melted, in microseconds, and expires with it.
const gcraScript = `
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local full = tonumber(redis.call('GET', KEYS[1]) or 0)
local debt = math.max(0, full - now)
local cost, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
if debt + cost > tolerance then
	return {0, debt}
end
debt = debt + cost
redis.call('SET', KEYS[1], string.format('%.0f', now + debt), 'PX', math.ceil(debt / 1000) + 1)
return {1, debt}`

func bareScript(client *redis.Client) (func(context.Context, string) (bool, error), error) {
	sha, err := client.ScriptLoad(context.Background(), gcraScript).Result()
	return func(ctx context.Context, key string) (bool, error) {
		answer, err := client.EvalSha(ctx, sha, []string{"floor:" + key}, every.Microseconds()/int64(burstFor(1000)), every.Microseconds()).Int64Slice()
		return err == nil && answer[0] == 1, err
	}, err
}

func bareTrip(client *redis.Client) (func(context.Context, string) (bool, error), error) {
	sha, err := client.ScriptLoad(context.Background(), "return 1").Result()
	return func(ctx context.Context, key string) (bool, error) {
		answer, err := client.EvalSha(ctx, sha, []string{"floor:" + key}).Int64()
		return answer == 1, err
	}, err
}

func redisGatehouse(client *redis.Client) (func(context.Context, string) (bool, error), error) {
	store, err := ratelimitredis.New(client, ratelimitredis.Config{})
	if err != nil {
		return nil, err
	}
	l, err := ratelimit.New(ratelimit.Config{Name: "p", Limit: ratelimit.Per(burstFor(1000), every), Store: store})
	return func(ctx context.Context, key string) (bool, error) {
		d, err := l.Allow(ctx, key)
		return d.Allowed, err
	}, err
}

func redisRate(client *redis.Client) (func(context.Context, string) (bool, error), error) {
	l := redis_rate.NewLimiter(client)
	limit := redis_rate.Limit{Rate: burstFor(1000), Burst: burstFor(1000), Period: every}
	return func(ctx context.Context, key string) (bool, error) {
		r, err := l.Allow(ctx, key, limit)
		return err == nil && r.Allowed == 1, err
	}, nil
}

func redisHTTPRate(client *redis.Client) (func(context.Context, string) (bool, error), error) {
	counter, err := httprateredis.NewRedisLimitCounter(&httprateredis.Config{Client: client, WindowLength: every, FallbackDisabled: true})
	if err != nil {
		return nil, err
	}
	l := httprate.NewRateLimiter(burstFor(1000), every, httprate.WithLimitCounter(counter))
	return func(ctx context.Context, key string) (bool, error) {
		r := bearer("").WithContext(ctx)
		return !l.OnLimit(&blank{http.Header{}}, r, key), nil
	}, nil
}

// startRedis starts a server of our own for this run, if there is one to start,
// and returns what ends it.
func startRedis(w *world) (stop func()) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return func() {}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return func() {}
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	cmd := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", w.dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		log.Print(err)
		return func() {}
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			break
		}
	}
	go io.Copy(io.Discard, out)
	if err := os.WriteFile(filepath.Join(w.dir, "redis"), fmt.Append(nil, "127.0.0.1:", port), 0o600); err != nil {
		log.Print(err)
	}
	return func() { cmd.Process.Kill(); cmd.Wait() }
}
