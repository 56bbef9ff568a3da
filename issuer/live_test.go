package issuer_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
)

// live returns an issuer and a verifier that looks whether sessions live.
func live(t *testing.T, c issuer.Config[account], seenBy issuer.Store, stale time.Duration) (*issuer.Issuer[account], *issuer.SessionVerifier[account]) {
	t.Helper()
	tokens := newIssuer(t, c)
	v, err := issuer.NewSessionVerifier(issuer.SessionVerifierConfig[account]{Verifier: verifier(t, tokens, c.Dialect), Store: seenBy, Stale: stale})
	if err != nil {
		t.Fatal(err)
	}
	return tokens, v
}

func TestSessionVerifier(t *testing.T) {
	for _, uuids := range []bool{false, true} {
		for _, stale := range []time.Duration{0, 5 * time.Second} {
			inBubble(t, "RF-24 revocation is seen after "+stale.String()+", UUIDs "+strconv.FormatBool(uuids), func(t *testing.T) {
				store := issuer.NewMemoryStore()
				tokens, verify := live(t, issuer.Config[account]{Store: store, UUIDs: uuids}, store, stale)
				passes := func(token string, want bool) {
					t.Helper()
					c, err := verify.Verify(t.Context(), token)
					if want && (err != nil || c.Subject != "alice") || !want && (!errors.Is(err, claims.ErrInvalid) || c != nil) {
						t.Errorf("passes: %v, %v, want %v", c, err, want)
					}
				}
				pair, other := issue(t, tokens, "alice"), issue(t, tokens, "alice")
				passes(pair.AccessToken, true)
				passes(pair.RefreshToken, false)
				if err := tokens.Revoke(t.Context(), pair.RefreshToken); err != nil {
					t.Fatal(err)
				}
				if stale > 0 {
					time.Sleep(stale - 1)
					passes(pair.AccessToken, true)
					time.Sleep(time.Nanosecond)
				}
				passes(pair.AccessToken, false)
				passes(other.AccessToken, true)
			})
			inBubble(t, "an outdated token is refused, its successor is not; stale "+stale.String()+", UUIDs "+strconv.FormatBool(uuids), func(t *testing.T) {
				store := issuer.NewMemoryStore()
				tokens, verify := live(t, issuer.Config[account]{Store: store, UUIDs: uuids}, store, stale)
				first := issue(t, tokens, "alice")
				second := refresh(t, tokens, first.RefreshToken)
				bob := issue(t, tokens, "bob")
				if err := tokens.Outdate(t.Context(), "alice"); err != nil {
					t.Fatal(err)
				}
				for _, token := range []string{first.AccessToken, second.AccessToken} {
					if _, err := verify.Verify(t.Context(), token); !errors.Is(err, claims.ErrInvalid) {
						t.Errorf("an outdated token: %v", err)
					}
				}
				third := refresh(t, tokens, second.RefreshToken)
				for _, token := range []string{third.AccessToken, bob.AccessToken} {
					if _, err := verify.Verify(t.Context(), token); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	for _, uuids := range []bool{false, true} {
		inBubble(t, "outdated again and again: each time all before is refused, all after is not; UUIDs "+strconv.FormatBool(uuids), func(t *testing.T) {
			store := issuer.NewMemoryStore()
			tokens, verify := live(t, issuer.Config[account]{Store: store, UUIDs: uuids, Grace: time.Minute}, store, 0)
			spent := issue(t, tokens, "alice")
			pair := refresh(t, tokens, spent.RefreshToken)
			before := []string{spent.AccessToken, pair.AccessToken}
			for range 5 { // all in one second
				if err := tokens.Outdate(t.Context(), "alice"); err != nil {
					t.Fatal(err)
				}
				for i, token := range before {
					if _, err := verify.Verify(t.Context(), token); !errors.Is(err, claims.ErrInvalid) {
						t.Errorf("token %d passes: %v", i, err)
					}
				}
				kept, err := tokens.RefreshWithoutRotation(t.Context(), pair.RefreshToken)
				if err != nil {
					t.Fatal(err)
				}
				repeated := refresh(t, tokens, spent.RefreshToken)
				after := []string{kept.AccessToken, repeated.AccessToken}
				spent, pair = pair, refresh(t, tokens, pair.RefreshToken)
				after = append(after, pair.AccessToken)
				for i, token := range after {
					if _, err := verify.Verify(t.Context(), token); err != nil {
						t.Errorf("kept, repeated, rotated: %d: %v", i, err)
					}
				}
				before = append(before, after...)
			}
		})
	}
	t.Run("a store that fails is no answer", func(t *testing.T) {
		memory := issuer.NewMemoryStore()
		fails := issuertest.Faulty(memory, func(int) issuertest.Fault { return issuertest.Unsent })
		tokens, verify := live(t, issuer.Config[account]{Store: memory}, fails, time.Second)
		c, err := verify.Verify(t.Context(), issue(t, tokens, "alice").AccessToken)
		if !errors.Is(err, issuertest.ErrFault) || errors.Is(err, claims.ErrInvalid) || c != nil {
			t.Errorf("%v, %v", c, err)
		}
	})
	t.Run("an unknown session", func(t *testing.T) {
		tokens, verify := live(t, issuer.Config[account]{}, issuer.NewMemoryStore(), time.Second)
		if c, err := verify.Verify(t.Context(), issue(t, tokens, "alice").AccessToken); !errors.Is(err, claims.ErrInvalid) || c != nil {
			t.Errorf("%v, %v", c, err)
		}
	})
	t.Run("asked once within stale", func(t *testing.T) {
		store := &counted{Store: issuer.NewMemoryStore()}
		tokens, verify := live(t, issuer.Config[account]{Store: store}, store, time.Minute)
		token := issue(t, tokens, "alice").AccessToken
		before := store.calls
		for range 10 {
			if _, err := verify.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
		if asked := store.calls - before; asked != 1 {
			t.Errorf("the store is asked %d times", asked)
		}
	})
	t.Run("what is refused", func(t *testing.T) {
		v := verifier(t, newIssuer(t, issuer.Config[account]{}), claims.Dialect{})
		if got, err := issuer.NewSessionVerifier(issuer.SessionVerifierConfig[account]{}); err == nil || got != nil {
			t.Error("nothing")
		}
		if got, err := issuer.NewSessionVerifier(issuer.SessionVerifierConfig[account]{Verifier: v, Store: (*issuer.MemoryStore)(nil)}); err == nil || got != nil {
			t.Error("what is left of a store")
		}
		for _, stale := range []time.Duration{-1, time.Minute + 1} {
			if got, err := issuer.NewSessionVerifier(issuer.SessionVerifierConfig[account]{Verifier: v, Store: issuer.NewMemoryStore(), Stale: stale}); err == nil || got != nil {
				t.Errorf("stale %v", stale)
			}
		}
		if c, err := new(issuer.SessionVerifier[account]).Verify(t.Context(), "x"); err == nil || errors.Is(err, claims.ErrInvalid) || c != nil {
			t.Errorf("zero value: %v, %v", c, err)
		}
	})
}

// TestOutdateTwice outdates what was minted for a refresh token that stays as it
// is, after the first time.
func TestOutdateTwice(t *testing.T) {
	store := issuer.NewMemoryStore()
	tokens, verify := live(t, issuer.Config[account]{Store: store}, store, 0)
	pair := issue(t, tokens, "alice")
	for range 3 {
		if err := tokens.Outdate(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		if _, err := verify.Verify(t.Context(), pair.AccessToken); !errors.Is(err, claims.ErrInvalid) {
			t.Errorf("an outdated token: %v", err)
		}
		kept, err := tokens.RefreshWithoutRotation(t.Context(), pair.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verify.Verify(t.Context(), kept.AccessToken); err != nil {
			t.Error(err)
		}
		pair.AccessToken = kept.AccessToken
	}
}
