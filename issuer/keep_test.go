package issuer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
)

// TestRefreshWithoutRotation keeps a refresh token as long as its session lives.
func TestRefreshWithoutRotation(t *testing.T) {
	inBubble(t, "it stays good for RefreshLife", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		verify := verifier(t, tokens, claims.Dialect{})
		pair := issue(t, tokens, "alice")
		seen := map[string]bool{}
		for range 7 {
			fresh, err := tokens.RefreshWithoutRotation(t.Context(), pair.RefreshToken)
			if err != nil || fresh.RefreshToken != "" || seen[fresh.AccessToken] || fresh.Session != pair.Session {
				t.Fatalf("%+v, %v", fresh, err)
			}
			seen[fresh.AccessToken] = true
			if c, err := verify.Verify(t.Context(), fresh.AccessToken); err != nil || c.Subject != "alice" {
				t.Errorf("%+v, %v", c, err)
			}
			time.Sleep(day)
		}
		if _, err := tokens.RefreshWithoutRotation(t.Context(), pair.RefreshToken); !errors.Is(err, issuer.ErrGrant) {
			t.Errorf("after RefreshLife: %v", err)
		}
	})
	inBubble(t, "it ends with its session", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		pair := issue(t, tokens, "alice")
		if _, err := tokens.RefreshWithoutRotation(t.Context(), pair.AccessToken); !errors.Is(err, issuer.ErrGrant) {
			t.Errorf("an access token: %v", err)
		}
		if err := tokens.Revoke(t.Context(), pair.RefreshToken); err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.RefreshWithoutRotation(t.Context(), pair.RefreshToken); !errors.Is(err, issuer.ErrGrant) {
			t.Errorf("after it was revoked: %v", err)
		}
	})
	inBubble(t, "a spent token ends its session here too", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		first := issue(t, tokens, "alice")
		second := refresh(t, tokens, first.RefreshToken)
		if _, err := tokens.RefreshWithoutRotation(t.Context(), first.RefreshToken); !errors.Is(err, issuer.ErrReused) {
			t.Errorf("%v", err)
		}
		refused(t, tokens, second.RefreshToken, issuer.ErrGrant)
	})
	inBubble(t, "nor within grace", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{Grace: 10 * time.Second})
		first := issue(t, tokens, "alice")
		second := refresh(t, tokens, first.RefreshToken)
		if _, err := tokens.RefreshWithoutRotation(t.Context(), first.RefreshToken); !errors.Is(err, issuer.ErrGrant) || errors.Is(err, issuer.ErrReused) {
			t.Errorf("%v", err)
		}
		refresh(t, tokens, second.RefreshToken)
	})
	inBubble(t, "Renew is asked", func(t *testing.T) {
		var answer error
		tokens := newIssuer(t, issuer.Config[account]{Renew: func(_ context.Context, c *claims.Claims[account]) error {
			c.Party = "Lowered"
			return answer
		}})
		verify := verifier(t, tokens, claims.Dialect{})
		pair := issue(t, tokens, "alice")
		fresh, err := tokens.RefreshWithoutRotation(t.Context(), pair.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := verify.Verify(t.Context(), fresh.AccessToken); err != nil || c.Party != "Lowered" {
			t.Errorf("%+v, %v", c, err)
		}
		answer = errors.New("the database is down")
		if _, err := tokens.RefreshWithoutRotation(t.Context(), pair.RefreshToken); err == nil || errors.Is(err, issuer.ErrGrant) {
			t.Errorf("%v", err)
		}
		answer = issuer.ErrRefused
		if _, err := tokens.RefreshWithoutRotation(t.Context(), pair.RefreshToken); !errors.Is(err, issuer.ErrGrant) {
			t.Errorf("%v", err)
		}
		answer = nil
		refused(t, tokens, pair.RefreshToken, issuer.ErrGrant)
	})
	var none issuer.Issuer[account]
	if _, err := none.RefreshWithoutRotation(t.Context(), "x"); err == nil || errors.Is(err, issuer.ErrGrant) {
		t.Errorf("zero Issuer: %v", err)
	}
}
