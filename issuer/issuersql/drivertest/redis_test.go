package drivertest

import (
	"context"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/issuer/issuerredis"
)

// newRedis starts a Redis for one test, with its defaults but for arguments.
func newRedis(t testing.TB, arguments ...string) *process {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		missing(t, "redis-server", "install a redis package (apt-get install redis-server)")
	}
	p := newProcess(t, program)
	p.arguments = append([]string{"--port", strconv.Itoa(p.port), "--bind", "127.0.0.1", "--dir", p.dir}, arguments...)
	startRedis(t, p)
	return p
}

func startRedis(t testing.TB, p *process) {
	t.Helper()
	p.start(t, func() error {
		c := redis.NewClient(&redis.Options{Addr: p.address(), MaxRetries: -1})
		defer c.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return c.Ping(ctx).Err()
	})
}

// Settings of the two kinds of append-only file.
var (
	always   = []string{"--appendonly", "yes", "--appendfsync", "always"}
	everysec = []string{"--appendonly", "yes", "--appendfsync", "everysec"}
)

func openRedis(t testing.TB, address string, c issuerredis.Config) *issuerredis.Store {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: address, ContextTimeoutEnabled: true})
	t.Cleanup(func() { client.Close() })
	s, err := issuerredis.New(client, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The tests provoke what go-redis logs.
func init() { redis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}
