package ratelimitredis_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimitredis"
)

func TestMain(m *testing.M) {
	if os.Getenv(guesserVariable) != "" {
		guesser()
		return
	}
	redis.SetLogger(nobody{})
	code := m.Run()
	if shared.server != nil {
		shared.server.stop()
	}
	os.Exit(code)
}

// nobody is whom go-redis tells of servers that are gone.
type nobody struct{}

func (nobody) Printf(context.Context, string, ...any) {}

// server is a redis-server in a directory and on a port of its own.
type server struct {
	dir, address string
	arguments    []string
	running      *exec.Cmd
}

// shared is the server of all tests that do it no harm.
var shared struct {
	sync.Once
	server *server
}

func anyServer(t testing.TB) *server {
	t.Helper()
	needRedis(t)
	shared.Do(func() { shared.server = launch(t) })
	return shared.server
}

// newServer starts a server that the test may do to as it likes.
func newServer(t testing.TB, arguments ...string) *server {
	t.Helper()
	needRedis(t)
	s := launch(t, arguments...)
	t.Cleanup(s.stop)
	return s
}

func needRedis(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err == nil {
		return
	}
	if os.Getenv("GATEHOUSE_REQUIRE_SERVERS") != "" {
		t.Fatal("redis-server is missing")
	}
	t.Skip("redis-server is missing: install it (Debian: redis-server) to run this test")
}

func launch(t testing.TB, arguments ...string) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "gatehouse-redis-")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	s := &server{dir: dir, address: l.Addr().String()}
	s.arguments = append([]string{"--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--dir", dir, "--save", ""}, arguments...)
	s.start(t)
	return s
}

// start starts the server, again if it was killed, and waits until it answers.
func (s *server) start(t testing.TB) {
	t.Helper()
	c := exec.Command("redis-server", s.arguments...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s.running = c
	client := s.client(t)
	var err error
	for range 500 {
		if err = client.Ping(context.Background()).Err(); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("redis-server doesn't answer: %v", err)
}

func (s *server) signal(signal syscall.Signal) { s.running.Process.Signal(signal) }

// kill is kill -9.
func (s *server) kill() {
	s.running.Process.Kill()
	s.running.Wait()
}

func (s *server) stop() {
	s.kill()
	os.RemoveAll(s.dir)
}

func options(address string) *redis.Options {
	return &redis.Options{Addr: address, ContextTimeoutEnabled: true, DialTimeout: 250 * time.Millisecond}
}

func (s *server) client(t testing.TB) *redis.Client {
	client := redis.NewClient(options(s.address))
	t.Cleanup(func() { client.Close() })
	return client
}

var prefixes atomic.Int64

// freshPrefix is one that no other test has.
func freshPrefix() string { return fmt.Sprintf("test%d:", prefixes.Add(1)) }

func newStore(t testing.TB, client redis.UniversalClient, c ratelimitredis.Config) *ratelimitredis.Store {
	t.Helper()
	if c.Prefix == "" {
		c.Prefix = freshPrefix()
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second // a slow machine is no failure
	}
	s, err := ratelimitredis.New(client, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// clock is a time that stands still in Redis, under a key.
type clock struct {
	client *redis.Client
	key    string
	now    time.Time
}

func newClock(client *redis.Client) *clock {
	c := &clock{client, freshPrefix() + "clock", time.Unix(1_700_000_000, 999_999_990)}
	c.advance(0)
	return c
}

func (c *clock) advance(d time.Duration) {
	c.now = c.now.Add(d)
	if err := c.client.HSet(context.Background(), c.key, "s", c.now.Unix(), "n", c.now.Nanosecond()).Err(); err != nil {
		panic(err)
	}
}

var silent = slog.New(slog.DiscardHandler)

// keysOf lists the keys with a prefix.
func keysOf(t testing.TB, client *redis.Client, prefix string) []string {
	t.Helper()
	all, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, k := range all {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	return keys
}
