package middleware_test

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// TestClosed makes guards that can't do their work.
func TestClosed(t *testing.T) {
	var noVerifier *claims.Verifier[account]
	var noFunc verifyFunc
	var noStub stub
	var nobody *guard
	with := func(c middleware.Config) *guard {
		c.Logger = quiet
		return middleware.New(people, c)
	}
	g := newGuard()
	rows := map[string]*guard{
		"PG-06 nil guard":            nobody,
		"PG-06 zero guard":           new(guard),
		"nil verifier":               middleware.New[account](nil, middleware.Config{Logger: quiet}),
		"nil *claims.Verifier":       middleware.New(noVerifier, middleware.Config{Logger: quiet}),
		"nil func":                   middleware.New(noFunc, middleware.Config{Logger: quiet}),
		"nil map":                    middleware.New(noStub, middleware.Config{Logger: quiet}),
		"zero claims.Verifier":       middleware.New(new(claims.Verifier[account]), middleware.Config{Logger: quiet}),
		"RS-11 realm with CR LF":     with(middleware.Config{Realm: "a\r\nSet-Cookie: x=1"}),
		"RS-11 realm of 10 KiB":      with(middleware.Config{Realm: strings.Repeat("a", 10<<10)}),
		"RS-11 realm beyond ASCII":   with(middleware.Config{Realm: "Tür"}),
		"realm of 257 bytes":         with(middleware.Config{Realm: strings.Repeat("a", 257)}),
		"cookie name with a space":   with(middleware.Config{Cookie: "a b"}),
		"cookie name with =":         with(middleware.Config{Cookie: "a=b"}),
		"negative RetryAfter":        with(middleware.Config{RetryAfter: -1}),
		"Only of nothing":            g.Only(""),
		"Only of admin and nothing":  g.Only(admin, user, ""),
		"Scope without scopes":       g.Scope(),
		"Scope of nothing":           g.Scope("orders:read", ""),
		"Scope of two in one":        g.Scope("orders:read orders:write"),
		"Scope with a quote":         g.Scope(`a"b`),
		"Scope with a backslash":     g.Scope(`a\b`),
		"Scope with CR LF":           g.Scope("a\r\nb"),
		"Require of nil":             g.Require(nil),
		"nil guard, narrowed":        nobody.Only(admin).Scope("orders:read"),
		"zero guard, narrowed":       new(guard).Require(func(*http.Request, *caller) error { return nil }),
		"a mistake, narrowed after":  g.Only("").Only(admin).Scope("orders:read"),
		"a mistake after narrowing":  g.Only(admin).Scope(),
		"nil guard, nothing is left": nobody.Require(nil),
	}
	for name, g := range rows {
		t.Run(name, func(t *testing.T) {
			for _, mount := range []func(http.Handler) http.Handler{g.Handler, g.Optional} {
				w := refused(t, mount, bearer("Bearer token-a"), 503, "")
				if w.Header().Get("Retry-After") != "5" {
					t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
				}
			}
			c, err := g.Check(bearer("Bearer token-a"))
			if c != nil || !errors.Is(err, middleware.ErrUnavailable) || middleware.Status(err) != 503 {
				t.Errorf("Check: %v, %v", c, err)
			}
		})
	}
	t.Run("without a token too", func(t *testing.T) {
		refused(t, nobody.Optional, bearer(), 503, "")
		refused(t, g.Only("").Handler, bearer(), 503, "")
	})
	t.Run("next is nil", func(t *testing.T) {
		if w := serve(g.Handler(nil), bearer("Bearer token-a")); w.Code != 503 {
			t.Errorf("answer %d", w.Code)
		}
	})
	t.Run("a claims.Verifier that is there", func(t *testing.T) {
		verify := realVerifier(t)
		guard := middleware.New(verify, middleware.Config{})
		admitted(t, guard.Handler, bearer("Bearer "+token(t, goodHeader, goodPayload(""))), "u1")
	})
	t.Run("realm of 256 bytes", func(t *testing.T) {
		realm := strings.Repeat("a", 256)
		refused(t, with(middleware.Config{Realm: realm}).Handler, bearer(), 401, `Bearer realm="`+realm+`"`)
	})
	t.Run("RS-11 realm with quotes", func(t *testing.T) {
		refused(t, with(middleware.Config{Realm: `the "old" \ house`}).Handler, bearer(), 401, `Bearer realm="the \"old\" \\ house"`)
	})
}

// TestClosedIsLogged counts what an unusable guard writes to the log.
func TestClosedIsLogged(t *testing.T) {
	var lines journal
	g := middleware.New[account](nil, middleware.Config{Logger: lines.logger(), Realm: "a\nb", Cookie: "c d"})
	if got := lines.String(); strings.Count(got, "level=ERROR") != 1 || strings.Count(got, "\n") != 1 {
		t.Errorf("New logged %q", got)
	}
	for _, mistake := range []string{"verifier", "Realm", "Cookie"} {
		if !strings.Contains(lines.String(), mistake) {
			t.Errorf("%s is not named in %q", mistake, lines.String())
		}
	}
	h := g.Handler(new(room))
	for range 10 {
		serve(h, bearer("Bearer token-a"))
	}
	if got := lines.String(); strings.Count(got, "level=ERROR") != 1 || strings.Count(got, "level=DEBUG") != 10 {
		t.Errorf("after ten requests the log is %q", got)
	}
}

// TestZeroIsLogged mounts what New never saw.
func TestZeroIsLogged(t *testing.T) {
	var lines journal
	defer log.SetFlags(log.Flags())
	defer log.SetOutput(log.Writer())
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(lines.logger())
	for _, g := range []*guard{nil, new(guard)} {
		lines.b.Reset()
		h := g.Handler(new(room))
		serve(h, bearer())
		serve(h, bearer())
		if got := lines.String(); strings.Count(got, "level=ERROR") != 1 || strings.Count(got, "level=DEBUG") != 2 {
			t.Errorf("log %q", got)
		}
	}
}

// TestVerifierWords is about what a verifier may return.
func TestVerifierWords(t *testing.T) {
	rows := []struct {
		name      string
		v         verifyFunc
		status    int
		challenge string
	}{
		{"nothing at all", failing(nil), 503, ""},
		{"an error of ours that is not for verifiers", failing(middleware.ErrForbidden), 503, ""},
		{"claims and an error", func(_ context.Context, _ string) (*caller, error) { return people["token-a"], errors.New("no") }, 503, ""},
		{"claims and ErrInvalid", func(_ context.Context, _ string) (*caller, error) { return people["token-a"], claims.ErrInvalid }, 401, invalid},
		{"invalid, as we are down", failing(errors.Join(claims.ErrInvalid, middleware.ErrUnavailable)), 503, ""},
		{"RF-03 a refresh token", func(_ context.Context, _ string) (*caller, error) { return &caller{Use: claims.Refresh}, nil }, 401, invalid},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			g := middleware.New(row.v, middleware.Config{Logger: quiet})
			refused(t, g.Handler, bearer("Bearer x"), row.status, row.challenge)
		})
	}
}
