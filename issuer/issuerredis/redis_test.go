package issuerredis_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/issuer/issuerredis"
)

func TestMain(m *testing.M) {
	code := m.Run()
	started.Lock()
	for _, stop := range started.stop {
		stop()
	}
	started.Unlock()
	os.Exit(code)
}

var started struct {
	sync.Mutex
	stop []func()
}

var (
	oneServer sync.Once
	address   string
)

// shared is the address of one server for all tests that only use it.
func shared(t testing.TB) string {
	t.Helper()
	oneServer.Do(func() { address = serve(t, "--appendonly", "yes", "--appendfsync", "always") })
	if address == "" {
		t.Fatal("the server didn't start")
	}
	return address
}

// serve starts a Redis on a free port, with a directory of its own.
func serve(t testing.TB, arguments ...string) string {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		const advice = "redis-server is missing: install a redis package (apt-get install redis-server)"
		if os.Getenv("GATEHOUSE_REQUIRE_SERVERS") != "" {
			t.Fatal(advice)
		}
		t.Skip(advice)
	}
	dir, err := os.MkdirTemp("", "gatehouse-redis-")
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	c := exec.Command(program, append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1",
		"--dir", dir, "--save", "", "--daemonize", "no"}, arguments...)...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	started.Lock()
	started.stop = append(started.stop, func() {
		c.Process.Kill()
		c.Wait()
		os.RemoveAll(dir)
	})
	started.Unlock()
	at := fmt.Sprintf("127.0.0.1:%d", port)
	client := redis.NewClient(&redis.Options{Addr: at})
	defer client.Close()
	for range 500 {
		if err = client.Ping(context.Background()).Err(); err == nil {
			return at
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("redis-server doesn't answer: %v", err)
	return ""
}

// freePort is one below 50000, because a Cluster's bus is at 10000 more.
func freePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port < 50000 {
			return port
		}
	}
	t.Fatal("no free port below 50000")
	return 0
}

func dial(t testing.TB, at string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: at, ContextTimeoutEnabled: true})
	t.Cleanup(func() { c.Close() })
	return c
}

func open(t testing.TB, client redis.UniversalClient, c issuerredis.Config) *issuerredis.Store {
	t.Helper()
	s, err := issuerredis.New(client, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
