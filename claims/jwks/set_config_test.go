package jwks_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// mistakesIn counts the errors that were joined.
func mistakesIn(err error) int {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return len(joined.Unwrap())
	}
	return 0
}

func TestConfig(t *testing.T) {
	const at = "https://id.example/jwks"
	for _, row := range []struct {
		name string
		c    jwks.Config
		want int
	}{
		{"zero", jwks.Config{}, 1},
		{"both", jwks.Config{URL: at, Issuer: at}, 1},
		{"http", jwks.Config{URL: "http://id.example/jwks"}, 1},
		{"http, insecure", jwks.Config{URL: "http://id.example/jwks", InsecureHTTP: true}, 0},
		{"http on loopback", jwks.Config{URL: "http://127.0.0.1:1/jwks"}, 0},
		{"http on loopback 6", jwks.Config{URL: "http://[::1]:1/jwks"}, 0},
		{"http on localhost", jwks.Config{URL: "http://localhost/jwks"}, 0},
		{"http on what begins like loopback", jwks.Config{URL: "http://127.0.0.1.example/jwks"}, 1},
		{"no scheme", jwks.Config{URL: "id.example/jwks"}, 1},
		{"file", jwks.Config{URL: "file:///jwks", InsecureHTTP: true}, 1},
		{"password", jwks.Config{URL: "https://a:b@id.example/jwks"}, 1},
		{"issuer with a query", jwks.Config{Issuer: "https://id.example?a"}, 1},
		{"origins without an issuer", jwks.Config{URL: at, Origins: []string{"https://keys.example"}}, 1},
		{"origins", jwks.Config{Issuer: "https://id.example", Origins: []string{"https://keys.example", "https://Keys.example:8443", "https://[::1]:8443"}}, 0},
		{"origin with a path", jwks.Config{Issuer: "https://id.example", Origins: []string{"https://keys.example/"}}, 1},
		{"HMAC", jwks.Config{URL: at, Algorithms: []string{"HS256"}}, 1},
		{"no algorithm", jwks.Config{URL: at, Algorithms: []string{}}, 1},
		{"bounds", jwks.Config{URL: at, Refresh: time.Millisecond, MaxStale: time.Microsecond, MinInterval: 1, Timeout: -1, MaxBytes: -1, MaxKeys: 1001}, 6},
		{"MaxStale is Refresh", jwks.Config{URL: at, Refresh: time.Hour, MaxStale: time.Hour}, 1},
		{"MaxStale just too short", jwks.Config{URL: at, Refresh: time.Hour, MaxStale: time.Hour + 6*time.Second - 1}, 1},
		{"MaxStale just long enough", jwks.Config{URL: at, Refresh: time.Hour, MaxStale: time.Hour + 6*time.Second}, 0},
		{"MaxStale shorter than two slow fetches", jwks.Config{URL: at, Refresh: time.Second, MaxStale: 11*time.Second - 1}, 1},
		{"MaxStale too long", jwks.Config{URL: at, MaxStale: 30*24*time.Hour + 1}, 1},
		{"the longest Refresh and no MaxStale", jwks.Config{URL: at, Refresh: 24 * time.Hour}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.c.OnDemand, row.c.StartEmpty = true, true // nothing is fetched
			set, err := jwks.New(row.c)
			if n := mistakesIn(err); n != row.want || (err == nil) != (row.want == 0) {
				t.Errorf("%d mistakes, want %d: %v", n, row.want, err)
			}
			if err == nil {
				set.Close()
			}
		})
	}
}

// A key server that takes all of Timeout is slow, and not an outage: with the
// least MaxStale, too, a set is always usable.
func TestLeastMaxStale(t *testing.T) {
	for name, c := range map[string]jwks.Config{
		"Refresh is longer than Timeout": {Refresh: time.Minute, MaxStale: time.Minute + 6*time.Second},
		"Timeout is longer than Refresh": {Refresh: time.Second, Timeout: time.Minute, MaxStale: 2*time.Minute + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newKeyServer(setOf(edJWK(1, "one")))
				server.latency = max(c.Timeout, 5*time.Second) - time.Millisecond
				set := server.follow(t, c)
				for range 10_000 {
					offered(t, set, header("one"), 1)
					time.Sleep(100 * time.Millisecond)
				}
				if s := set.Stats(); s.Failures > 0 || s.Reads < 10 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestFilesConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k.json")
	write(t, path, setOf(edJWK(1, "one")))
	for _, row := range []struct {
		interval, stale time.Duration
		want            int
	}{
		{time.Minute, 2*time.Minute - 1, 1},
		{time.Minute, 2 * time.Minute, 0},
		{24 * time.Hour, 0, 0},
	} {
		_, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{path}, Interval: row.interval, MaxStale: row.stale})
		if n := mistakesIn(err); n != row.want || (err == nil) != (row.want == 0) {
			t.Errorf("%+v: %v", row, err)
		}
	}
	if _, err := jwks.NewFiles(jwks.FilesConfig{Algorithms: []string{"HS256"}, PEMAlgorithm: "HS256", Interval: 1, MaxStale: -1, MaxBytes: 2 << 20, MaxKeys: -1}); mistakesIn(err) != 7 {
		t.Errorf("%d mistakes, want 7: %v", mistakesIn(err), err)
	}
}
