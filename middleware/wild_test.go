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

// TestFieldsOfAnotherAnswer has an outer handler that describes another answer, and a
// Deny that looks, sets the fields anew, and writes nothing.
func TestFieldsOfAnotherAnswer(t *testing.T) {
	of := []string{"Content-Length", "ETag", "Last-Modified"}
	for name, deny := range map[string]func(http.ResponseWriter, *http.Request, error){
		"no Deny": nil,
		"a silent Deny": func(w http.ResponseWriter, _ *http.Request, _ error) {
			for _, field := range of {
				if w.Header().Get(field) != "" {
					t.Errorf("Deny gets %s", field)
				}
				w.Header().Set(field, "3")
			}
		},
	} {
		for _, s := range situations(middleware.Config{Logger: quiet, Deny: deny}) {
			w := httptest.NewRecorder()
			for _, field := range of {
				w.Header().Set(field, "3")
			}
			s.g.Handler(new(room)).ServeHTTP(w, s.r())
			for _, field := range of {
				if w.Code != s.status || w.Header().Get(field) != "" || w.Body.Len() < 10 {
					t.Errorf("%s, %s: %d, %s %q", name, s.name, w.Code, field, w.Header().Get(field))
				}
			}
		}
	}
}

// spoken is an error that counts how often somebody asks for its text.
type spoken struct{ times *int }

func (s spoken) Error() string { *s.times++; return "spoken" }
func (spoken) Unwrap() error   { return claims.ErrInvalid }

// TestNoText: a refusal that nobody logs costs no text, one that is logged costs one.
func TestNoText(t *testing.T) {
	var times int
	var seen []lines
	level := new(slog.LevelVar)
	level.Set(slog.LevelDebug)
	g := middleware.New(failing(spoken{&times}), middleware.Config{Logger: recorded(&seen, slog.LevelInfo), RefusalLevel: level})
	refused(t, g.Handler, bearer("Bearer x"), 401, invalid)
	if _, err := g.Check(bearer("Bearer x")); err == nil || times != 0 || len(seen) != 0 {
		t.Errorf("unlogged: %v, %d texts, logged %q", err, times, seen)
	}
	level.Set(slog.LevelInfo)
	refused(t, g.Handler, bearer("Bearer x"), 401, invalid)
	if times != 1 || len(seen) != 1 {
		t.Errorf("logged: %d texts, logged %q", times, seen)
	}
}

// TestLongPath: what a stranger asks for is cut in the line.
func TestLongPath(t *testing.T) {
	var seen []lines
	g := middleware.New(people, middleware.Config{Logger: recorded(&seen, slog.LevelDebug)})
	r := bearer()
	r.Method, r.URL.Path = strings.Repeat("M", 5000), "/"+strings.Repeat("\n", 5000)
	serve(g.Handler(new(room)), r)
	if len(seen) != 1 || len(seen[0].path) > 4<<10 || len(seen[0].method) > 1<<10 || !strings.HasPrefix(seen[0].path, `/\x0a`) || !strings.HasSuffix(seen[0].path, "...") {
		t.Errorf("logged %.200q", seen)
	}
}

// cookied is a GET request with the cookie t.
func cookied(value string) *http.Request {
	r := bearer()
	r.Header.Set("Cookie", "t="+value)
	return r
}

// TestCookieCaching: where a cookie may decide, caches are told so.
func TestCookieCaching(t *testing.T) {
	byCookie := middleware.New(people, middleware.Config{Cookie: "t", Logger: quiet})
	says := func(word string) func(http.Handler) http.Handler { // further out
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", word)
				w.Header().Set("Vary", "Accept")
				next.ServeHTTP(w, r)
			})
		}
	}
	own := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "max-age=9") })
	for _, row := range []struct {
		name          string
		h             http.Handler
		r             *http.Request
		vary, control string
	}{
		{"known", byCookie.Handler(new(room)), cookied("token-a"), "Cookie", "private"},
		{"known by header", byCookie.Handler(new(room)), bearer("Bearer token-a"), "Cookie", "private"},
		{"known at a public page", byCookie.Optional(new(room)), cookied("token-a"), "Cookie", "private"},
		{"anonymous", byCookie.Optional(new(room)), bearer(), "Cookie", ""},
		{"anonymous with a bad cookie", byCookie.Optional(new(room)), cookied("token-c"), "Cookie", ""},
		{"refused", byCookie.Handler(new(room)), cookied("token-c"), "", "no-store"},
		{"the handler decides", byCookie.Handler(own), cookied("token-a"), "Cookie", "max-age=9"},
		{"no-store further out is kept", says("no-store")(byCookie.Handler(new(room))), cookied("token-a"), "Accept, Cookie", "no-store"},
		{"nested", byCookie.Optional(byCookie.Handler(new(room))), cookied("token-a"), "Cookie", "private"},
		{"no cookie configured", newGuard().Handler(new(room)), bearer("Bearer token-a"), "", ""},
	} {
		h := serve(row.h, row.r).Header()
		if vary := strings.Join(h.Values("Vary"), ", "); vary != row.vary || h.Get("Cache-Control") != row.control {
			t.Errorf("%s: Vary %q, Cache-Control %q", row.name, vary, h.Get("Cache-Control"))
		}
	}
}

// TestOptionalBadCookie: a browser sends an expired cookie to a public page unasked, and
// scripts can't remove an HttpOnly one. The page must not be lost by it.
func TestOptionalBadCookie(t *testing.T) {
	g := middleware.New(people, middleware.Config{Cookie: "t", Logger: quiet})
	for _, bad := range []string{"token-c", "not!b64", `"token-a"`} {
		admitted(t, g.Optional, cookied(bad), "anonymous")
		refused(t, g.Handler, cookied(bad), 401, invalid)
		refused(t, g.Only(admin).Optional, cookied(bad), 401, invalid)
	}
	admitted(t, g.Optional, cookied("token-a"), "a")
	// A header is sent on purpose, and hides the cookie.
	r := cookied("token-a")
	r.Header.Set("Authorization", "Bearer token-c")
	refused(t, g.Optional, r, 401, invalid)
	// Two cookies are no expired one; and what could not be checked is not bad.
	r = cookied("token-c")
	r.Header.Add("Cookie", "t=token-a")
	refused(t, g.Optional, r, 400, malformed)
	down := middleware.New(failing(errors.New("down")), middleware.Config{Cookie: "t", Logger: quiet})
	refused(t, down.Optional, cookied("token-a"), 503, "")
	// An outer guard's caller is not believed instead.
	r = cookied("token-c")
	outer := middleware.New(stub{"token-c": {Subject: "outer"}}, middleware.Config{Cookie: "t", Logger: quiet})
	admitted(t, func(next http.Handler) http.Handler { return outer.Handler(g.Optional(next)) }, r, "anonymous")
}
