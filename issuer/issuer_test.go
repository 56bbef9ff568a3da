package issuer_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// account is the App of most tests.
type account struct {
	Company int `json:"companyId,omitempty"`
}

// always is the time from which keys have always signed.
var always time.Time

func edKey(t testing.TB, from time.Time) *signing.Key {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := signing.NewKey("EdDSA", private, from)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func schedule(t testing.TB, keys ...*signing.Key) *signing.Schedule {
	t.Helper()
	s, err := signing.NewSchedule(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newIssuer returns an issuer with what c lacks filled in.
func newIssuer(t testing.TB, c issuer.Config[account]) *issuer.Issuer[account] {
	t.Helper()
	if c.Issuer == "" && !c.Dialect.InsecureNoIssuer {
		c.Issuer = "https://id.example"
	}
	if c.Audience == nil && !c.Dialect.InsecureNoAudience {
		c.Audience = []string{"api"}
	}
	if c.Keys == nil {
		c.Keys = schedule(t, edKey(t, always))
	}
	if c.Store == nil {
		c.Store = issuer.NewMemoryStore()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	tokens, err := issuer.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// verifier returns what a resource server has for tokens of newIssuer.
func verifier(t testing.TB, tokens *issuer.Issuer[account], d claims.Dialect) *claims.Verifier[account] {
	t.Helper()
	c := claims.Config{Keys: tokens.KeySet(), Dialect: d}
	if !d.InsecureNoIssuer {
		c.Issuer = "https://id.example"
	}
	if !d.InsecureNoAudience {
		c.Audience = []string{"api"}
	}
	v, err := claims.NewVerifier[account](c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func issue(t testing.TB, tokens *issuer.Issuer[account], subject string) issuer.Pair {
	t.Helper()
	pair, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: subject, Party: "Admin", App: account{7}})
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func refresh(t testing.TB, tokens *issuer.Issuer[account], token string) issuer.Pair {
	t.Helper()
	pair, err := tokens.Refresh(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// refused fails unless a refresh with token fails as want says and returns no
// tokens.
func refused(t testing.TB, tokens *issuer.Issuer[account], token string, want error) {
	t.Helper()
	pair, err := tokens.Refresh(t.Context(), token)
	if !errors.Is(err, want) || pair != (issuer.Pair{}) {
		t.Errorf("refresh: %v, %v, want no pair and %v", pair, err, want)
	}
}

func TestAPairOpensAndRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		verify := verifier(t, tokens, claims.Dialect{})
		first := issue(t, tokens, "alice")
		c, err := verify.Verify(t.Context(), first.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		if c.Subject != "alice" || c.Party != "Admin" || c.App.Company != 7 || c.Session != first.Session ||
			!c.Expiry.Equal(time.Now().Add(15*time.Minute)) || tokens.SessionOf(c) != first.Session {
			t.Errorf("claims are %+v", c)
		}
		second := refresh(t, tokens, first.RefreshToken)
		if _, err := verify.Verify(t.Context(), second.AccessToken); err != nil {
			t.Error(err)
		}
		if err := tokens.Revoke(t.Context(), second.RefreshToken); err != nil {
			t.Error(err)
		}
		refused(t, tokens, second.RefreshToken, issuer.ErrGrant)
	})
}

func TestZeroValuesRefuse(t *testing.T) {
	var tokens issuer.Issuer[account]
	ctx := context.Background()
	if _, err := tokens.Issue(ctx, claims.Claims[account]{Subject: "alice"}); err == nil {
		t.Error("a zero Issuer issues")
	}
	if _, err := tokens.Refresh(ctx, "x"); err == nil || errors.Is(err, issuer.ErrGrant) {
		t.Errorf("a zero Issuer judges a token: %v", err)
	}
	if err := tokens.Revoke(ctx, "x"); err == nil {
		t.Error("a zero Issuer revokes")
	}
	if err := tokens.RevokeAll(ctx, "alice"); err == nil {
		t.Error("a zero Issuer revokes all")
	}
	if err := tokens.RevokeSession(ctx, "alice", "s"); err == nil {
		t.Error("a zero Issuer revokes a session")
	}
	if _, err := tokens.Sessions(ctx, "alice"); err == nil {
		t.Error("a zero Issuer lists sessions")
	}
	if keys, err := tokens.KeySet().Keys(ctx, claims.Header{}); err == nil || keys != nil {
		t.Error("a zero Issuer has keys")
	}
	w := httptest.NewRecorder()
	if tokens.JWKS().ServeHTTP(w, httptest.NewRequest("GET", "/jwks.json", nil)); w.Code != 503 {
		t.Errorf("a zero Issuer publishes keys: %d %s", w.Code, w.Body)
	}
	if _, _, err := new(issuer.MemoryStore).Load(ctx, "s"); err == nil {
		t.Error("a zero MemoryStore loads")
	}
	if _, err := issuer.New(issuer.Config[account]{}); err == nil {
		t.Error("a zero Config is accepted")
	}
}
