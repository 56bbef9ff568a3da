package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// TestCheckText hands the error of Check on, as connect-go and oapi-codegen do with
// errors: its text is fixed, and the reason is behind it.
func TestCheckText(t *testing.T) {
	reason := fmt.Errorf("%w: wrong issuer: iss: expected \"https://a\", found \"https://b\": Config.Issuer", claims.ErrInvalid)
	g := middleware.New(failing(reason), middleware.Config{Logger: quiet})
	_, err := g.Check(bearer("Bearer x"))
	if err == nil || err.Error() != claims.ErrInvalid.Error() {
		t.Errorf("the text is %q", err)
	}
	if !errors.Is(err, reason) || !errors.Is(err, claims.ErrInvalid) || errors.Unwrap(err) == nil {
		t.Errorf("the reason is lost: %v", errors.Unwrap(err))
	}
	var text string
	deny := func(w http.ResponseWriter, r *http.Request, err error) { text = err.Error() }
	serve(middleware.New(failing(reason), middleware.Config{Logger: quiet, Deny: deny}).Handler(new(room)), bearer("Bearer x"))
	if text != claims.ErrInvalid.Error() {
		t.Errorf("Deny gets %q", text)
	}
}

// lines records what is logged.
type lines struct{ level, method, path, reason, stack string }

func recorded(into *[]lines, enabled slog.Level) *slog.Logger {
	return slog.New(leveled{recorder(func(r slog.Record) {
		l := lines{level: r.Level.String()}
		r.Attrs(func(a slog.Attr) bool {
			switch a.Key {
			case "method":
				l.method = a.Value.String()
			case "path":
				l.path = a.Value.String()
			case "reason":
				l.reason = a.Value.String()
			case "stack":
				l.stack = a.Value.String()
			}
			return true
		})
		*into = append(*into, l)
	}), enabled})
}

type leveled struct {
	slog.Handler
	least slog.Level
}

func (l leveled) Enabled(_ context.Context, level slog.Level) bool { return level >= l.least }

// TestRefusalLevel raises the level while the guard serves, and lowers it again. The
// answer never changes.
func TestRefusalLevel(t *testing.T) {
	var seen []lines
	level := new(slog.LevelVar)
	level.Set(slog.LevelDebug)
	g := middleware.New(people, middleware.Config{Logger: recorded(&seen, slog.LevelInfo), RefusalLevel: level})
	ask := func() string {
		r := httptest.NewRequest("POST", "/orders/%0a7", nil)
		r.Header.Set("Authorization", "Bearer nonsense")
		return refused(t, g.Handler, r, 401, invalid).Body.String()
	}
	before := ask()
	level.Set(slog.LevelWarn)
	during := ask()
	level.Set(slog.LevelDebug)
	if after := ask(); before != during || before != after {
		t.Error("the answer depends on the level")
	}
	if len(seen) != 1 || seen[0].level != "WARN" || seen[0].method != "POST" || seen[0].path != `/orders/\x0a7` || !strings.Contains(seen[0].reason, "not in the stub") {
		t.Errorf("logged %q", seen)
	}
}

// TestPanicAlarm has a 503 and a panic within one second: both are logged, the panic
// with its stack.
func TestPanicAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []lines
		down := false
		g := middleware.New(verifyFunc(func(context.Context, string) (*caller, error) {
			if down {
				return nil, errors.New("down")
			}
			panic("broken")
		}), middleware.Config{Logger: recorded(&seen, slog.LevelError)})
		for range 3 {
			down = true
			serve(g.Handler(new(room)), bearer("Bearer x"))
			down = false
			serve(g.Handler(new(room)), bearer("Bearer x"))
		}
		if len(seen) != 2 || seen[0].stack != "" || !strings.Contains(seen[1].reason, "broken") || seen[1].stack == "" {
			t.Errorf("logged %q", seen)
		}
		time.Sleep(time.Second)
		serve(g.Handler(new(room)), bearer("Bearer x"))
		if len(seen) != 3 {
			t.Errorf("a second later: %d lines", len(seen))
		}
	})
}

// TestPattern has a guard around a mux, and a logger around the guard.
func TestPattern(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {})
	mux.HandleFunc("GET /panic", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	for path, pattern := range map[string]string{"/orders/7": "GET /orders/{id}", "/panic": "GET /panic", "/nowhere": ""} {
		for name, mount := range map[string]func(http.Handler) http.Handler{"Handler": newGuard().Handler, "Optional": newGuard().Optional} {
			r := bearer("Bearer token-a")
			r.URL.Path = path
			func() {
				defer func() { recover() }()
				mount(mux).ServeHTTP(httptest.NewRecorder(), r)
			}()
			if r.Pattern != pattern {
				t.Errorf("%s %s: %q outside, want %q", name, path, r.Pattern, pattern)
			}
		}
	}
}

// TestBoundToken: a token with cnf opens nothing, whatever it is bound to (RFC 9449 §7.2,
// RFC 8705 §3), unless that is switched off by name.
func TestBoundToken(t *testing.T) {
	bound := stub{"plain": {Subject: "p"}}
	for name, c := range map[string]claims.Confirmation{
		"key": {Key: "k"}, "certificate": {Certificate: "c"}, "unknown": {Unknown: true},
	} {
		bound[name] = &caller{Subject: name, Confirmation: c}
	}
	strict := middleware.New(bound, middleware.Config{Logger: quiet})
	loose := middleware.New(bound, middleware.Config{Logger: quiet, InsecureUnproven: true})
	admitted(t, strict.Handler, bearer("Bearer plain"), "p")
	for _, name := range []string{"key", "certificate", "unknown"} {
		refused(t, strict.Handler, bearer("Bearer "+name), 401, invalid)
		refused(t, strict.Optional, bearer("Bearer "+name), 401, invalid)
		admitted(t, loose.Handler, bearer("Bearer "+name), name)
	}
}

// TestCookieOrigins names origins as no browser writes them: they would never match.
func TestCookieOrigins(t *testing.T) {
	for origin, good := range map[string]bool{
		"https://app.example": true, "https://app.example:8443": true, "http://localhost:3000": true, "https://[::1]:8443": true,
		"https://*.example": false, "https://App.example": false, "https://app.example:443": false, "http://app.example:80": false,
		"https://äpp.example": false, "https://app.example/": false, "app.example": false, "null": false, "ftp://app.example": false,
		"HTTPS://app.example": false, "https://": false, "https://a b.example": false,
	} {
		g := middleware.New(people, middleware.Config{Cookie: "t", CookieOrigins: []string{origin}, Logger: quiet})
		if good {
			admitted(t, g.Handler, bearer("Bearer token-a"), "a")
		} else {
			refused(t, g.Handler, bearer("Bearer token-a"), 503, "")
		}
	}
}

// TestLengthOfDeny has a Deny that sets a length and then writes nothing.
func TestLengthOfDeny(t *testing.T) {
	g := middleware.New(people, middleware.Config{Logger: quiet, Deny: func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.Header().Set("Content-Length", "3")
	}})
	if w := refused(t, g.Handler, bearer(), 401, missing); w.Header().Get("Content-Length") != "" || w.Body.Len() < 10 {
		t.Errorf("%q, %q", w.Header(), w.Body)
	}
}
