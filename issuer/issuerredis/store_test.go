package issuerredis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuerredis"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	at := shared(t)
	issuertest.Run(t, func(t testing.TB) issuer.Store { return open(t, dial(t, at), issuerredis.Config{}) })
}

func TestCluster(t *testing.T) {
	t.Parallel()
	one, two := cluster(t)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{one, two}, ContextTimeoutEnabled: true})
	t.Cleanup(func() { client.Close() })
	issuertest.Run(t, func(t testing.TB) issuer.Store { return open(t, client, issuerredis.Config{}) })
}

// cluster starts two servers that share the slots.
func cluster(t *testing.T) (string, string) {
	t.Helper()
	var servers []string
	for i := range 2 {
		at := serve(t, "--cluster-enabled", "yes", "--appendonly", "yes", "--appendfsync", "everysec")
		c := dial(t, at)
		if err := c.ClusterAddSlotsRange(t.Context(), i*8192, i*8192+8191).Err(); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			// Epochs that differ need no election.
			if err := c.Do(t.Context(), "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
				t.Fatal(err)
			}
			host, port, _ := net.SplitHostPort(servers[0])
			if err := c.ClusterMeet(t.Context(), host, port).Err(); err != nil {
				t.Fatal(err)
			}
		}
		servers = append(servers, at)
	}
	for _, at := range servers {
		for {
			info, err := dial(t, at).ClusterInfo(t.Context()).Result()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:2") {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return servers[0], servers[1]
}

// now is the server's time.
func now(t *testing.T, s *issuerredis.Store) time.Time {
	t.Helper()
	_, now, err := s.Load(t.Context(), "nobody's")
	if err != nil {
		t.Fatal(err)
	}
	return now
}

func swap(t *testing.T, s *issuerredis.Store, r issuer.Record) {
	t.Helper()
	if swapped, err := s.Swap(t.Context(), r); err != nil || !swapped {
		t.Fatalf("Swap: %v, %v", swapped, err)
	}
}

// newPrefix is for keys that nobody else has on the shared server.
func newPrefix() string { return fmt.Sprintf("%d:", prefixes.Add(1)) }

var prefixes atomic.Int64

// TestRoundTrips counts the commands that each call sends.
func TestRoundTrips(t *testing.T) {
	prefix := newPrefix()
	client := dial(t, shared(t))
	s := open(t, client, issuerredis.Config{Prefix: prefix})
	r := issuer.Record{Session: "s", Subject: "alice", Version: 1, Expiry: now(t, s).Add(time.Hour), Data: []byte("data")}
	swap(t, s, r) // the scripts are known from here on
	var sent atomic.Int64
	client.AddHook(counter{&sent})
	for _, row := range []struct {
		name  string
		life  time.Duration
		trips int64
	}{
		{"a refresh", time.Hour, 1},
		{"for a little longer", 90 * time.Minute, 1},
		{"for longer than it is listed", 3 * time.Hour, 3},
		{"and again", 3 * time.Hour, 1},
	} {
		r.Version, r.Expiry = r.Version+1, now(t, s).Add(row.life)
		sent.Store(0)
		swap(t, s, r)
		if sent.Load() != row.trips {
			t.Errorf("%s: %d round trips, want %d", row.name, sent.Load(), row.trips)
		}
	}
	sent.Store(0)
	if _, _, err := s.Load(t.Context(), "s"); err != nil || sent.Load() != 1 {
		t.Errorf("Load: %d round trips, %v", sent.Load(), err)
	}
}

type counter struct{ n *atomic.Int64 }

func (c counter) DialHook(next redis.DialHook) redis.DialHook { return next }
func (c counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmd)
	}
}
func (c counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmds)
	}
}

// TestScriptsForgotten empties the server's script cache, as a restart does.
func TestScriptsForgotten(t *testing.T) {
	client := dial(t, serve(t))
	s := open(t, client, issuerredis.Config{})
	r := issuer.Record{Session: "s", Subject: "alice", Version: 1, Expiry: now(t, s).Add(time.Hour)}
	for ; r.Version < 4; r.Version++ {
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		swap(t, s, r)
	}
}

// TestKeys looks at what stands in the server.
func TestKeys(t *testing.T) {
	client := dial(t, serve(t))
	s := open(t, client, issuerredis.Config{Prefix: "app:"})
	subject := "alice@example.org"
	expiry := now(t, s).Add(time.Hour)
	swap(t, s, issuer.Record{Session: "one", Subject: subject, Version: 1, Expiry: expiry})
	swap(t, s, issuer.Record{Session: "two", Subject: subject, Version: 1, Expiry: expiry.Add(time.Hour)})
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 3 {
		t.Fatalf("keys %q, %v", keys, err)
	}
	for _, key := range keys {
		if strings.Contains(key, "alice") || !strings.HasPrefix(key, "app:") {
			t.Errorf("key %q", key)
		}
		ttl, err := client.PTTL(t.Context(), key).Result()
		if err != nil || ttl <= 0 {
			t.Errorf("%q lives %v, %v", key, ttl, err)
		}
		if strings.HasPrefix(key, "app:u:") && ttl < 24*time.Hour+3*time.Hour-time.Minute {
			t.Errorf("the list lives %v, and a session may live longer", ttl)
		}
	}
	at, err := client.PExpireTime(t.Context(), "app:s:one").Result()
	if err != nil || at.Milliseconds() != expiry.UnixMilli() {
		t.Errorf("the record expires at %v, %v", at, err)
	}
}

// TestNobodysRecords keeps what is no subject's, as package recovery does: it
// leaves nothing behind, and List finds it all the same.
func TestNobodysRecords(t *testing.T) {
	client := dial(t, serve(t))
	s := open(t, client, issuerredis.Config{})
	r := issuer.Record{Session: "recovery-0123456789012345678901", Version: 1, Data: []byte("data")}
	r.Subject = r.Session
	var sent atomic.Int64
	now(t, s)
	client.AddHook(counter{&sent})
	for ; r.Version <= 3; r.Version++ {
		r.Expiry = now(t, s).Add(time.Duration(r.Version) * time.Minute)
		if r.Version == 3 {
			sent.Store(0)
		}
		swap(t, s, r)
		if r.Version == 3 && sent.Load() != 1 {
			t.Errorf("%d round trips", sent.Load())
		}
		got, err := s.List(t.Context(), r.Subject)
		if err != nil || len(got) != 1 || got[0].Version != r.Version || !got[0].Expiry.Equal(r.Expiry.Truncate(time.Millisecond)) {
			t.Errorf("listed: %v, %v", got, err)
		}
	}
	r.Version = 3
	if swapped, err := s.Swap(t.Context(), r); swapped || err != nil {
		t.Errorf("an old version: %v, %v", swapped, err)
	}
	if keys, err := client.Keys(t.Context(), "*").Result(); err != nil || len(keys) != 1 {
		t.Errorf("keys %q, %v", keys, err)
	}
	// Another subject's session of that name is not it.
	swap(t, s, issuer.Record{Session: "alice", Subject: "bob", Version: 1, Expiry: r.Expiry})
	if got, err := s.List(t.Context(), "alice"); err != nil || len(got) != 0 {
		t.Errorf("listed: %v, %v", got, err)
	}
}

// TestListForgets shows that a subject's list doesn't grow for ever, and that it
// keeps what may still live.
func TestListForgets(t *testing.T) {
	client := dial(t, serve(t))
	s := open(t, client, issuerredis.Config{})
	swap(t, s, issuer.Record{Session: "live", Subject: "alice", Version: 1, Expiry: now(t, s).Add(time.Hour)})
	keys, err := client.Keys(t.Context(), "gatehouse:u:*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys %q, %v", keys, err)
	}
	for session, age := range map[string]time.Duration{"long gone": 25 * time.Hour, "another clock's": 23 * time.Hour} {
		score := float64(now(t, s).Add(-age).UnixMilli())
		if err := client.ZAdd(t.Context(), keys[0], redis.Z{Score: score, Member: session}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	swap(t, s, issuer.Record{Session: "new", Subject: "alice", Version: 1, Expiry: now(t, s).Add(time.Minute)})
	left, err := client.ZRange(t.Context(), keys[0], 0, -1).Result()
	if got := strings.Join(left, ", "); err != nil || got != "another clock's, new, live" {
		t.Errorf("listed: %s, %v", got, err)
	}
	if records, err := s.List(t.Context(), "alice"); err != nil || len(records) != 2 {
		t.Errorf("%d sessions, %v", len(records), err)
	}
}

// TestLoserShortensNothing: whoever loses the race for a session has listed it
// before, for less long than the winner needs.
func TestLoserShortensNothing(t *testing.T) {
	prefix := newPrefix()
	client := dial(t, shared(t))
	s := open(t, client, issuerredis.Config{Prefix: prefix})
	r := issuer.Record{Session: "s", Subject: "alice", Version: 1, Expiry: now(t, s).Add(time.Hour)}
	swap(t, s, r)
	keys, err := client.Keys(t.Context(), prefix+"u:*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys %q, %v", keys, err)
	}
	before := client.ZScore(t.Context(), keys[0], "s").Val()
	r.Expiry = now(t, s).Add(time.Minute)
	if swapped, err := s.Swap(t.Context(), r); err != nil || swapped {
		t.Fatalf("Swap: %v, %v", swapped, err)
	}
	if after := client.ZScore(t.Context(), keys[0], "s").Val(); before == 0 || after != before {
		t.Errorf("listed until %.0f, then until %.0f", before, after)
	}
}

// TestListOfMany needs more than one page.
func TestListOfMany(t *testing.T) {
	prefix := newPrefix()
	s := open(t, dial(t, shared(t)), issuerredis.Config{Prefix: prefix})
	expiry := now(t, s).Add(time.Hour)
	for i := range 250 {
		swap(t, s, issuer.Record{Session: strings.Repeat("x", 1+i), Subject: "alice", Version: 1, Expiry: expiry})
	}
	if records, err := s.List(t.Context(), "alice"); err != nil || len(records) != 250 {
		t.Errorf("%d sessions, %v", len(records), err)
	}
}

// TestLostList: an index that is lost with its key is written anew when the next
// session is issued, and sessions are refreshed without it.
func TestLostList(t *testing.T) {
	client := dial(t, serve(t))
	s := open(t, client, issuerredis.Config{})
	r := issuer.Record{Session: "s", Subject: "alice", Version: 1, Expiry: now(t, s).Add(time.Hour)}
	swap(t, s, r)
	keys, _ := client.Keys(t.Context(), "gatehouse:u:*").Result()
	if err := client.Del(t.Context(), keys...).Err(); err != nil {
		t.Fatal(err)
	}
	r.Version = 2
	swap(t, s, r)
}

// TestDamaged has values that are none of ours.
func TestDamaged(t *testing.T) {
	client := dial(t, serve(t))
	s := open(t, client, issuerredis.Config{})
	expiry := now(t, s).Add(time.Hour)
	good := issuer.Record{Session: "good", Subject: "alice", Version: 1, Expiry: expiry, Data: []byte("data")}
	swap(t, s, good)
	whole, err := client.Get(t.Context(), "gatehouse:s:good").Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string][]byte{
		"empty":           {},
		"cut in the head": whole[:20],
		"cut in subject":  whole[:29],
		"another format":  append([]byte{2}, whole[1:]...),
		"version 0":       append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0}, whole[9:]...),
		"text":            []byte("something else of somebody else's"),
	} {
		t.Run(name, func(t *testing.T) {
			r := issuer.Record{Session: "bad", Subject: "alice", Version: 1, Expiry: expiry}
			client.Del(t.Context(), "gatehouse:s:bad")
			swap(t, s, r)
			if err := client.Set(t.Context(), "gatehouse:s:bad", value, 0).Err(); err != nil {
				t.Fatal(err)
			}
			if got, _, err := s.Load(t.Context(), "bad"); err == nil {
				t.Errorf("Load: %v", got)
			}
			r.Version = 2
			if swapped, err := s.Swap(t.Context(), r); swapped {
				t.Errorf("Swap over it: %v, %v", swapped, err)
			}
			records, err := s.List(t.Context(), "alice")
			if err != nil || len(records) != 2 {
				t.Errorf("List: %v, %v", records, err)
			}
			for _, r := range records {
				if r.Session == "good" && !bytes.Equal(r.Data, good.Data) {
					t.Errorf("List: %v", r)
				}
			}
		})
	}
	t.Run("another type", func(t *testing.T) {
		client.Del(t.Context(), "gatehouse:s:bad")
		client.HSet(t.Context(), "gatehouse:s:bad", "a", "b")
		if _, _, err := s.Load(t.Context(), "bad"); err == nil {
			t.Error("Load: no error")
		}
		if swapped, err := s.Swap(t.Context(), issuer.Record{Session: "bad", Subject: "alice", Version: 1, Expiry: expiry}); err == nil || swapped {
			t.Errorf("Swap: %v, %v", swapped, err)
		}
	})
}

// TestNoExpiry has a record whose key was made to stay: it is absent all the same.
func TestNoExpiry(t *testing.T) {
	prefix := newPrefix()
	client := dial(t, shared(t))
	s := open(t, client, issuerredis.Config{Prefix: prefix})
	r := issuer.Record{Session: "s", Subject: "alice", Version: 1, Expiry: now(t, s).Add(200 * time.Millisecond)}
	swap(t, s, r)
	if err := client.Persist(t.Context(), prefix+"s:s").Err(); err != nil {
		t.Fatal(err)
	}
	for now(t, s).Before(r.Expiry) {
		time.Sleep(10 * time.Millisecond)
	}
	if got, _, err := s.Load(t.Context(), "s"); err != nil || got.Version != 0 {
		t.Errorf("Load: %v, %v", got, err)
	}
	r.Version = 2
	if swapped, err := s.Swap(t.Context(), r); err != nil || swapped {
		t.Errorf("Swap of what has expired: %v, %v", swapped, err)
	}
	r.Version, r.Expiry = 1, now(t, s).Add(time.Hour)
	swap(t, s, r)
}

// TestFull fills the server's memory. What is there can be read, what can't be
// written is an error, and nothing is lost.
func TestFull(t *testing.T) {
	client := dial(t, serve(t, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction"))
	s := open(t, client, issuerredis.Config{})
	r := issuer.Record{Session: "s", Subject: "alice", Version: 1, Expiry: now(t, s).Add(time.Hour), Data: []byte("data")}
	swap(t, s, r)
	fill(t, client)
	next := r
	next.Version = 2
	swapped, err := s.Swap(t.Context(), next)
	if swapped || !redis.HasErrorPrefix(err, "OOM") {
		t.Errorf("Swap in a full server: %v, %v", swapped, err)
	}
	if got, _, err := s.Load(t.Context(), "s"); err != nil || got.Version != 1 {
		t.Errorf("Load from a full server: %v, %v", got, err)
	}
	if err := client.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	swap(t, s, next)
}

// fill writes until nothing fits any more, however small.
func fill(t *testing.T, client *redis.Client) {
	t.Helper()
	n := 0
	for _, size := range []int{64 << 10, 4 << 10, 256, 1, 1, 1} {
		for client.Set(t.Context(), "fill"+strconv.Itoa(n), make([]byte, size), 0).Err() == nil {
			if n++; n == 100_000 {
				t.Fatal("the server is never full")
			}
		}
	}
}

// TestNotSentTwice breaks the connection after a swap was sent. go-redis would try
// again, and find the version that the first try wrote.
func TestNotSentTwice(t *testing.T) {
	prefix := newPrefix()
	at := shared(t)
	var breaking atomic.Bool
	client := redis.NewClient(&redis.Options{
		Addr: at, ContextTimeoutEnabled: true, MaxRetries: 5,
		Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return &deaf{c, &breaking}, err
		},
	})
	t.Cleanup(func() { client.Close() })
	s := open(t, client, issuerredis.Config{Prefix: prefix})
	r := issuer.Record{Session: "s", Subject: "alice", Version: 1, Expiry: now(t, s).Add(time.Hour)}
	swap(t, s, r)
	r.Version = 2
	breaking.Store(true)
	if swapped, err := s.Swap(t.Context(), r); err == nil {
		t.Errorf("Swap whose answer is lost: %v, no error", swapped)
	}
	breaking.Store(false)
	if got, _, err := s.Load(t.Context(), "s"); err != nil || got.Version != 2 {
		t.Errorf("after it: %v, %v", got, err)
	}
}

// deaf is a connection that ends after one answer that nobody hears.
type deaf struct {
	net.Conn
	breaking *atomic.Bool
}

func (d *deaf) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if err == nil && d.breaking.CompareAndSwap(true, false) {
		d.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

func TestDeadline(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := open(t, dial(t, l.Addr().String()), issuerredis.Config{Timeout: 50 * time.Millisecond})
	if _, _, err := s.Load(context.Background(), "s"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Load from a silent server: %v", err)
	}
}
