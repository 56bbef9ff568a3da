package ratelimit_test

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

type denyFunc = func(http.ResponseWriter, *http.Request, ratelimit.Decision, error)

// refusers is every way to an answer that refuses, by the status that belongs to it.
func refusers(t *testing.T, deny denyFunc) map[string]struct {
	handler http.Handler
	status  int
} {
	t.Helper()
	store := ratelimit.NewMemoryStore(0)
	config := func(name string, key ratelimit.KeyFunc) ratelimit.Config {
		return ratelimit.Config{Name: name, Limit: ratelimit.Per(1, time.Hour), Key: key, Store: store, Deny: deny, Logger: quietLog}
	}
	spent := func(*http.Request) (string, error) { return "spent", nil }
	one := newLimiter(t, config("one", spent))
	allow(t, one, "spent", 1)
	all, err := ratelimit.All(one, newLimiter(t, config("two", spent)))
	if err != nil {
		t.Fatal(err)
	}
	set, err := ratelimit.NewSet(config("one", spent))
	if err != nil {
		t.Fatal(err)
	}
	failing := func(err error) http.Handler {
		return newLimiter(t, config("failing", func(*http.Request) (string, error) { return "", err })).Handler(mustNotRun(t))
	}
	return map[string]struct {
		handler http.Handler
		status  int
	}{
		"Handler":     {one.Handler(mustNotRun(t)), 429},
		"All":         {all.Handler(mustNotRun(t)), 429},
		"Set.Handler": {set.Handler("one")(mustNotRun(t)), 429},
		"Set.Choose":  {set.Choose(func(*http.Request) string { return "one" })(mustNotRun(t)), 429},
		"Refuse": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d, err := one.Check(r)
			one.Refuse(w, r, d, err)
		}), 429},
		"the client's mistake": {failing(ratelimit.ErrBadRequest), 400},
		"ours":                 {failing(errDown), 503},
	}
}

// get asks a real server, as what it makes of an answer is in question.
func get(t *testing.T, method string, h http.Handler) (*http.Response, string) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("the body is cut: %v", err)
	}
	return resp, string(body)
}

func TestDeny(t *testing.T) {
	for name, row := range map[string]struct {
		deny   denyFunc
		status int    // 0 is the one that belongs to the refusal
		body   string // "" is the limit's own
	}{
		"nothing": {func(http.ResponseWriter, *http.Request, ratelimit.Decision, error) {}, 0, ""},
		"nothing but headers": {func(w http.ResponseWriter, _ *http.Request, _ ratelimit.Decision, _ error) {
			w.Header().Set("Content-Type", "text/css")
			w.Header().Set("Content-Length", "3")
		}, 0, ""},
		"early hints": {func(w http.ResponseWriter, _ *http.Request, _ ratelimit.Decision, _ error) { w.WriteHeader(103) }, 0, ""},
		"body":        {func(w http.ResponseWriter, _ *http.Request, _ ratelimit.Decision, _ error) { io.WriteString(w, "mine") }, 0, "mine"},
		"flush and body": {func(w http.ResponseWriter, _ *http.Request, _ ratelimit.Decision, _ error) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			io.WriteString(w, "mine")
		}, 0, "mine"},
		"two statuses": {func(w http.ResponseWriter, _ *http.Request, _ ratelimit.Decision, _ error) {
			w.WriteHeader(418)
			w.WriteHeader(200)
			io.WriteString(w, "mine")
		}, 418, "mine"},
		"a deadline through Unwrap": {func(w http.ResponseWriter, _ *http.Request, _ ratelimit.Decision, _ error) {
			if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Error(err)
			}
		}, 0, ""},
	} {
		for where, refuser := range refusers(t, row.deny) {
			t.Run(name+", "+where, func(t *testing.T) {
				resp, body := get(t, "GET", refuser.handler)
				status := row.status
				if status == 0 {
					status = refuser.status
				}
				if resp.StatusCode != status || row.body != "" && body != row.body {
					t.Errorf("%d %q, want %d %q", resp.StatusCode, body, status, row.body)
				}
				if own := resp.Header.Get("Content-Type") == "application/problem+json" && strings.Contains(body, `"status":`+strconv.Itoa(status)); own != (row.body == "") {
					t.Errorf("the limit's own answer is %v: %q", own, body)
				}
				if h := resp.Header; h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%v", h)
				}
			})
		}
	}
	t.Run("takes the connection", func(t *testing.T) {
		one := refusers(t, func(w http.ResponseWriter, _ *http.Request, _ ratelimit.Decision, _ error) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			io.WriteString(conn, "HTTP/1.1 499 Mine\r\nContent-Length: 0\r\n\r\n")
		})["Handler"]
		w := make(chan int, 1)
		resp, _ := get(t, "GET", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			one.handler.ServeHTTP(rw, r)
			_, err := rw.Write(nil)
			if errors.Is(err, http.ErrHijacked) {
				w <- 1
			}
			close(w)
		}))
		if resp.StatusCode != 499 || <-w != 1 {
			t.Error(resp.StatusCode)
		}
	})
}

// What one answer's header map holds is in no other's.
func TestHandler_ownHeaders(t *testing.T) {
	l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(1000, time.Hour), Key: ratelimit.RemoteIP, Legacy: "X-RateLimit"})
	refused := refusers(t, nil)
	for name, h := range map[string]http.Handler{
		"admitted": l.Handler(ok), "429": refused["Handler"].handler, "503": refused["ours"].handler, "400": refused["the client's mistake"].handler,
	} {
		t.Run(name, func(t *testing.T) {
			first := serve(h, request("192.0.2.7:1")).Header()
			for name, values := range first {
				for other := range first {
					// What is appended to one field must not run into another.
					if other != name {
						first[other] = append(first[other][:len(first[other]):cap(first[other])], "appended")[:len(first[other])]
					}
				}
				for _, value := range values {
					if strings.Contains(value, "appended") {
						t.Errorf("%s: %q", name, values)
					}
				}
			}
			for _, values := range first {
				for i := range values {
					values[i] = "edited"
				}
			}
			for name, values := range serve(h, request("192.0.2.7:1")).Header() {
				if strings.Contains(strings.Join(values, ""), "edited") {
					t.Errorf("%s is %q in the next answer", name, values)
				}
			}
		})
	}
}

// The length that somebody set for another answer would cut this one.
func TestHandler_presetLength(t *testing.T) {
	for name, refuser := range refusers(t, nil) {
		t.Run(name, func(t *testing.T) {
			resp, body := get(t, "GET", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "3")
				refuser.handler.ServeHTTP(w, r)
			}))
			if resp.StatusCode != refuser.status || !strings.HasSuffix(body, "}\n") {
				t.Errorf("%d %q", resp.StatusCode, body)
			}
		})
	}
}

// TestHandler_presetValidators has an outer handler that describes another answer, and a
// Deny that looks, sets them anew, and writes nothing.
func TestHandler_presetValidators(t *testing.T) {
	of := []string{"Content-Length", "ETag", "Last-Modified"}
	for how, deny := range map[string]denyFunc{"no Deny": nil, "a silent Deny": func(w http.ResponseWriter, _ *http.Request, _ ratelimit.Decision, _ error) {
		for _, field := range of {
			if w.Header().Get(field) != "" {
				t.Errorf("Deny gets %s", field)
			}
			w.Header().Set(field, "3")
		}
	}} {
		for name, refuser := range refusers(t, deny) {
			t.Run(how+" "+name, func(t *testing.T) {
				w := httptest.NewRecorder()
				for _, field := range of {
					w.Header().Set(field, "3")
				}
				refuser.handler.ServeHTTP(w, request("192.0.2.7:1"))
				for _, field := range of {
					if w.Code != refuser.status || w.Header().Get(field) != "" {
						t.Errorf("%d, %s %q", w.Code, field, w.Header().Get(field))
					}
				}
			})
		}
	}
}

type gzipped struct {
	http.ResponseWriter
	to *gzip.Writer
}

func (g gzipped) Write(b []byte) (int, error) { return g.to.Write(b) }

// compress is what compressing middleware does: it names the encoding first.
func compress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		to := gzip.NewWriter(w)
		defer to.Close()
		next.ServeHTTP(gzipped{w, to}, r)
	})
}

// HEAD is told what GET is (RFC 9110 section 9.3.2), and what is compressed is called so.
func TestHandler_head(t *testing.T) {
	for name, refuser := range refusers(t, nil) {
		for _, wrap := range []struct {
			name string
			with func(http.Handler) http.Handler
		}{{"plain", func(h http.Handler) http.Handler { return h }}, {"compressed", compress}} {
			t.Run(name+" "+wrap.name, func(t *testing.T) {
				want, body := get(t, "GET", wrap.with(refuser.handler))
				got, none := get(t, "HEAD", wrap.with(refuser.handler))
				if got.StatusCode != refuser.status || none != "" || got.ContentLength != want.ContentLength || want.ContentLength != int64(len(body)) {
					t.Errorf("%d, Content-Length %d, GET has %d", got.StatusCode, got.ContentLength, want.ContentLength)
				}
				if encoded := want.Header.Get("Content-Encoding") == "gzip"; encoded != strings.HasPrefix(body, "\x1f\x8b") {
					t.Errorf("Content-Encoding: gzip is %v: %q", encoded, body)
				}
			})
		}
	}
}

// RateLimit and RateLimit-Policy are lists: limits in a row are all told.
func TestHandler_inARow(t *testing.T) { synctest.Test(t, inARow) }

func inARow(t *testing.T) {
	store := ratelimit.NewMemoryStore(0)
	make := func(name string, n int, legacy string) *ratelimit.Limiter {
		return newLimiter(t, ratelimit.Config{Name: name, Limit: ratelimit.Per(n, time.Hour), Key: ratelimit.RemoteIP, Store: store, Legacy: legacy})
	}
	outer, inner := make("outer", 60, "X-RateLimit"), make("inner", 2, "X-RateLimit")
	h := outer.Handler(inner.Handler(ok))
	const policies = `"outer";q=60;w=3600 | "inner";q=2;w=3600`
	legacy := func(limit, remaining, reset, refused string) map[string]string {
		want := map[string]string{"X-Ratelimit-Limit": limit, "X-Ratelimit-Remaining": remaining, "X-Ratelimit-Reset": reset}
		if refused != "" {
			want["Retry-After"] = refused
		}
		return want
	}
	for _, row := range []struct{ state, remaining, reset, refused string }{
		{`"outer";r=59;t=60 | "inner";r=1;t=1800`, "1", "1800", ""},
		{`"outer";r=58;t=120 | "inner";r=0;t=1800`, "0", "1800", ""},
		{`"outer";r=57;t=180 | "inner";r=0;t=1800`, "0", "1800", "1800"},
	} {
		want := legacy("2", row.remaining, row.reset, row.refused)
		want["Ratelimit"], want["Ratelimit-Policy"] = row.state, policies
		wantHeaders(t, serve(h, request("192.0.2.7:1")), want)
	}
	same := make("same", 60, "") // around itself: its last state counts
	w := serve(same.Handler(same.Handler(ok)), request("192.0.2.7:1"))
	wantHeaders(t, w, map[string]string{"Ratelimit": `"same";r=58;t=120`, "Ratelimit-Policy": `"same";q=60;w=3600`})
}
