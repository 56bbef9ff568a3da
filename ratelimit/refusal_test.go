package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// lines is a log that keeps "LEVEL message" and attributes, one line each.
type lines struct{ strings.Builder }

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func (l *lines) want(t *testing.T, want ...string) {
	t.Helper()
	got := strings.Split(strings.TrimSuffix(l.String(), "\n"), "\n")
	if len(want) == 0 {
		want = []string{""}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("logged:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	l.Reset()
}

// keyFails makes a handler whose requests have no key.
func keyFails(t *testing.T, log *lines, err error) http.Handler {
	key := func(*http.Request) (string, error) { return "", err }
	mux := http.NewServeMux()
	mux.Handle("GET /{rest}", newLimiter(t, ratelimit.Config{Limit: generous, Key: key, Logger: log.logger()}).Handler(mustNotRun(t)))
	return mux
}

func TestHandler_noKey(t *testing.T) {
	get := httptest.NewRequest("GET", "/a", nil)
	t.Run("RL-21 the client's mistake is 400, at Debug", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, noAddress := ratelimit.Email("ann")
			for _, err := range []error{ratelimit.ErrBadRequest, fmt.Errorf("%w: no name", ratelimit.ErrBadRequest), noAddress} {
				var log lines
				h := keyFails(t, &log, err)
				for range 3 {
					w := serve(h, get)
					if w.Code != 400 || w.headers != 1 || strings.TrimSpace(w.Body.String()) != `{"type":"about:blank","title":"Bad Request","status":400}` {
						t.Errorf("%d, answered %d times: %s", w.Code, w.headers, w.Body)
					}
					wantHeaders(t, w, map[string]string{})
					wantNeutral(t, w)
				}
				line := fmt.Sprintf(`level=DEBUG msg="ratelimit: refused" status=400 error=%q pattern="GET /{rest}"`, "ratelimit: key of test: "+err.Error())
				log.want(t, line, line, line)
			}
		})
	})
	t.Run("ours is 503, at Error once a second", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var log lines
			h := keyFails(t, &log, errDown)
			ask := func(n int) {
				for range n {
					if w := serve(h, get); w.Code != 503 || w.headers != 1 || w.Header().Get("Retry-After") != "5" {
						t.Errorf("%d, answered %d times", w.Code, w.headers)
					}
				}
			}
			const rest = ` msg="ratelimit: refused" status=503 error="ratelimit: key of test: database is down" pattern="GET /{rest}"`
			ask(3)
			log.want(t, "level=ERROR"+rest, "level=DEBUG"+rest, "level=DEBUG"+rest)
			time.Sleep(time.Second)
			ask(1)
			log.want(t, "level=ERROR"+rest+" unlogged=2")
			time.Sleep(time.Second)
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			serve(h, get.Clone(gone))
			log.want(t, "level=DEBUG"+rest)
		})
	})
}

// A mistake that every request would meet is told where it is made.
func TestMounted(t *testing.T) {
	var log lines
	c := ratelimit.Config{Name: "a", Limit: generous, Key: ratelimit.RemoteIP, Logger: log.logger()}
	set, err := ratelimit.NewSet(c)
	if err != nil {
		t.Fatal(err)
	}
	set.Handler("a")
	newLimiter(t, c).Handler(ok)
	log.want(t)
	h := set.Handler("Typo")
	for range 3 {
		h(ok)
	}
	log.want(t, `level=ERROR msg="ratelimit: what is mounted here admits nobody" error="ratelimit: no such policy in the Set: \"Typo\""`)
	c.Key = nil
	newLimiter(t, c).Handler(ok)
	const keyless = `level=ERROR msg="ratelimit: what is mounted here admits nobody" error="ratelimit: a has no Key for requests"`
	log.want(t, keyless)
	if err := set.Replace(c); err != nil {
		t.Fatal(err)
	}
	set.Handler("a")
	log.want(t, keyless)
	for range 2 {
		serve(h(mustNotRun(t)), request("192.0.2.7:1"))
	}
	const typo = ` msg="ratelimit: refused" status=503 error="ratelimit: no such policy in the Set: \"Typo\""`
	log.want(t, "level=ERROR"+typo, "level=DEBUG"+typo)
}

// What Check decides, Refuse answers as Handler does.
func TestRefuse(t *testing.T) {
	deny := func(w http.ResponseWriter, r *http.Request, d ratelimit.Decision, err error) {
		http.Error(w, fmt.Sprint(d.Policy, " ", err), http.StatusTeapot)
	}
	for name, c := range map[string]ratelimit.Config{
		"plain":  {},
		"quiet":  {Quiet: true},
		"legacy": {Legacy: "X-RateLimit"},
		"Deny":   {Deny: deny},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.Limit, c.Logger = ratelimit.Per(2, time.Minute), quietLog
				c.Key = func(r *http.Request) (string, error) {
					if r.Method == "POST" {
						return "", ratelimit.ErrBadRequest
					}
					return ratelimit.RemoteIP(r)
				}
				h := newLimiter(t, c).Handler(ok)
				l := newLimiter(t, c)
				checked := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					d, err := l.Check(r)
					l.Refuse(w, r, d, err)
					if err == nil && d.Allowed {
						ok.ServeHTTP(w, r)
					}
				})
				get, post, nobody := request("192.0.2.7:1"), request("192.0.2.7:1"), request("@")
				post.Method = "POST"
				for i, r := range []*http.Request{get, get, get, post, nobody} {
					want, got := serve(h, r), serve(checked, r)
					if got.Code != want.Code || got.headers != want.headers || got.Body.String() != want.Body.String() || !reflect.DeepEqual(got.Header(), want.Header()) {
						t.Errorf("request %d: %d %v %s, want %d %v %s", i+1, got.Code, got.Header(), got.Body, want.Code, want.Header(), want.Body)
					}
				}
			})
		})
	}
	t.Run("what nobody decided", func(t *testing.T) {
		for name, l := range map[string]*ratelimit.Limiter{"nil": nil, "zero": {}, "made": newLimiter(t, ratelimit.Config{Limit: generous})} {
			w := &once{ResponseRecorder: httptest.NewRecorder()}
			l.Refuse(w, request("192.0.2.7:1"), ratelimit.Decision{}, nil)
			if w.Code != 429 || w.headers != 1 || w.Header().Get("Retry-After") != "1" {
				t.Errorf("%s: %d, answered %d times, %v", name, w.Code, w.headers, w.Header())
			}
		}
	})
}

func TestEmail_badRequest(t *testing.T) {
	for _, address := range []string{"", "ann", "@example.com", "ann@", strings.Repeat("a", 255)} {
		if _, err := ratelimit.Email(address); !errors.Is(err, ratelimit.ErrBadRequest) {
			t.Errorf("%.10q: %v", address, err)
		}
	}
}
