package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// guardOf returns a guard for which the token "x" says c.
func guardOf(c *caller) *guard {
	return middleware.New(stub{"x": c}, middleware.Config{Logger: quiet})
}

func TestOnly(t *testing.T) {
	g := newGuard()
	t.Run("PG-01 no party", func(t *testing.T) { refused(t, g.Only(admin, user).Handler, bearer("Bearer nobody"), 403, forbidden) })
	t.Run("PG-02 wrong party", func(t *testing.T) { refused(t, g.Only(admin).Handler, bearer("Bearer token-b"), 403, forbidden) })
	t.Run("right party", func(t *testing.T) {
		admitted(t, g.Only(admin).Handler, bearer("Bearer token-a"), "a")
		admitted(t, g.Only(user, admin).Handler, bearer("Bearer token-a"), "a")
		admitted(t, g.Only(user, admin).Handler, bearer("Bearer token-b"), "b")
	})
	t.Run("token before party", func(t *testing.T) {
		refused(t, g.Only(admin).Handler, bearer(), 401, missing)
		refused(t, g.Only(admin).Handler, bearer("Bearer token-c"), 401, invalid)
	})
	for _, p := range []claims.Party{"Admin", "ADMIN", " admin", "admin ", "admin\n", "admin\x00", "\u0430dmin", "a\u0300dmin", "admi", "admin,user", ""} {
		t.Run(fmt.Sprintf("PG-03 %+q", p), func(t *testing.T) {
			refused(t, guardOf(&caller{Party: p}).Only(admin).Handler, bearer("Bearer x"), 403, forbidden)
		})
	}
	t.Run("PG-13 a service with the name of a user", func(t *testing.T) {
		service := guardOf(&caller{Subject: "a", Party: "service"})
		refused(t, service.Only(admin, user).Handler, bearer("Bearer x"), 403, forbidden)
	})
	t.Run("the list is copied", func(t *testing.T) {
		more := append(make([]claims.Party, 0, 2), user)
		narrow := g.Only(admin, more...)
		_ = append(more, "service")
		more[0] = "service"
		admitted(t, narrow.Handler, bearer("Bearer token-a"), "a")
		admitted(t, narrow.Handler, bearer("Bearer token-b"), "b")
		refused(t, guardOf(&caller{Party: "service"}).Only(admin, user).Handler, bearer("Bearer x"), 403, forbidden)
	})
}

// TestFrom tells apart what two issuers call by one name: a partner's Admin is not
// ours.
func TestFrom(t *testing.T) {
	const our, partner = "https://id.example", "https://partner.example"
	g := middleware.New(stub{
		"ours":   {Subject: "a", Issuer: our, Party: admin, Scope: []string{"read"}},
		"theirs": {Subject: "a", Issuer: partner, Party: admin, Scope: []string{"read"}},
		"none":   {Subject: "a", Party: admin},
	}, middleware.Config{Logger: quiet})
	for name, narrow := range map[string]*guard{
		"issuer, then party": g.From(our).Only(admin), "party, then issuer": g.Only(admin).From(our), "scope": g.Scope("read").From(our),
		"what both admit": g.From(our, partner).From(our),
	} {
		t.Run(name, func(t *testing.T) {
			admitted(t, narrow.Handler, bearer("Bearer ours"), "a")
			for _, other := range []string{"theirs", "none"} {
				if w := serve(narrow.Handler(new(room)), bearer("Bearer "+other)); w.Code != 403 {
					t.Errorf("%s: answer %d", other, w.Code)
				}
			}
			refused(t, narrow.Optional, bearer("Bearer none"), 403, w403(name))
		})
	}
	admitted(t, g.From(partner, our).Handler, bearer("Bearer theirs"), "a")
	admitted(t, g.Handler, bearer("Bearer theirs"), "a") // the original is as it was
	refused(t, g.From(our).Handler, bearer(), 401, missing)
	refused(t, g.From(our).Optional, bearer(), 401, missing)
	for _, like := range []string{our + "/", "https://ID.example", "https://id.exampl", ""} {
		lookalike := middleware.New(stub{"x": {Issuer: like, Party: admin}}, middleware.Config{Logger: quiet}).From(our)
		refused(t, lookalike.Handler, bearer("Bearer x"), 403, forbidden)
	}
	refused(t, g.From("").Handler, bearer("Bearer ours"), 503, "")
	refused(t, g.From(our, "").Handler, bearer("Bearer none"), 503, "")
	t.Run("the list is copied", func(t *testing.T) {
		more := []string{our}
		narrow := g.From("https://x.example", more...)
		more[0] = partner
		refused(t, narrow.Handler, bearer("Bearer theirs"), 403, forbidden)
	})
}

// w403 is the challenge of a refusal by a narrowing of TestFrom.
func w403(name string) string {
	if name == "scope" {
		return forbidden + `, scope="read"`
	}
	return forbidden
}

func TestPartyOfOtherTypes(t *testing.T) {
	g := middleware.New(realVerifier(t), middleware.Config{Logger: quiet}).Only("admin", "1", "true", "null")
	for _, party := range []string{`["user","admin"]`, `{"type":"admin"}`, `1`, `true`, `null`} {
		t.Run("PG-04 "+party, func(t *testing.T) {
			w := serve(g.Handler(new(room)), bearer("Bearer "+token(t, goodHeader, goodPayload(`,"party":`+party))))
			if w.Code != 401 && w.Code != 403 {
				t.Errorf("answer %d", w.Code)
			}
		})
	}
	admitted(t, g.Handler, bearer("Bearer "+token(t, goodHeader, goodPayload(`,"party":"admin"`))), "u1")
}

func TestScope(t *testing.T) {
	const read, both = forbidden + `, scope="orders:read"`, forbidden + `, scope="orders:write orders:read"`
	g := newGuard()
	t.Run("all are needed", func(t *testing.T) {
		admitted(t, g.Scope("orders:write", "orders:read").Handler, bearer("Bearer token-a"), "a")
		refused(t, g.Scope("orders:write", "orders:read").Handler, bearer("Bearer token-b"), 403, both)
		refused(t, g.Scope("orders:write").Scope("orders:read").Handler, bearer("Bearer token-b"), 403, both)
		refused(t, g.Scope("orders:write").Scope("orders:read", "orders:write").Handler, bearer("Bearer token-b"), 403, both)
	})
	t.Run("none of them", func(t *testing.T) { refused(t, g.Scope("orders:read").Handler, bearer("Bearer nobody"), 403, read) })
	t.Run("named whichever narrowing refuses", func(t *testing.T) {
		refused(t, g.Only(admin).Scope("orders:read").Handler, bearer("Bearer token-b"), 403, read)
	})
	t.Run("not named without a good token", func(t *testing.T) {
		refused(t, g.Scope("orders:read").Handler, bearer(), 401, missing)
		refused(t, g.Scope("orders:read").Handler, bearer("Bearer c"), 401, invalid)
	})
	for _, s := range []string{"orders:rea", "orders:read2", "Orders:read", "orders"} {
		t.Run("exactly "+s, func(t *testing.T) {
			refused(t, g.Scope(s).Handler, bearer("Bearer token-b"), 403, forbidden+`, scope="`+s+`"`)
		})
	}
	t.Run("one string of several is no scope", func(t *testing.T) {
		joined := guardOf(&caller{Scope: []string{"orders:read orders:write"}})
		refused(t, joined.Scope("orders:read").Handler, bearer("Bearer x"), 403, read)
	})
	t.Run("the list is copied", func(t *testing.T) {
		list := []string{"orders:write"}
		narrow := g.Scope(list...)
		list[0] = "orders:read"
		refused(t, narrow.Handler, bearer("Bearer token-b"), 403, forbidden+`, scope="orders:write"`)
	})
}

func TestRequire(t *testing.T) {
	own := fmt.Errorf("%w: not the caller's", middleware.ErrForbidden)
	rows := []struct {
		name      string
		err       error
		status    int
		challenge string
	}{
		{"any error", errors.New("dial tcp: refused"), 503, ""},
		{"ErrForbidden", own, 403, forbidden},
		{"ErrMissing is not anonymous", middleware.ErrMissing, 503, ""},
		{"ErrMalformed", middleware.ErrMalformed, 503, ""},
		{"claims.ErrInvalid", fmt.Errorf("revoked: %w", claims.ErrInvalid), 401, invalid},
		{"claims.ErrExpired", claims.ErrExpired, 401, invalid},
		{"ErrUnavailable", fmt.Errorf("%w: store", middleware.ErrUnavailable), 503, ""},
		{"deadline", fmt.Errorf("store: %w", context.DeadlineExceeded), 503, ""},
		{"canceled", context.Canceled, 503, ""},
		{"both", errors.Join(claims.ErrInvalid, middleware.ErrUnavailable), 503, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			g := newGuard().Require(func(*http.Request, *caller) error { return row.err })
			refused(t, g.Handler, bearer("Bearer token-a"), row.status, row.challenge)
			refused(t, g.Optional, bearer("Bearer token-a"), row.status, row.challenge)
			_, err := g.Check(bearer("Bearer token-a"))
			if middleware.Status(err) != row.status || !errors.Is(err, row.err) {
				t.Errorf("Check: %v with status %d, want %d", err, middleware.Status(err), row.status)
			}
		})
	}
	t.Run("PG-14 another tenant", func(t *testing.T) {
		g := newGuard().Only(admin).Require(func(r *http.Request, c *caller) error {
			if r.URL.Query().Get("tenant") != c.App.Tenant {
				return own
			}
			return nil
		})
		r := bearer("Bearer token-a")
		r.URL.RawQuery = "tenant=t2"
		refused(t, g.Handler, r, 403, forbidden)
		r.URL.RawQuery = "tenant=t1"
		admitted(t, g.Handler, r, "a")
	})
	t.Run("only for good tokens that passed before", func(t *testing.T) {
		never := func(*http.Request, *caller) error { t.Error("called"); return nil }
		refused(t, newGuard().Require(never).Handler, bearer("Bearer token-c"), 401, invalid)
		refused(t, newGuard().Require(never).Optional, bearer(), 401, missing)
		refused(t, newGuard().Only(admin).Require(never).Handler, bearer("Bearer token-b"), 403, forbidden)
		refused(t, newGuard().Require(func(*http.Request, *caller) error { return own }).Require(never).Handler, bearer("Bearer token-b"), 403, forbidden)
	})
}

// TestNarrowing shows that narrowing never widens and never changes the
// original, in any order.
func TestNarrowing(t *testing.T) {
	g := newGuard()
	wide := g.Only(admin, user)
	narrow := wide.Only(admin)
	t.Run("intersection", func(t *testing.T) {
		refused(t, narrow.Handler, bearer("Bearer token-b"), 403, forbidden)
		refused(t, narrow.Only(admin, user).Handler, bearer("Bearer token-b"), 403, forbidden)
		refused(t, g.Only(admin).Only(user).Handler, bearer("Bearer token-a"), 403, forbidden)
	})
	t.Run("the original is as it was", func(t *testing.T) {
		admitted(t, wide.Handler, bearer("Bearer token-b"), "b")
		admitted(t, g.Handler, bearer("Bearer nobody"), "n")
	})
	t.Run("siblings share nothing", func(t *testing.T) {
		base := g.Only(admin, user).Scope("orders:read").Only(admin, user)
		left, right := base.Scope("left"), base.Scope("orders:write")
		refused(t, left.Handler, bearer("Bearer token-a"), 403, forbidden+`, scope="orders:read left"`)
		admitted(t, right.Handler, bearer("Bearer token-a"), "a")
		admitted(t, base.Handler, bearer("Bearer token-b"), "b")
	})
	t.Run("PG-11 nested guards", func(t *testing.T) {
		both := func(next http.Handler) http.Handler { return wide.Handler(narrow.Handler(next)) }
		refused(t, both, bearer("Bearer token-b"), 403, forbidden)
		refused(t, both, bearer("Bearer nobody"), 403, forbidden)
		admitted(t, both, bearer("Bearer token-a"), "a")
		turned := func(next http.Handler) http.Handler { return narrow.Handler(wide.Handler(next)) }
		refused(t, turned, bearer("Bearer token-b"), 403, forbidden)
	})
}

func TestOptional(t *testing.T) {
	g := newGuard()
	t.Run("anonymous", func(t *testing.T) {
		admitted(t, g.Optional, bearer(), "anonymous")
		admitted(t, g.Optional, bearer("Basic dTpw"), "anonymous")
	})
	t.Run("known", func(t *testing.T) { admitted(t, g.Optional, bearer("Bearer token-a"), "a") })
	t.Run("a bad token is not anonymous", func(t *testing.T) {
		refused(t, g.Optional, bearer("Bearer token-c"), 401, invalid)
		refused(t, g.Optional, bearer("Bearer"), 400, malformed)
		down := middleware.New(failing(errors.New("down")), middleware.Config{Logger: quiet})
		refused(t, down.Optional, bearer("Bearer token-a"), 503, "")
	})
	t.Run("a verifier's ErrMissing is not anonymous", func(t *testing.T) {
		odd := middleware.New(failing(middleware.ErrMissing), middleware.Config{Logger: quiet})
		refused(t, odd.Optional, bearer("Bearer token-a"), 503, "")
	})
	t.Run("anonymous passes no narrowing", func(t *testing.T) {
		refused(t, g.Only(admin).Optional, bearer(), 401, missing)
		refused(t, g.Scope("x").Optional, bearer(), 401, missing)
		refused(t, g.Require(func(*http.Request, *caller) error { return nil }).Optional, bearer(), 401, missing)
		refused(t, g.Only(admin).Optional, bearer("Bearer token-b"), 403, forbidden)
		admitted(t, g.Only(admin).Optional, bearer("Bearer token-a"), "a")
	})
	t.Run("nested guards check for themselves", func(t *testing.T) {
		refused(t, func(next http.Handler) http.Handler { return g.Optional(g.Handler(next)) }, bearer(), 401, missing)
		refused(t, func(next http.Handler) http.Handler { return g.Handler(g.Optional(next)) }, bearer(), 401, missing)
	})
	t.Run("the innermost guard is believed", func(t *testing.T) {
		byCookie := middleware.New(people, middleware.Config{Cookie: "t", Logger: quiet})
		r := bearer()
		r.Header.Set("Cookie", "t=token-a")
		admitted(t, func(next http.Handler) http.Handler { return byCookie.Handler(g.Optional(next)) }, r, "anonymous")
		admitted(t, func(next http.Handler) http.Handler { return g.Optional(byCookie.Handler(next)) }, r, "a")
	})
}

// TestInfluence tries to be somebody by other means than the token.
func TestInfluence(t *testing.T) {
	t.Run("PG-08 client headers", func(t *testing.T) {
		r := bearer("Bearer token-b")
		for _, h := range []string{"X-Party-Type", "X-User-Id", "X-Forwarded-User", "X-Party"} {
			r.Header.Set(h, "admin")
		}
		refused(t, newGuard().Only(admin).Handler, r, 403, forbidden)
		admitted(t, newGuard().Handler, r, "b")
	})
	t.Run("PG-09 foreign context values", func(t *testing.T) {
		type claimsKey struct{}
		ctx := t.Context()
		for _, key := range []any{"claims", "user", "contextKey", claimsKey{}, struct{}{}} {
			ctx = context.WithValue(ctx, key, people["token-a"])
		}
		refused(t, newGuard().Only(admin).Handler, bearer("Bearer token-b").WithContext(ctx), 403, forbidden)
		admitted(t, newGuard().Handler, bearer("Bearer token-b").WithContext(ctx), "b")
		admitted(t, newGuard().Optional, bearer().WithContext(ctx), "anonymous")
	})
	t.Run("PG-09 claims put there before", func(t *testing.T) {
		ctx := claims.NewContext(t.Context(), people["token-a"])
		refused(t, newGuard().Handler, bearer().WithContext(ctx), 401, missing)
		refused(t, newGuard().Only(admin).Handler, bearer("Bearer token-b").WithContext(ctx), 403, forbidden)
		admitted(t, newGuard().Optional, bearer().WithContext(ctx), "anonymous")
	})
	t.Run("PG-12 a panic of the handler before", func(t *testing.T) {
		guarded := newGuard().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, _ := claims.FromContext[account](r.Context())
			if c.Subject == "a" {
				panic("handler of a")
			}
			io.WriteString(w, c.Subject)
		}))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() { _ = recover() }() // keeps the connection
			guarded.ServeHTTP(w, r)
		}))
		defer server.Close()
		for _, who := range []string{"token-a", "token-b"} {
			r, _ := http.NewRequest("GET", server.URL, nil)
			r.Header.Set("Authorization", "Bearer "+who)
			resp, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if want := map[string]string{"token-a": "", "token-b": "b"}[who]; string(body) != want {
				t.Errorf("%s is %q", who, body)
			}
		}
	})
}

// TestStreaming outlives its token.
func TestStreaming(t *testing.T) {
	t.Run("PG-15 checked at the start only", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := middleware.New(realVerifier(t), middleware.Config{Logger: quiet})
			value := "Bearer " + token(t, goodHeader, goodPayload(""))
			h := g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, "before ")
				time.Sleep(2 * time.Hour)
				io.WriteString(w, "after")
				w.(http.Flusher).Flush()
			}))
			if w := serve(h, bearer(value)); w.Body.String() != "before after" || !w.Flushed {
				t.Errorf("body %q", w.Body)
			}
			refused(t, g.Handler, bearer(value), 401, invalid)
		})
	})
}

func TestConcurrent(t *testing.T) {
	t.Run("PG-17 each sees itself", func(t *testing.T) {
		many := stub{}
		for i := range 100 {
			name := fmt.Sprint("p", i)
			many[name] = &caller{Subject: name, Party: admin, Scope: []string{"s"}}
		}
		base := middleware.New(many, middleware.Config{Logger: quiet})
		h := base.Only(admin).Scope("s").Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, _ := claims.FromContext[account](r.Context())
			io.WriteString(w, c.Subject)
		}))
		var all sync.WaitGroup
		for name := range many {
			all.Go(func() {
				for range 20 {
					if w := serve(h, bearer("Bearer "+name)); w.Body.String() != name {
						t.Errorf("%s is %s", name, w.Body)
					}
					base.Only(user).Scope(strings.ToUpper(name)) // narrowing beside serving
				}
			})
		}
		all.Wait()
	})
}
