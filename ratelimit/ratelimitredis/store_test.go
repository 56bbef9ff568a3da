package ratelimitredis_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout/lockouttest"
	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimitredis"
	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimittest"
)

func TestStore(t *testing.T) {
	client := anyServer(t).client(t)
	c := newClock(client)
	open := func(t testing.TB) *ratelimitredis.Store {
		s := newStore(t, client, ratelimitredis.Config{})
		s.ReadClock(c.key)
		return s
	}
	t.Run("limits", func(t *testing.T) {
		ratelimittest.Run(t, func(t testing.TB) ratelimit.Store { return open(t) }, c.advance)
	})
	t.Run("lockouts", func(t *testing.T) {
		lockouttest.Run(t, func(t testing.TB) lockout.Store { return open(t) }, c.advance)
	})
	t.Run("RL-26 apart", func(t *testing.T) { apart(t, open(t)) })
}

func TestStoreByTheServersClock(t *testing.T) {
	t.Parallel()
	client := anyServer(t).client(t)
	t.Run("limits", func(t *testing.T) {
		ratelimittest.Run(t, func(t testing.TB) ratelimit.Store { return newStore(t, client, ratelimitredis.Config{}) }, time.Sleep)
	})
	t.Run("lockouts", func(t *testing.T) {
		lockouttest.Run(t, func(t testing.TB) lockout.Store { return newStore(t, client, ratelimitredis.Config{}) }, time.Sleep)
	})
}

func cell(key string, cost, burst int) ratelimit.Cell {
	return ratelimit.Cell{Policy: "p", Key: key, Cost: time.Duration(cost) * time.Hour, Interval: time.Hour, Tolerance: time.Duration(burst) * time.Hour}
}

func entry(key string, op lockout.Op, receipt uint64) lockout.Entry {
	return lockout.Entry{Name: "p", Key: key, Op: op, Receipt: receipt, Tries: 5, Window: 24 * time.Hour, Block: 24 * time.Hour}
}

var receipts atomic.Uint64

// both charges a bucket and a log of key, and reports the errors.
func both(s *ratelimitredis.Store, key string) (take, apply error) {
	_, take = s.Take(context.Background(), []ratelimit.Cell{cell(key, 1, 5)})
	_, _, apply = s.Apply(context.Background(), entry(key, lockout.OpCharge, receipts.Add(1)))
	return take, apply
}

// apart proves that a limit and a lockout of one name and key have nothing in
// common.
func apart(t *testing.T, s *ratelimitredis.Store) {
	apply := func(name string, op lockout.Op, receipt uint64, charges int) {
		t.Helper()
		e := entry("k", op, receipt)
		e.Name = name
		if n, _, err := s.Apply(t.Context(), e); n != charges || err != nil {
			t.Errorf("op %d: %d charges, %v; want %d", op, n, err, charges)
		}
	}
	for i := range 5 {
		apply("p", lockout.OpCharge, uint64(i), i+1)
	}
	apply("q", lockout.OpPeek, 0, 0)
	cells := []ratelimit.Cell{cell("k", 5, 5)}
	if ok, err := s.Take(t.Context(), cells); !ok || cells[0].Debt != cells[0].Tolerance || err != nil {
		t.Errorf("a lockout has charged a bucket: %v, %v, %v", ok, cells[0].Debt, err)
	}
	apply("p", lockout.OpPeek, 0, 5)
	apply("p", lockout.OpClear, 0, 0)
	if ok, err := s.Take(t.Context(), []ratelimit.Cell{cell("k", 1, 5)}); ok || err != nil {
		t.Errorf("clearing a lockout has cleared a bucket: %v, %v", ok, err)
	}
}

func TestConfig(t *testing.T) {
	good := redis.NewClient(options("127.0.0.1:1"))
	defer good.Close()
	deaf := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer deaf.Close()
	ring := redis.NewRing(&redis.RingOptions{})
	defer ring.Close()
	for name, test := range map[string]struct {
		client redis.UniversalClient
		config ratelimitredis.Config
		want   string // in the error; "" for none
	}{
		"zero Config":              {good, ratelimitredis.Config{}, ""},
		"XX-01 no client":          {nil, ratelimitredis.Config{}, "client"},
		"XX-01 nil client":         {(*redis.Client)(nil), ratelimitredis.Config{}, "client"},
		"XX-01 nil cluster":        {(*redis.ClusterClient)(nil), ratelimitredis.Config{}, "client"},
		"client without deadlines": {deaf, ratelimitredis.Config{}, "ContextTimeoutEnabled"},
		"ring":                     {ring, ratelimitredis.Config{}, "Ring"},
		"prefix with a slot":       {good, ratelimitredis.Config{Prefix: "a{b}"}, "Prefix"},
		"timeout":                  {good, ratelimitredis.Config{Timeout: -1}, "Timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ratelimitredis.New(test.client, test.config)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v; want %q", err, test.want)
			}
		})
	}
	_, err := ratelimitredis.New(deaf, ratelimitredis.Config{Prefix: "{", Timeout: -1})
	for _, word := range []string{"ContextTimeoutEnabled", "Prefix", "Timeout"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v; want every mistake, %s too", err, word)
		}
	}
	if take, apply := both(new(ratelimitredis.Store), "k"); take == nil || apply == nil {
		t.Error("XX-01 the zero Store answers")
	}
}

// What the store can't know, it doesn't answer.
func TestFailures(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(t *testing.T, s *server, c *redis.Client, prefix string){
		"LO-16 server is gone": func(_ *testing.T, s *server, _ *redis.Client, _ string) { s.kill() },
		"LO-16 full server": func(t *testing.T, _ *server, c *redis.Client, _ string) {
			c.ConfigSet(t.Context(), "maxmemory", "1")
		},
		"LO-16 replica": func(t *testing.T, _ *server, c *redis.Client, _ string) {
			c.ConfigSet(t.Context(), "replica-serve-stale-data", "yes")
			c.ReplicaOf(t.Context(), "127.0.0.1", "1")
		},
		"LO-16 wrong type": func(t *testing.T, _ *server, c *redis.Client, prefix string) {
			for _, k := range keysOf(t, c, prefix) {
				c.Del(t.Context(), k)
				c.LPush(t.Context(), k, "x")
			}
		},
		"LO-33 not a value": func(t *testing.T, _ *server, c *redis.Client, prefix string) {
			for _, k := range keysOf(t, c, prefix) {
				c.Set(t.Context(), k, "9223372036854775807", 0)
			}
		},
		"LO-33 an extension": func(t *testing.T, _ *server, c *redis.Client, prefix string) {
			for _, k := range keysOf(t, c, prefix) {
				c.Set(t.Context(), k, "\x81\x00"+c.Get(t.Context(), k).Val()[1:], 0)
			}
		},
		"LO-33 another format": func(t *testing.T, _ *server, c *redis.Client, prefix string) {
			for _, k := range keysOf(t, c, prefix) {
				c.SetRange(t.Context(), k, 0, "\x02")
			}
		},
		"LO-33 too long": func(t *testing.T, _ *server, c *redis.Client, prefix string) {
			for _, k := range keysOf(t, c, prefix) {
				c.Append(t.Context(), k, "x")
			}
		},
		"LO-33 cut short": func(t *testing.T, _ *server, c *redis.Client, prefix string) {
			for _, k := range keysOf(t, c, prefix) {
				v := c.Get(t.Context(), k).Val()
				c.Set(t.Context(), k, v[:len(v)-1], 0)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			client := s.client(t)
			prefix := freshPrefix()
			store := newStore(t, client, ratelimitredis.Config{Prefix: prefix})
			if take, apply := both(store, "k"); take != nil || apply != nil {
				t.Fatal(take, apply)
			}
			harm(t, s, client, prefix)
			if take, apply := both(store, "k"); take == nil || apply == nil {
				t.Errorf("Take: %v, Apply: %v; want errors", take, apply)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	client := anyServer(t).client(t)
	prefix := freshPrefix()
	store := newStore(t, client, ratelimitredis.Config{Prefix: prefix})
	for _, key := range []string{"ann@example.com", "b\x00ob"} {
		if take, apply := both(store, key); take != nil || apply != nil {
			t.Fatal(take, apply)
		}
	}
	for _, op := range []lockout.Op{lockout.OpRefund, lockout.OpPeek} {
		if _, _, err := store.Apply(t.Context(), entry("other", op, 1)); err != nil {
			t.Fatal(err)
		}
	}
	keys := keysOf(t, client, prefix)
	if len(keys) != 4 {
		t.Errorf("%d keys, want 4: %q", len(keys), keys)
	}
	for _, k := range keys {
		if strings.Contains(k, "ann@") || strings.Contains(k, "\x00") {
			t.Errorf("key in plain text: %q", k)
		}
		if ttl := client.PTTL(t.Context(), k).Val(); ttl <= 0 || ttl > 24*time.Hour+time.Second {
			t.Errorf("LO-19 %s expires in %v", k, ttl)
		}
	}
	for _, key := range []string{"ann@example.com", "b\x00ob"} {
		if _, _, err := store.Apply(t.Context(), entry(key, lockout.OpClear, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if keys := keysOf(t, client, prefix); len(keys) != 2 {
		t.Errorf("%d keys after the logs were cleared, want 2", len(keys))
	}
}

// TestRecorded reads what commit afa7238 wrote, before there was a release: three
// charges, a minute apart. All later versions read it, under the same name.
func TestRecorded(t *testing.T) {
	text, err := os.ReadFile("testdata/record-1.txt")
	if err != nil {
		t.Fatal(err)
	}
	name, digits, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	value, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	client, prefix := anyServer(t).client(t), freshPrefix()
	store, clock := newStore(t, client, ratelimitredis.Config{Prefix: prefix}), newClock(client)
	store.ReadClock(clock.key)
	if err := client.Set(t.Context(), prefix+name, value, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	clock.advance(2*time.Minute + time.Hour) // the last charge, and an hour
	apply := func(op lockout.Op, receipt uint64, tries, charges int, wait time.Duration) {
		t.Helper()
		n, w, err := store.Apply(t.Context(), lockout.Entry{
			Name: "recovery", Key: "ann@example.com", Op: op, Receipt: receipt, Tries: tries, Window: day, Block: day,
		})
		if n != charges || w != wait || err != nil {
			t.Errorf("op %d: %d charges, %v, %v; want %d, %v", op, n, w, err, charges, wait)
		}
	}
	apply(lockout.OpPeek, 0, 5, 3, 0)
	apply(lockout.OpPeek, 0, 3, 3, 23*time.Hour)
	apply(lockout.OpCharge, 4, 5, 4, 0)
	if after, err := client.Get(t.Context(), prefix+name).Result(); err != nil || !strings.HasPrefix(after, string(value)) {
		t.Errorf("%x became %x, %v", value, after, err)
	}
	apply(lockout.OpRefund, 1<<64-1, 5, 3, 0)
}

func TestScriptsAreSentAgain(t *testing.T) {
	client := newServer(t).client(t)
	store := newStore(t, client, ratelimitredis.Config{})
	for range 3 {
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if take, apply := both(store, "k"); take != nil || apply != nil {
			t.Error(take, apply)
		}
	}
	if n, _, err := store.Apply(t.Context(), entry("k", lockout.OpPeek, 0)); n != 3 || err != nil {
		t.Errorf("%d charges, %v; want 3", n, err)
	}
}

func TestContexts(t *testing.T) {
	client := anyServer(t).client(t)
	store := newStore(t, client, ratelimitredis.Config{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Take(ended, []ratelimit.Cell{cell("k", 1, 5)}); !errors.Is(err, context.Canceled) {
		t.Errorf("Take: %v", err)
	}
	if _, _, err := store.Apply(ended, entry("k", lockout.OpPeek, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("Apply: %v", err)
	}
	if _, _, err := store.Apply(t.Context(), entry("k", 0, 0)); err == nil {
		t.Error("Apply of no operation")
	}
}

// The server's wall clock is set: RL-18.
func TestClockIsSet(t *testing.T) {
	client := anyServer(t).client(t)
	setup := func(t *testing.T) (*ratelimitredis.Store, *clock) {
		s, c := newStore(t, client, ratelimitredis.Config{}), newClock(client)
		s.ReadClock(c.key)
		return s, c
	}
	take := func(t *testing.T, s ratelimit.Store, want bool) {
		t.Helper()
		ok, err := s.Take(t.Context(), []ratelimit.Cell{{Policy: "p", Key: "k", Cost: time.Minute, Interval: time.Minute, Tolerance: 3 * time.Minute}})
		if err != nil || ok != want {
			t.Errorf("Take: %v, %v; want %v", ok, err, want)
		}
	}
	charge := func(t *testing.T, s lockout.Store, receipt uint64, charges int, wait time.Duration) {
		t.Helper()
		n, w, err := s.Apply(t.Context(), entry("k", lockout.OpCharge, receipt))
		if err != nil || n != charges || w != wait {
			t.Errorf("Apply: %d, %v, %v; want %d, %v", n, w, err, charges, wait)
		}
	}
	t.Run("RL-18 back: a bucket goes on from there", func(t *testing.T) {
		s, c := setup(t)
		for range 3 {
			take(t, s, true)
		}
		c.advance(-time.Hour)
		take(t, s, false)
		c.advance(time.Minute - 1)
		take(t, s, false)
		c.advance(1)
		take(t, s, true)
		take(t, s, false)
	})
	t.Run("RL-18 forward: a bucket fills once", func(t *testing.T) {
		s, c := setup(t)
		for range 3 {
			take(t, s, true)
		}
		c.advance(time.Hour)
		for range 3 {
			take(t, s, true)
		}
		take(t, s, false)
	})
	t.Run("RL-18 back: a block goes on from there", func(t *testing.T) {
		s, c := setup(t)
		for i := range 5 {
			c.advance(time.Minute)
			charge(t, s, uint64(i), i+1, 0)
		}
		c.advance(-time.Hour)
		charge(t, s, 9, 5, 24*time.Hour)
		c.advance(24*time.Hour - 1)
		charge(t, s, 9, 5, 1)
		c.advance(1)
		charge(t, s, 9, 1, 0)
	})
}

func TestCheck(t *testing.T) {
	client := newServer(t).client(t)
	store := newStore(t, client, ratelimitredis.Config{})
	if err := store.Check(t.Context()); !errors.Is(err, ratelimitredis.ErrForgets) || errors.Is(err, ratelimitredis.ErrEvicts) {
		t.Errorf("a server without append-only file: %v", err)
	}
	client.ConfigSet(t.Context(), "appendonly", "yes")
	if err := store.Check(t.Context()); err != nil {
		t.Error(err)
	}
	client.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru")
	if err := store.Check(t.Context()); !errors.Is(err, ratelimitredis.ErrEvicts) || errors.Is(err, ratelimitredis.ErrForgets) {
		t.Errorf("LO-20 a server that evicts: %v", err)
	}
	if err := new(ratelimitredis.Store).Check(t.Context()); err == nil {
		t.Error("the zero Store is well")
	}
}

// newCluster starts two servers, each with half of the slots.
func newCluster(t *testing.T) *redis.ClusterClient {
	t.Helper()
	a := newServer(t, "--cluster-enabled", "yes", "--appendonly", "yes")
	b := newServer(t, "--cluster-enabled", "yes", "--appendonly", "yes")
	host, port, err := net.SplitHostPort(b.address)
	if err != nil {
		t.Fatal(err)
	}
	ca, cb := a.client(t), b.client(t)
	for _, err := range []error{
		ca.ClusterAddSlotsRange(t.Context(), 0, 8191).Err(),
		cb.ClusterAddSlotsRange(t.Context(), 8192, 16383).Err(),
		ca.ClusterMeet(t.Context(), host, port).Err(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		if strings.Contains(ca.ClusterInfo(t.Context()).Val()+cb.ClusterInfo(t.Context()).Val(), "cluster_state:fail") {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{a.address}, ContextTimeoutEnabled: true})
		t.Cleanup(func() { client.Close() })
		return client
	}
	t.Fatal("the servers don't find together")
	return nil
}

func TestCluster(t *testing.T) {
	client := newCluster(t)
	byKey := newStore(t, client, ratelimitredis.Config{})
	oneSlot := newStore(t, client, ratelimitredis.Config{OneSlot: true})
	for _, s := range []*ratelimitredis.Store{byKey, oneSlot} {
		for i := range 20 {
			if take, apply := both(s, fmt.Sprint(i)); take != nil || apply != nil {
				t.Error(take, apply)
			}
		}
		hour := cell("same", 1, 5)
		hour.Policy = "hour"
		if ok, err := s.Take(t.Context(), []ratelimit.Cell{cell("same", 5, 5), hour}); !ok || err != nil {
			t.Errorf("two limits of one key: %v, %v", ok, err)
		}
		if ok, err := s.Take(t.Context(), []ratelimit.Cell{hour}); !ok || err != nil {
			t.Errorf("a limit was charged for another: %v, %v", ok, err)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	two := []ratelimit.Cell{cell("address", 1, 5), cell("account", 1, 5)}
	if ok, err := byKey.Take(t.Context(), two); ok || err == nil || !strings.Contains(err.Error(), "OneSlot") {
		t.Errorf("limits in two slots: %v, %v", ok, err)
	}
	if ok, err := oneSlot.Take(t.Context(), two); !ok || err != nil {
		t.Errorf("limits in one slot: %v, %v", ok, err)
	}
}
