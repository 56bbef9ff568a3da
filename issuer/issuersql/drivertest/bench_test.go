package drivertest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuerredis"
	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
)

// benched are the stores to compare, each with the settings that keep what they
// confirm, and the same without where many will use it.
var benched = []struct {
	name string
	open func(b testing.TB) issuer.Store
}{
	{"memory", func(testing.TB) issuer.Store { return issuer.NewMemoryStore() }},
	{"SQLite", func(b testing.TB) issuer.Store {
		s, _ := openSQLite(b, newFile(b), issuersql.Config{})
		return s
	}},
	{"PostgreSQL", func(b testing.TB) issuer.Store {
		s, _ := openPostgres(b, newPostgres(b).address(), issuersql.Config{})
		return s
	}},
	{"Redis always", func(b testing.TB) issuer.Store {
		return openRedis(b, newRedis(b, always...).address(), issuerredis.Config{})
	}},
	{"Redis everysec", func(b testing.TB) issuer.Store {
		return openRedis(b, newRedis(b, everysec...).address(), issuerredis.Config{})
	}},
}

// BenchmarkRefresh refreshes the sessions of 16 clients, each as fast as it gets
// answers. Run all in one go: go test -run '^$' -bench Refresh.
func BenchmarkRefresh(b *testing.B) {
	for _, row := range benched {
		b.Run(row.name, func(b *testing.B) {
			g := local{newNode(b, row.open(b), 0, secret)}
			const parallel = 16
			var held [parallel]string
			for i := range held {
				token, err := g.issue(context.Background())
				if err != nil {
					b.Fatal(err)
				}
				held[i] = token
			}
			took := make([]time.Duration, b.N)
			var next atomic.Int64
			b.ResetTimer()
			var all sync.WaitGroup
			for i := range held {
				all.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						began := time.Now()
						token, err := g.refresh(context.Background(), held[i])
						if err != nil {
							b.Error(err)
							return
						}
						held[i], took[n-1] = token, time.Since(began)
					}
				})
			}
			all.Wait()
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refreshes/s")
			b.ReportMetric(float64(took[b.N/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[b.N*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// TestSize stores as many sessions as GATEHOUSE_SESSIONS says and tells what they
// take up: GATEHOUSE_SESSIONS=1000000 go test -run Size -v -timeout 1h.
func TestSize(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("GATEHOUSE_SESSIONS"))
	if err != nil {
		t.Skip("takes minutes: run with GATEHOUSE_SESSIONS=1000000 and -timeout 1h")
	}
	t.Run("memory", func(t *testing.T) {
		before := heap()
		s := issuer.NewMemoryStore()
		store(t, n, s)
		tell(t, n, heap()-before)
		runtime.KeepAlive(s)
	})
	t.Run("SQLite", func(t *testing.T) {
		file := newFile(t)
		db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
		if err != nil {
			t.Fatal(err)
		}
		store(t, n, opened(t, db, issuersql.Config{Dialect: issuersql.SQLite}))
		do(t, db, `PRAGMA wal_checkpoint(TRUNCATE)`)
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		tell(t, n, info.Size())
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		address := newPostgres(t).address()
		openPostgres(t, address, issuersql.Config{})
		db, err := sql.Open("pgx", dsn(address)+"&synchronous_commit=off")
		if err != nil {
			t.Fatal(err)
		}
		store(t, n, opened(t, db, issuersql.Config{Dialect: issuersql.PostgreSQL}))
		var size int64
		if err := db.QueryRow(`SELECT pg_total_relation_size('gatehouse_sessions')`).Scan(&size); err != nil {
			t.Fatal(err)
		}
		tell(t, n, size)
	})
	t.Run("Redis", func(t *testing.T) {
		address := newRedis(t).address()
		c := redis.NewClient(&redis.Options{Addr: address})
		defer c.Close()
		before := usedMemory(t, c)
		store(t, n, openRedis(t, address, issuerredis.Config{}))
		tell(t, n, usedMemory(t, c)-before)
	})
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func usedMemory(t *testing.T, c *redis.Client) int64 {
	t.Helper()
	m := c.InfoMap(t.Context(), "memory").Val()["Memory"]
	used, err := strconv.ParseInt(m["used_memory"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return used
}

func tell(t *testing.T, n int, size int64) {
	t.Logf("%d sessions: %d bytes, %d a session", n, size, size/int64(n))
}

// store issues n sessions, one a subject.
func store(t *testing.T, n int, s issuer.Store) {
	t.Helper()
	node := newNode(t, s, 0, secret)
	var next atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				ctx := issuer.WithLabel(context.Background(), "Firefox on Linux")
				if _, err := node.Issue(ctx, claims.Claims[struct{}]{Subject: fmt.Sprintf("user%08d@example.org", i)}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}
