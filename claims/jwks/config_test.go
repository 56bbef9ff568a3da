package jwks_test

import (
	"testing"
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
		{"MaxStale below Refresh", jwks.Config{URL: at, Refresh: time.Hour, MaxStale: time.Minute}, 1},
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

func TestFilesConfig(t *testing.T) {
	if _, err := jwks.NewFiles(jwks.FilesConfig{Algorithms: []string{"HS256"}, PEMAlgorithm: "HS256", Interval: 1, MaxStale: -1, MaxBytes: 2 << 20, MaxKeys: -1}); mistakesIn(err) != 7 {
		t.Errorf("%d mistakes, want 7: %v", mistakesIn(err), err)
	}
}
