package issuer_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

func TestRenew(t *testing.T) {
	var renew func(context.Context, *claims.Claims[account]) error
	start := func(t *testing.T) (*issuer.Issuer[account], *claims.Verifier[account], issuer.Pair) {
		tokens := newIssuer(t, issuer.Config[account]{Renew: func(ctx context.Context, c *claims.Claims[account]) error { return renew(ctx, c) }})
		pair, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: "alice", Party: "Admin", Scope: []string{"read", "write"}, App: account{7}})
		if err != nil {
			t.Fatal(err)
		}
		return tokens, verifier(t, tokens, claims.Dialect{}), pair
	}
	t.Run("RF-23 a lowered role is in the next token, and stays", func(t *testing.T) {
		tokens, verify, pair := start(t)
		renew = func(_ context.Context, c *claims.Claims[account]) error {
			if c.Subject != "alice" || c.Party != "Admin" || c.App.Company != 7 || len(c.Scope) != 2 || c.Session != pair.Session {
				t.Errorf("Renew sees %+v", c)
			}
			c.Party, c.Scope, c.App.Company = "Guest", c.Scope[:1], 8
			return nil
		}
		next := refresh(t, tokens, pair.RefreshToken)
		renew = func(_ context.Context, c *claims.Claims[account]) error { return nil }
		for range 2 {
			c, err := verify.Verify(t.Context(), next.AccessToken)
			if err != nil || c.Party != "Guest" || len(c.Scope) != 1 || c.App.Company != 8 || next.Scope != "read" {
				t.Errorf("%+v, %v", c, err)
			}
			next = refresh(t, tokens, next.RefreshToken)
		}
	})
	t.Run("RF-23 a disabled account's session ends", func(t *testing.T) {
		tokens, _, pair := start(t)
		renew = func(context.Context, *claims.Claims[account]) error {
			return errors.Join(errors.New("disabled"), issuer.ErrRefused)
		}
		refused(t, tokens, pair.RefreshToken, issuer.ErrGrant)
		renew = func(context.Context, *claims.Claims[account]) error { return nil }
		refused(t, tokens, pair.RefreshToken, issuer.ErrGrant)
	})
	t.Run("a failure spends nothing", func(t *testing.T) {
		tokens, _, pair := start(t)
		broken := errors.New("database is away")
		renew = func(context.Context, *claims.Claims[account]) error { return broken }
		got, err := tokens.Refresh(t.Context(), pair.RefreshToken)
		if !errors.Is(err, broken) || errors.Is(err, issuer.ErrGrant) || got != (issuer.Pair{}) {
			t.Errorf("%v, %v", got, err)
		}
		renew = func(_ context.Context, c *claims.Claims[account]) error { c.Subject = "mallory"; return nil }
		if got, err := tokens.Refresh(t.Context(), pair.RefreshToken); err == nil || errors.Is(err, issuer.ErrGrant) || got != (issuer.Pair{}) {
			t.Errorf("another subject: %v, %v", got, err)
		}
		renew = func(context.Context, *claims.Claims[account]) error { panic("oh") }
		func() {
			defer func() { recover() }()
			tokens.Refresh(t.Context(), pair.RefreshToken)
		}()
		renew = func(context.Context, *claims.Claims[account]) error { return nil }
		refresh(t, tokens, pair.RefreshToken)
	})
	t.Run("a spent token is not renewed", func(t *testing.T) {
		tokens, _, pair := start(t)
		renew = func(context.Context, *claims.Claims[account]) error { return nil }
		refresh(t, tokens, pair.RefreshToken)
		renew = func(context.Context, *claims.Claims[account]) error { t.Error("Renew is called"); return nil }
		refused(t, tokens, pair.RefreshToken, issuer.ErrReused)
	})
}

func TestRevoke(t *testing.T) {
	t.Run("RF-20 twice, unknown, expired: no error, and only that session", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		phone, laptop := issue(t, tokens, "alice"), issue(t, tokens, "alice")
		foreign := issue(t, newIssuer(t, issuer.Config[account]{}), "alice")
		for _, token := range []string{phone.RefreshToken, phone.RefreshToken, foreign.RefreshToken, "", "x", phone.AccessToken} {
			if err := tokens.Revoke(t.Context(), token); err != nil {
				t.Error(err)
			}
		}
		refused(t, tokens, phone.RefreshToken, issuer.ErrGrant)
		refresh(t, tokens, laptop.RefreshToken)
	})
	inBubble(t, "RF-20 an expired token", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		pair := issue(t, tokens, "alice")
		time.Sleep(40 * day)
		if err := tokens.Revoke(t.Context(), pair.RefreshToken); err != nil {
			t.Error(err)
		}
	})
	t.Run("a spent token ends its session too", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		first := issue(t, tokens, "alice")
		next := refresh(t, tokens, first.RefreshToken)
		if err := tokens.Revoke(t.Context(), first.RefreshToken); err != nil {
			t.Error(err)
		}
		refused(t, tokens, next.RefreshToken, issuer.ErrGrant)
	})
	t.Run("RF-19 all sessions of a subject, and nobody else's", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		mine := []issuer.Pair{issue(t, tokens, "alice"), issue(t, tokens, "alice"), issue(t, tokens, "alice")}
		other := issue(t, tokens, "alic")
		mine[0] = refresh(t, tokens, mine[0].RefreshToken)
		if err := tokens.RevokeAll(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		for _, pair := range mine {
			refused(t, tokens, pair.RefreshToken, issuer.ErrGrant)
		}
		refresh(t, tokens, other.RefreshToken)
		if err := tokens.RevokeAll(t.Context(), " "); err == nil {
			t.Error("a blank subject is revoked")
		}
		issue(t, tokens, "alice")
	})
	t.Run("one session by its id, only by its owner", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		pair := issue(t, tokens, "alice")
		if err := tokens.RevokeSession(t.Context(), "mallory", pair.Session); err != nil {
			t.Error(err)
		}
		pair = refresh(t, tokens, pair.RefreshToken)
		if err := tokens.RevokeSession(t.Context(), "alice", pair.Session); err != nil {
			t.Error(err)
		}
		refused(t, tokens, pair.RefreshToken, issuer.ErrGrant)
	})
}

func TestSessions(t *testing.T) {
	inBubble(t, "live ones, last used first, labelled", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		label := func(label string) issuer.Pair {
			pair, err := tokens.Issue(issuer.WithLabel(t.Context(), label), claims.Claims[account]{Subject: "alice"})
			if err != nil {
				t.Fatal(err)
			}
			return pair
		}
		start := time.Now()
		phone, laptop, lost := label("a \x1b[31mphone\n\xff"), label("a laptop"), label("lost")
		issue(t, tokens, "bob")
		time.Sleep(time.Hour)
		refresh(t, tokens, phone.RefreshToken)
		if err := tokens.Revoke(t.Context(), lost.RefreshToken); err != nil {
			t.Fatal(err)
		}
		got, err := tokens.Sessions(t.Context(), "alice")
		if err != nil || len(got) != 2 {
			t.Fatalf("%v, %v", got, err)
		}
		if s := got[0]; s.ID != phone.Session || s.Label != "a [31mphone" || !s.Created.Equal(start) || !s.Used.Equal(start.Add(time.Hour)) || !s.Expiry.Equal(time.Now().Add(7*day)) {
			t.Errorf("first %+v", s)
		}
		if s := got[1]; s.ID != laptop.Session || s.Label != "a laptop" || !s.Used.Equal(start) {
			t.Errorf("second %+v", s)
		}
		time.Sleep(7 * day)
		if got, err := tokens.Sessions(t.Context(), "alice"); err != nil || len(got) != 0 {
			t.Errorf("after all expired: %v, %v", got, err)
		}
	})
}

// TestExactNumbers: an integer above 2^53, such as a snowflake id, is the same number in
// the token that is issued and in each that is refreshed, whatever App is.
func TestExactNumbers(t *testing.T) {
	const id = "9007199254740993"
	key, err := signing.NewSecret("HS256", "", []byte("a secret of thirty-two bytes ...."), always)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := issuer.New(issuer.Config[map[string]any]{Issuer: "https://id.example", Audience: []string{"api"},
		Keys: schedule(t, key), Store: issuer.NewMemoryStore(),
		Renew: func(_ context.Context, c *claims.Claims[map[string]any]) error {
			if n, ok := c.App["n"].(json.Number); !ok || n != id {
				t.Errorf("Renew sees %v, a %T", c.App["n"], c.App["n"])
			}
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tokens.Issue(t.Context(), claims.Claims[map[string]any]{Subject: "alice", App: map[string]any{"n": json.Number(id), "inner": map[string]any{"m": json.Number(id)}}})
	for range 3 {
		if err != nil {
			t.Fatal(err)
		}
		payload, err2 := base64.RawURLEncoding.DecodeString(strings.Split(pair.AccessToken, ".")[1])
		if err2 != nil || strings.Count(string(payload), id) != 2 {
			t.Errorf("payload %s, %v", payload, err2)
		}
		pair, err = tokens.Refresh(t.Context(), pair.RefreshToken)
	}
}
