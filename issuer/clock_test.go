package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
)

// skewed is a store whose clock is not the machine's.
type skewed struct {
	issuer.Store
	by time.Duration
}

func (s *skewed) Load(ctx context.Context, session string) (issuer.Record, time.Time, error) {
	r, now, err := s.Store.Load(ctx, session)
	return r, now.Add(s.by), err
}

// TestClocksOfMachines lets the machine's clock differ from the store's: what
// the store's says counts, to the millisecond.
func TestClocksOfMachines(t *testing.T) {
	for _, by := range []time.Duration{-30 * time.Second, 30 * time.Second, -48 * time.Hour, 48 * time.Hour} {
		inBubble(t, fmt.Sprintf("RF-29 the store's clock is off by %v", by), func(t *testing.T) {
			// What is refused is refused by the issuer, not dropped by the store.
			store := &skewed{undying{issuer.NewMemoryStore()}, by}
			tokens := newIssuer(t, issuer.Config[account]{Store: store, Grace: 10 * time.Second})
			idle, pair := issue(t, tokens, "alice"), issue(t, tokens, "alice")
			if got := payload(t, pair.AccessToken)["exp"].(float64) - payload(t, pair.AccessToken)["iat"].(float64); got != 900 {
				t.Errorf("an access token lives %v s", got)
			}
			next := refresh(t, tokens, pair.RefreshToken)
			time.Sleep(10*time.Second - time.Millisecond)
			if again := refresh(t, tokens, pair.RefreshToken); again.RefreshToken != next.RefreshToken {
				t.Error("two successors within grace")
			}
			time.Sleep(time.Millisecond)
			refused(t, tokens, pair.RefreshToken, issuer.ErrReused)
			time.Sleep(7*day - 10*time.Second - time.Millisecond) // since it was issued
			idle = refresh(t, tokens, idle.RefreshToken)
			time.Sleep(7 * day)
			refused(t, tokens, idle.RefreshToken, issuer.ErrGrant)
		})
	}
}

// TestTheScheduleHasOneClock lets keys come while the store's clock is off: a
// key that signs by another clock than it verifies by locks everybody out.
func TestTheScheduleHasOneClock(t *testing.T) {
	for _, by := range []time.Duration{-2 * time.Hour, 2 * time.Hour} {
		inBubble(t, fmt.Sprintf("the store's clock is off by %v", by), func(t *testing.T) {
			keys := schedule(t, edKey(t, always), edKey(t, time.Now().Add(time.Hour)))
			secrets := schedule(t, edKey(t, time.Now()), edKey(t, time.Now().Add(2*time.Hour)))
			tokens := newIssuer(t, issuer.Config[account]{Keys: keys, RefreshKeys: secrets, Lead: time.Minute,
				Store: &skewed{issuer.NewMemoryStore(), by}})
			pair := issue(t, tokens, "alice")
			heads := map[string]bool{}
			for range 12 {
				keys, err := tokens.KeySet().Keys(t.Context(), claims.Header{Algorithm: "EdDSA"})
				if err != nil {
					t.Fatal(err)
				}
				heads[head(pair.AccessToken)] = true
				if signed := header(t, pair.AccessToken)["kid"]; signed != keys[0].ID() {
					t.Errorf("%v signs, %v is said to", signed, keys[0].ID())
				}
				time.Sleep(15 * time.Minute)
				pair = refresh(t, tokens, pair.RefreshToken)
			}
			if len(heads) != 2 {
				t.Errorf("%d keys signed", len(heads))
			}
		})
	}
}

// TestExpiredTokensEndNothing presents a token that was spent, and has expired
// since: it may come from an old log, and the session lives on.
func TestExpiredTokensEndNothing(t *testing.T) {
	inBubble(t, "a spent token, after its life", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		first := issue(t, tokens, "alice")
		time.Sleep(6 * day)
		second := refresh(t, tokens, first.RefreshToken)
		time.Sleep(day + 2*time.Second)
		if _, err := tokens.Refresh(t.Context(), first.RefreshToken); !errors.Is(err, issuer.ErrGrant) || errors.Is(err, issuer.ErrReused) {
			t.Errorf("%v", err)
		}
		refresh(t, tokens, second.RefreshToken)
	})
}

// undying is a store that leaves it to the issuer to see what has expired.
type undying struct{ issuer.Store }

func (u undying) Swap(ctx context.Context, r issuer.Record) (bool, error) {
	r.Expiry = r.Expiry.Add(1000 * day)
	return u.Store.Swap(ctx, r)
}

func TestAccessTokensOutliveTheirSession(t *testing.T) {
	inBubble(t, "RF-24 until AccessLife is over", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		verify := verifier(t, tokens, claims.Dialect{})
		pair := issue(t, tokens, "alice")
		if err := tokens.Revoke(t.Context(), pair.RefreshToken); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15*time.Minute - time.Second)
		if _, err := verify.Verify(t.Context(), pair.AccessToken); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if _, err := verify.Verify(t.Context(), pair.AccessToken); err == nil {
			t.Error("it outlives its life")
		}
	})
}

// counted counts what a store is asked, and the bytes that it holds.
type counted struct {
	issuer.Store
	calls, bytes int
}

func (c *counted) Load(ctx context.Context, session string) (issuer.Record, time.Time, error) {
	c.calls++
	return c.Store.Load(ctx, session)
}

func (c *counted) Swap(ctx context.Context, r issuer.Record) (bool, error) {
	c.calls++
	c.bytes = len(r.Data)
	return c.Store.Swap(ctx, r)
}

func TestOneRecordPerSession(t *testing.T) {
	t.Run("RF-26 however often it is refreshed", func(t *testing.T) {
		store := &counted{Store: issuer.NewMemoryStore()}
		tokens := newIssuer(t, issuer.Config[account]{Store: store})
		pair := issue(t, tokens, "alice")
		first := store.bytes
		for range 1000 {
			pair = refresh(t, tokens, pair.RefreshToken)
		}
		if grown := store.bytes - first; grown > 3 { // digits of the generation
			t.Errorf("the record grew by %d bytes", grown)
		}
		if records, err := store.List(t.Context(), "alice"); err != nil || len(records) != 1 {
			t.Errorf("%d records, %v", len(records), err)
		}
		if perRefresh := (store.calls - 2) / 1000; perRefresh != 2 {
			t.Errorf("%d calls of the store a refresh, want one Load and one Swap", perRefresh)
		}
	})
}

func TestUnknownTokensLeaveNothing(t *testing.T) {
	t.Run("RF-36 they don't reach the store", func(t *testing.T) {
		store := &counted{Store: issuer.NewMemoryStore()}
		tokens := newIssuer(t, issuer.Config[account]{Store: store})
		foreign := issue(t, newIssuer(t, issuer.Config[account]{}), "alice").RefreshToken
		for _, token := range []string{"", "x", "a.b.c", foreign} {
			refused(t, tokens, token, issuer.ErrGrant)
			if err := tokens.Revoke(t.Context(), token); err != nil {
				t.Error(err)
			}
		}
		if store.calls != 0 {
			t.Errorf("%d calls", store.calls)
		}
	})
}
