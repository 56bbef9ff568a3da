package ratelimit_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimittest"
)

var (
	errDown  = errors.New("database is down")
	quietLog = slog.New(slog.DiscardHandler)
	ok       = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
)

func mustNotRun(t *testing.T) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") })
}

// once is a ResponseRecorder that notices a second answer.
type once struct {
	*httptest.ResponseRecorder
	headers int
}

func (o *once) WriteHeader(code int) { o.headers++; o.ResponseRecorder.WriteHeader(code) }

func serve(h http.Handler, r *http.Request) *once {
	w := &once{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(w, r)
	return w
}

// wantHeaders compares names and values of all limit headers.
func wantHeaders(t *testing.T, w *once, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for name, values := range w.Header() {
		if lower := strings.ToLower(name); strings.Contains(lower, "rate") || lower == "retry-after" {
			got[name] = strings.Join(values, " | ")
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("headers are %v, want %v", got, want)
	}
}

func TestHandler(t *testing.T) {
	peer := request("192.0.2.7:1")
	for name, test := range map[string]func(*testing.T){
		"RL-01 N pass, then 429 and a true Retry-After": func(t *testing.T) {
			h := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(3, 10*time.Second), Key: ratelimit.RemoteIP}).Handler(ok)
			for i, state := range []string{`"test";r=2;t=4`, `"test";r=1;t=7`, `"test";r=0;t=4`} {
				w := serve(h, peer)
				if w.Code != 200 || w.Body.String() != "ok" {
					t.Errorf("request %d: %d", i, w.Code)
				}
				wantHeaders(t, w, map[string]string{"Ratelimit": state, "Ratelimit-Policy": `"test";q=3;w=10`})
			}
			w := serve(h, peer)
			if w.Code != 429 || w.headers != 1 {
				t.Errorf("%d, answered %d times", w.Code, w.headers)
			}
			wantHeaders(t, w, map[string]string{"Ratelimit": `"test";r=0;t=4`, "Ratelimit-Policy": `"test";q=3;w=10`, "Retry-After": "4"})
			wait, _ := strconv.Atoi(w.Header().Get("Retry-After"))
			time.Sleep(time.Duration(wait-1) * time.Second)
			if w := serve(h, peer); w.Code != 429 || w.Header().Get("Retry-After") != "1" {
				t.Errorf("a second early: %d, wait %s", w.Code, w.Header().Get("Retry-After"))
			}
			time.Sleep(time.Second)
			if w := serve(h, peer); w.Code != 200 {
				t.Errorf("after Retry-After: %d", w.Code)
			}
		},
		"RL-01 Retry-After is at least 1": func(t *testing.T) {
			h := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(1000, time.Second), Key: ratelimit.RemoteIP}).Handler(ok)
			for range 1000 {
				serve(h, peer)
			}
			if w := serve(h, peer); w.Code != 429 || w.Header().Get("Retry-After") != "1" {
				t.Errorf("%d, %v", w.Code, w.Header())
			}
		},
		"problem": func(t *testing.T) {
			h := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(1, time.Second), Key: ratelimit.RemoteIP}).Handler(ok)
			serve(h, peer)
			w := serve(h, peer)
			var body map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"type":              "https://iana.org/assignments/http-problem-types#quota-exceeded",
				"title":             "Request cannot be satisfied as assigned quota has been exceeded",
				"status":            429.0,
				"violated-policies": []any{"test"},
			}
			if !reflect.DeepEqual(body, want) {
				t.Errorf("%v", body)
			}
			wantNeutral(t, w)
		},
		"RL-29 quiet": func(t *testing.T) {
			h := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(1, time.Minute), Key: ratelimit.RemoteIP, Quiet: true}).Handler(ok)
			wantHeaders(t, serve(h, peer), map[string]string{})
			w := serve(h, peer)
			wantHeaders(t, w, map[string]string{"Retry-After": "60"})
			if strings.Contains(w.Body.String(), "test") {
				t.Errorf("names its policy: %s", w.Body)
			}
		},
		"legacy": func(t *testing.T) {
			for _, prefix := range []string{"X-RateLimit", "X-Rate-Limit"} {
				h := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(2, time.Minute), Key: ratelimit.RemoteIP, Legacy: prefix}).Handler(ok)
				w := serve(h, peer)
				for suffix, want := range map[string]string{"-Limit": "2", "-Remaining": "1", "-Reset": "30"} {
					if got := w.Header().Get(prefix + suffix); got != want {
						t.Errorf("%s%s is %q, want %q", prefix, suffix, got, want)
					}
				}
			}
		},
		"RL-21 the body is not read": func(t *testing.T) {
			h := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(1, time.Minute), Key: ratelimit.RemoteIP}).Handler(ok)
			serve(h, peer)
			r := httptest.NewRequest("POST", "/", unreadable{t})
			r.RemoteAddr = peer.RemoteAddr
			if w := serve(h, r); w.Code != 429 {
				t.Error(w.Code)
			}
		},
		"RL-29 another key's use does not show": func(t *testing.T) {
			h := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(2, time.Minute), Key: ratelimit.RemoteIP}).Handler(ok)
			serve(h, peer)
			serve(h, peer)
			wantHeaders(t, serve(h, request("192.0.2.8:1")), map[string]string{"Ratelimit": `"test";r=1;t=30`, "Ratelimit-Policy": `"test";q=2;w=60`})
		},
		"Deny": func(t *testing.T) {
			deny := func(w http.ResponseWriter, r *http.Request, d ratelimit.Decision, err error) {
				if d.Allowed || d.Policy != "test" || err != nil {
					t.Errorf("%+v, %v", d, err)
				}
				http.Error(w, "slow down", http.StatusTooManyRequests)
			}
			h := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(1, time.Minute), Key: ratelimit.RemoteIP, Deny: deny}).Handler(ok)
			serve(h, peer)
			if w := serve(h, peer); w.Body.String() != "slow down\n" || w.Header().Get("Retry-After") != "60" {
				t.Errorf("%s %v", w.Body, w.Header())
			}
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
}

type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) { u.t.Error("the body was read"); return 0, io.EOF }

func wantNeutral(t *testing.T, w *once) {
	t.Helper()
	for name, want := range map[string]string{"Content-Type": "application/problem+json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestHandler_storeFails(t *testing.T) {
	t.Run("RL-19 503, nothing of the error", func(t *testing.T) {
		store := &ratelimittest.Faults{Store: ratelimit.NewMemoryStore(0), Before: func(int) bool { return true }}
		var log strings.Builder
		logger := slog.New(slog.NewTextHandler(&log, nil))
		h := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(1, time.Minute), Key: ratelimit.RemoteIP, Store: store, Logger: logger}).Handler(mustNotRun(t))
		w := serve(h, request("192.0.2.7:1"))
		if w.Code != 503 || w.headers != 1 || strings.Contains(w.Body.String(), "fault") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		wantHeaders(t, w, map[string]string{"Retry-After": "5"})
		wantNeutral(t, w)
		if !strings.Contains(log.String(), ratelimittest.ErrFault.Error()) || strings.Contains(log.String(), "192.0.2.7") {
			t.Errorf("log: %s", &log)
		}
	})
	t.Run("Deny", func(t *testing.T) {
		store := &ratelimittest.Faults{Store: ratelimit.NewMemoryStore(0), Before: func(int) bool { return true }}
		deny := func(w http.ResponseWriter, r *http.Request, d ratelimit.Decision, err error) {
			if d.Allowed || !errors.Is(err, ratelimittest.ErrFault) {
				t.Errorf("%+v, %v", d, err)
			}
			w.WriteHeader(503)
		}
		h := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(1, time.Minute), Key: ratelimit.RemoteIP, Store: store, Logger: quietLog, Deny: deny}).Handler(mustNotRun(t))
		if w := serve(h, request("192.0.2.7:1")); w.Code != 503 || w.Header().Get("Retry-After") != "5" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
	})
}

func byHeader(name string) ratelimit.KeyFunc {
	return func(r *http.Request) (string, error) { return r.Header.Get(name), nil }
}

func TestAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := ratelimit.NewMemoryStore(0)
		address := newLimiter(t, ratelimit.Config{Name: "address", Limit: ratelimit.Per(4, time.Minute), Key: ratelimit.RemoteIP, Store: store})
		account := newLimiter(t, ratelimit.Config{Name: "account", Limit: ratelimit.Per(2, time.Hour), Key: byHeader("Account"), Store: store})
		both, err := ratelimit.All(address, account)
		if err != nil {
			t.Fatal(err)
		}
		h := both.Handler(ok)
		policies := `"address";q=4;w=60, "account";q=2;w=3600`
		a, b := request("192.0.2.7:1", "Account", "a"), request("192.0.2.7:1", "Account", "b")
		wantHeaders(t, serve(h, a), map[string]string{"Ratelimit": `"account";r=1;t=1800`, "Ratelimit-Policy": policies})
		wantHeaders(t, serve(h, a), map[string]string{"Ratelimit": `"account";r=0;t=1800`, "Ratelimit-Policy": policies})
		for range 10 { // refused by the account, so not charged to the address
			w := serve(h, a)
			wantHeaders(t, w, map[string]string{"Ratelimit": `"account";r=0;t=1800`, "Ratelimit-Policy": policies, "Retry-After": "1800"})
			if !strings.Contains(w.Body.String(), `["account"]`) {
				t.Errorf("%s", w.Body)
			}
		}
		if d := allow(t, address, "192.0.2.7", 1); d.Remaining != 1 {
			t.Errorf("the address has %d left, want 1", d.Remaining)
		}
		serve(h, b)
		wantHeaders(t, serve(h, b), map[string]string{"Ratelimit": `"address";r=0;t=15`, "Ratelimit-Policy": policies, "Retry-After": "15"})
		if d, err := both.Check(request("192.0.2.7:1")); err == nil || d.Allowed {
			t.Errorf("one key missing: %+v, %v", d, err)
		}
		if d, err := both.AllowN(t.Context(), "k", 3); err == nil || d.Allowed {
			t.Errorf("cost above one burst: %+v, %v", d, err)
		}
		if d, err := both.Allow(t.Context(), ""); err == nil || d.Allowed {
			t.Errorf("empty key: %+v, %v", d, err)
		}
	})
}

func TestAll_refuses(t *testing.T) {
	store := ratelimit.NewMemoryStore(0)
	make := func(name string, store ratelimit.Store) *ratelimit.Limiter {
		return newLimiter(t, ratelimit.Config{Name: name, Limit: ratelimit.Per(1, time.Minute), Store: store})
	}
	var nine []*ratelimit.Limiter
	for i := range 9 {
		nine = append(nine, make(strconv.Itoa(i), store))
	}
	for name, ls := range map[string][]*ratelimit.Limiter{
		"other store": {make("a", store), make("b", nil)},
		"same name":   {make("a", store), make("a", store)},
		"nine":        nine,
	} {
		t.Run(name, func(t *testing.T) {
			if l, err := ratelimit.All(ls...); err == nil || l != nil {
				t.Errorf("%v, %v", l, err)
			}
		})
	}
}

func TestAll_quietIfOneIs(t *testing.T) {
	store := ratelimit.NewMemoryStore(0)
	l, err := ratelimit.All(
		newLimiter(t, ratelimit.Config{Name: "a", Limit: ratelimit.Per(1, time.Minute), Key: ratelimit.RemoteIP, Store: store}),
		newLimiter(t, ratelimit.Config{Name: "b", Limit: ratelimit.Per(1, time.Minute), Key: ratelimit.RemoteIP, Store: store, Quiet: true}))
	if err != nil {
		t.Fatal(err)
	}
	h := l.Handler(ok)
	wantHeaders(t, serve(h, request("192.0.2.7:1")), map[string]string{})
	if w := serve(h, request("192.0.2.7:1")); w.Code != 429 || strings.Contains(w.Body.String(), "violated") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := func(n int) ratelimit.Config {
			return ratelimit.Config{Name: "DefaultRateLimitAuth", Limit: ratelimit.Per(n, time.Hour), Key: ratelimit.RemoteIP, Logger: quietLog}
		}
		other := policy(100)
		other.Name = "other"
		set, err := ratelimit.NewSet(policy(2), other)
		if err != nil {
			t.Fatal(err)
		}
		h := set.Handler("DefaultRateLimitAuth")(ok)
		two := set.Handler("DefaultRateLimitAuth", "other")(ok)
		missing := set.Handler("missing")(ok)
		want := func(h http.Handler, code int) {
			t.Helper()
			if w := serve(h, request("192.0.2.7:1")); w.Code != code {
				t.Errorf("%d, want %d", w.Code, code)
			}
		}
		want(h, 200)
		want(two, 200)
		want(h, 429)
		want(two, 429)
		want(missing, 503)
		want(set.Handler()(ok), 503)

		// Mistakes change nothing, and are told together.
		err = set.Replace(ratelimit.Config{Name: "a"}, ratelimit.Config{Name: "b"}, policy(3), policy(3))
		for _, mistake := range []string{`"a"`, `"b"`, "twice"} {
			if err == nil || !strings.Contains(err.Error(), mistake) {
				t.Errorf("%s is not in: %v", mistake, err)
			}
		}
		want(h, 429)

		// A larger bucket goes on with what was spent.
		missed := policy(1)
		missed.Name = "missing"
		larger := policy(2)
		larger.Limit.Burst = 3
		if err := set.Replace(larger, missed); err != nil {
			t.Fatal(err)
		}
		want(h, 200)
		want(h, 429)
		want(missing, 200)
		want(two, 503)
		if _, err := set.Limiter("other"); err == nil {
			t.Error("other is still there")
		}
		if l, err := set.Limiter("missing"); err != nil || l == nil {
			t.Error(err)
		}
	})
}

func TestHandler_connection(t *testing.T) {
	t.Run("RL-28 1000 requests on one connection", func(t *testing.T) {
		h := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(10, time.Hour), Key: ratelimit.RemoteIP}).Handler(ok)
		srv := httptest.NewServer(h)
		defer srv.Close()
		passed := 0
		for range 1000 {
			resp, err := srv.Client().Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode == 200 {
				passed++
			}
		}
		if passed != 10 {
			t.Errorf("%d passed", passed)
		}
	})
}

// The decision allocates nothing; the headers of an answer their one string and
// its slice.
func TestAllocations(t *testing.T) {
	l := newLimiter(t, ratelimit.Config{Limit: generous, Key: ratelimit.RemoteIP})
	store := ratelimit.NewMemoryStore(0)
	two, err := ratelimit.All(newLimiter(t, ratelimit.Config{Name: "a", Limit: generous, Store: store}), newLimiter(t, ratelimit.Config{Name: "b", Limit: generous, Store: store}))
	if err != nil {
		t.Fatal(err)
	}
	r := request("192.0.2.7:1")
	w := &sink{make(http.Header)}
	h := l.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for name, c := range map[string]struct {
		most float64
		f    func()
	}{
		"Allow":   {0, func() { l.Allow(context.Background(), "k") }},
		"All":     {0, func() { two.Allow(context.Background(), "k") }},
		"Check":   {0, func() { l.Check(r) }},
		"Handler": {2, func() { clear(w.header); h.ServeHTTP(w, r) }},
	} {
		if got := testing.AllocsPerRun(1000, c.f); got > c.most {
			t.Errorf("%s: %v allocations, want at most %v", name, got, c.most)
		}
	}
}
