package jwks_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// start serves handlers by path over a real socket.
func start(t *testing.T, tls bool, handlers map[string]http.HandlerFunc) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	for path, h := range handlers {
		mux.HandleFunc(path, h)
	}
	s := httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = nil
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s) }
}

func TestHTTP(t *testing.T) {
	good := setOf(edJWK(1, "one"))
	for _, row := range []struct {
		name string
		h    http.HandlerFunc
		ok   bool
	}{
		{"a set", text(good), true},
		{"KY-04 500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); fmt.Fprint(w, good) }, false},
		{"KY-04 204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, false},
		{"KY-04 hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, false},
		{"KY-04 hangs in the body", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, good[:20])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, false},
		{"KY-08 endless", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := fmt.Fprint(w, strings.Repeat(" ", 1<<16)); err != nil {
					return
				}
			}
		}, false},
		{"KY-08 a small answer that unpacks to 200 MiB", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for range 200 {
				if _, err := z.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
			z.Close()
		}, false},
		{"KY-06 cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(good)+10))
			fmt.Fprint(w, good)
		}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := start(t, false, map[string]http.HandlerFunc{"/jwks": row.h})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			set, err := jwks.New(jwks.Config{URL: s.URL + "/jwks", Timeout: 500 * time.Millisecond, OnDemand: true, Logger: silent})
			runtime.ReadMemStats(&after)
			if row.ok != (err == nil) || err != nil && !errors.Is(err, jwks.ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 32 {
				t.Errorf("%d MiB allocated", mib)
			}
			if row.ok {
				defer set.Close()
				offered(t, set, header("one"), 1)
			}
		})
	}
}

func TestRedirect(t *testing.T) {
	good := setOf(edJWK(1, "one"))
	var visits atomic.Int32
	visited := func(w http.ResponseWriter, _ *http.Request) { visits.Add(1); fmt.Fprint(w, good) }
	other := start(t, true, map[string]http.HandlerFunc{"/jwks": visited})
	plain := start(t, false, map[string]http.HandlerFunc{"/jwks": visited})
	to := func(where string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, where, http.StatusFound) }
	}
	s := start(t, true, map[string]http.HandlerFunc{
		"/other": to(other.URL + "/jwks"), "/http": to(plain.URL + "/jwks"), "/same": to("/jwks"), "/loop": to("/loop"),
		"/step": to("/other"), "/jwks": text(good),
	})
	client := s.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return nil } // does not get a say
	for path, ok := range map[string]bool{"/same": true, "/other": false, "/http": false, "/loop": false, "/step": false} {
		t.Run("KY-10 "+path, func(t *testing.T) {
			set, err := jwks.New(jwks.Config{URL: s.URL + path, Client: client, OnDemand: true, InsecureHTTP: true, Logger: silent})
			if ok != (err == nil) {
				t.Errorf("got %v", err)
			}
			if err == nil {
				set.Close()
			}
		})
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("%d visits elsewhere", n)
	}
}

func TestDiscovery(t *testing.T) {
	const well = "/.well-known/openid-configuration"
	good := text(setOf(edJWK(1, "one")))
	keys := start(t, true, map[string]http.HandlerFunc{"/jwks": good})
	for _, row := range []struct {
		name, path, doc string // SELF and OTHER are replaced by the servers' URLs
		origins         bool
		ok              bool
	}{
		{"same origin", "", `{"issuer":"SELF","jwks_uri":"SELF/jwks"}`, false, true},
		{"with a path and a slash", "/tenant/", `{"issuer":"SELF/tenant/","jwks_uri":"SELF/jwks"}`, false, true},
		{"another issuer", "", `{"issuer":"SELF/other","jwks_uri":"SELF/jwks"}`, false, false},
		{"issuer but for a slash", "", `{"issuer":"SELF/","jwks_uri":"SELF/jwks"}`, false, false},
		{"no issuer", "", `{"jwks_uri":"SELF/jwks"}`, false, false},
		{"two issuers", "", `{"issuer":"https://evil.example","issuer":"SELF","jwks_uri":"SELF/jwks"}`, false, false},
		{"no jwks_uri", "", `{"issuer":"SELF"}`, false, false},
		{"a relative jwks_uri", "", `{"issuer":"SELF","jwks_uri":"/jwks"}`, false, false},
		{"a file", "", `{"issuer":"SELF","jwks_uri":"file:///etc/passwd"}`, false, false},
		{"KY-10 another origin", "", `{"issuer":"SELF","jwks_uri":"OTHER/jwks"}`, false, false},
		{"another origin, named", "", `{"issuer":"SELF","jwks_uri":"OTHER/jwks"}`, true, true},
		{"KY-10 http", "", `{"issuer":"SELF","jwks_uri":"http://id.example/jwks"}`, true, false},
		{"no JSON", "", `<html>`, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			var doc atomic.Value
			s := start(t, true, map[string]http.HandlerFunc{
				strings.TrimSuffix(row.path, "/") + well: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, doc.Load()) },
				"/jwks":                                  good,
			})
			doc.Store(strings.NewReplacer("SELF", s.URL, "OTHER", keys.URL).Replace(row.doc))
			c := jwks.Config{Issuer: s.URL + row.path, Client: s.Client(), OnDemand: true, Logger: silent}
			if row.origins {
				c.Origins = []string{keys.URL}
			}
			set, err := jwks.New(c)
			if row.ok != (err == nil) || err != nil && !errors.Is(err, jwks.ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
			if row.ok {
				defer set.Close()
				offered(t, set, header("one"), 1)
				if set.Issuer() != c.Issuer {
					t.Errorf("Issuer is %q", set.Issuer())
				}
			}
		})
	}
}
