package issuerredis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuerredis"
)

func TestNewRefuses(t *testing.T) {
	good := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true})
	defer good.Close()
	slow := redis.NewClient(&redis.Options{})
	defer slow.Close()
	slowCluster := redis.NewClusterClient(&redis.ClusterOptions{})
	defer slowCluster.Close()
	ring := redis.NewRing(&redis.RingOptions{ContextTimeoutEnabled: true})
	defer ring.Close()
	for name, row := range map[string]struct {
		client   redis.UniversalClient
		config   issuerredis.Config
		mistakes int
	}{
		"complete":               {good, issuerredis.Config{}, 0},
		"no client":              {nil, issuerredis.Config{}, 1},
		"nil client":             {(*redis.Client)(nil), issuerredis.Config{}, 1},
		"heeds no context":       {slow, issuerredis.Config{}, 1},
		"cluster heeds none":     {slowCluster, issuerredis.Config{}, 1},
		"ring":                   {ring, issuerredis.Config{}, 1},
		"braces":                 {good, issuerredis.Config{Prefix: "{a}"}, 1},
		"space":                  {good, issuerredis.Config{Prefix: "a b"}, 1},
		"long":                   {good, issuerredis.Config{Prefix: strings.Repeat("a", 65)}, 1},
		"negative":               {good, issuerredis.Config{Timeout: -1}, 1},
		"everything":             {nil, issuerredis.Config{Prefix: "\n", Timeout: time.Millisecond}, 3},
		"all that is allowed":    {good, issuerredis.Config{Prefix: "a-B_9.:/", Timeout: 10 * time.Millisecond}, 0},
		"shortest of what works": {good, issuerredis.Config{Prefix: "a"}, 0},
	} {
		s, err := issuerredis.New(row.client, row.config)
		if n := lines(err); n != row.mistakes || (s == nil) != (err != nil) {
			t.Errorf("%s: %d mistakes, want %d: %v", name, n, row.mistakes, err)
		}
	}
}

func lines(err error) int {
	if err == nil {
		return 0
	}
	return 1 + strings.Count(err.Error(), "\n")
}

func TestZeroStore(t *testing.T) {
	for name, s := range map[string]*issuerredis.Store{"zero": new(issuerredis.Store), "nil": nil} {
		if _, _, err := s.Load(t.Context(), "s"); err == nil {
			t.Errorf("%s: Load: no error", name)
		}
		if swapped, err := s.Swap(t.Context(), issuer.Record{Version: 1}); err == nil || swapped {
			t.Errorf("%s: Swap: no error", name)
		}
		if _, err := s.List(t.Context(), "a"); err == nil {
			t.Errorf("%s: List: no error", name)
		}
		if _, err := s.Check(t.Context()); err == nil {
			t.Errorf("%s: Check: no error", name)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, row := range map[string]struct {
		arguments          []string
		warnings, mistakes int
	}{
		"recommended":  {[]string{"--appendonly", "yes", "--appendfsync", "always"}, 0, 0},
		"every second": {[]string{"--appendonly", "yes", "--appendfsync", "everysec"}, 1, 0},
		"defaults":     {nil, 1, 1},
		"a cache":      {[]string{"--maxmemory", "1gb", "--maxmemory-policy", "allkeys-lru", "--appendfsync", "no"}, 0, 3},
		"a replica":    {[]string{"--appendonly", "yes", "--appendfsync", "always", "--replicaof", "127.0.0.1 1"}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			warnings, err := open(t, dial(t, serve(t, row.arguments...)), issuerredis.Config{}).Check(t.Context())
			if len(warnings) != row.warnings || lines(err) != row.mistakes {
				t.Errorf("warnings %v, mistakes %v", warnings, err)
			}
		})
	}
	t.Run("not there", func(t *testing.T) {
		_, err := open(t, dial(t, "127.0.0.1:1"), issuerredis.Config{Timeout: 300 * time.Millisecond}).Check(t.Context())
		if err == nil {
			t.Error("no error")
		}
	})
}
