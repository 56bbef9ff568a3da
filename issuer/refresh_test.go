package issuer_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
)

// inBubble runs a subtest in a bubble of testing/synctest.
func inBubble(t *testing.T, name string, run func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, run) })
}

const day = 24 * time.Hour

func TestRefresh(t *testing.T) {
	inBubble(t, "RF-01 each refresh token is spent once", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		r0 := issue(t, tokens, "alice")
		r1 := refresh(t, tokens, r0.RefreshToken)
		r2 := refresh(t, tokens, r1.RefreshToken)
		if r0.RefreshToken == r1.RefreshToken || r1.RefreshToken == r2.RefreshToken || r0.AccessToken == r1.AccessToken {
			t.Error("tokens repeat")
		}
		refused(t, tokens, r1.RefreshToken, issuer.ErrReused)
	})
	inBubble(t, "RF-04 reuse ends the session and raises one event", func(t *testing.T) {
		var events []issuer.Event
		var log strings.Builder
		tokens := newIssuer(t, issuer.Config[account]{
			OnEvent: func(_ context.Context, e issuer.Event) { events = append(events, e) },
			Logger:  slog.New(slog.NewTextHandler(&log, nil)),
		})
		r0 := issue(t, tokens, "alice@example.org") // with an @, which no random id has
		r1 := refresh(t, tokens, r0.RefreshToken)
		refused(t, tokens, r0.RefreshToken, issuer.ErrReused)
		refused(t, tokens, r1.RefreshToken, issuer.ErrGrant)
		refused(t, tokens, r0.RefreshToken, issuer.ErrGrant)
		want := issuer.Event{Reason: "reuse", Session: r0.Session, Subject: "alice@example.org", Presented: 1, Current: 2}
		if len(events) != 1 || events[0] != want {
			t.Errorf("events %+v, want %+v", events, want)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 1 || strings.Contains(log.String(), "alice@") || strings.Contains(log.String(), r0.RefreshToken) {
			t.Errorf("log: %s", log.String())
		}
	})
	inBubble(t, "RF-05 a thousand at once, one success (issuertest)", func(t *testing.T) {
		// issuertest holds 3 nodes to it; here the reuse is seen, and once.
		events := 0
		tokens := newIssuer(t, issuer.Config[account]{
			Store:   issuertest.Slow(issuer.NewMemoryStore(), 5*time.Millisecond),
			OnEvent: func(context.Context, issuer.Event) { events++ }, // race: raised by one caller alone
		})
		first := issue(t, tokens, "alice")
		results := make(chan error)
		for range 1000 {
			go func() {
				_, err := tokens.Refresh(context.Background(), first.RefreshToken)
				results <- err
			}()
		}
		successes := 0
		for range 1000 {
			if err := <-results; err == nil {
				successes++
			} else if !errors.Is(err, issuer.ErrGrant) {
				t.Error(err)
			}
		}
		if successes != 1 || events != 1 {
			t.Errorf("%d successes, %d events", successes, events)
		}
	})
	inBubble(t, "RF-07 a grandparent ends the session", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{Grace: time.Minute})
		r0 := issue(t, tokens, "alice")
		r1 := refresh(t, tokens, r0.RefreshToken)
		r2 := refresh(t, tokens, r1.RefreshToken)
		refused(t, tokens, r0.RefreshToken, issuer.ErrReused)
		refused(t, tokens, r2.RefreshToken, issuer.ErrGrant)
	})
	inBubble(t, "RF-08 a lost answer within grace: the same successor", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{Grace: 10 * time.Second})
		r0 := issue(t, tokens, "alice")
		lost := refresh(t, tokens, r0.RefreshToken)
		time.Sleep(10*time.Second - time.Millisecond)
		again := refresh(t, tokens, r0.RefreshToken)
		if again.RefreshToken != lost.RefreshToken || again.AccessToken == lost.AccessToken || again.ExpiresIn != 15*time.Minute {
			t.Error("the successor differs, or the access token is the old one")
		}
		r2 := refresh(t, tokens, again.RefreshToken)
		refused(t, tokens, lost.RefreshToken+"x", issuer.ErrGrant)
		if next := refresh(t, tokens, lost.RefreshToken); next.RefreshToken != r2.RefreshToken {
			t.Error("two leaves live")
		}
	})
	inBubble(t, "RF-08 a lost answer after grace, or without: reuse", func(t *testing.T) {
		for _, grace := range []time.Duration{0, 2 * time.Second} {
			tokens := newIssuer(t, issuer.Config[account]{Grace: grace})
			r0 := issue(t, tokens, "alice")
			refresh(t, tokens, r0.RefreshToken)
			time.Sleep(2 * time.Second)
			refused(t, tokens, r0.RefreshToken, issuer.ErrReused)
		}
	})
	inBubble(t, "RF-34 two refreshes within one second", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		r0 := issue(t, tokens, "alice")
		r1 := refresh(t, tokens, r0.RefreshToken)
		r2 := refresh(t, tokens, r1.RefreshToken)
		jti := map[any]bool{}
		for _, token := range []string{r0.AccessToken, r0.RefreshToken, r1.AccessToken, r1.RefreshToken, r2.AccessToken, r2.RefreshToken} {
			jti[payload(t, token)["jti"]] = true
		}
		if len(jti) != 6 {
			t.Errorf("%d of 6 ids differ", len(jti))
		}
	})
	inBubble(t, "RF-28 another device lives on", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		phone, laptop := issue(t, tokens, "alice"), issue(t, tokens, "alice")
		refresh(t, tokens, phone.RefreshToken)
		refused(t, tokens, phone.RefreshToken, issuer.ErrReused)
		refresh(t, tokens, laptop.RefreshToken)
	})
	inBubble(t, "RF-21 idle and absolute life", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		start, pair := time.Now(), issue(t, tokens, "alice")
		idle := issue(t, tokens, "bob")
		for time.Since(start) < 30*day-time.Hour {
			time.Sleep(time.Hour)
			pair = refresh(t, tokens, pair.RefreshToken)
		}
		time.Sleep(59 * time.Minute)
		pair = refresh(t, tokens, pair.RefreshToken)
		if pair.ExpiresIn != time.Minute {
			t.Errorf("an access token outlives its session: %v", pair.ExpiresIn)
		}
		time.Sleep(time.Minute)
		refused(t, tokens, pair.RefreshToken, issuer.ErrGrant)
		refused(t, tokens, idle.RefreshToken, issuer.ErrGrant)
		late := issue(t, tokens, "carol")
		time.Sleep(7*day - time.Millisecond)
		late = refresh(t, tokens, late.RefreshToken)
		time.Sleep(7 * day)
		refused(t, tokens, late.RefreshToken, issuer.ErrGrant)
	})
}

func TestTokensThatAreNoRefreshTokens(t *testing.T) {
	tokens := newIssuer(t, issuer.Config[account]{})
	pair := issue(t, tokens, "alice")
	token := pair.RefreshToken
	t.Run("RF-02 an access token", func(t *testing.T) { refused(t, tokens, pair.AccessToken, issuer.ErrGrant) })
	t.Run("RF-03 a refresh token at a guard, IS-08 each fails as the other", func(t *testing.T) {
		if _, err := verifier(t, tokens, claims.Dialect{}).Verify(t.Context(), token); !errors.Is(err, claims.ErrInvalid) {
			t.Errorf("verified as an access token: %v", err)
		}
		refused(t, tokens, pair.AccessToken, issuer.ErrGrant)
	})
	t.Run("RF-12 truncated, extended, changed", func(t *testing.T) {
		for i := range token {
			refused(t, tokens, token[:i], issuer.ErrGrant)
		}
		for _, c := range "AZaz09-_=." {
			refused(t, tokens, token+string(c), issuer.ErrGrant)
			refused(t, tokens, string(c)+token, issuer.ErrGrant)
			if changed := token[:len(token)-1] + string(c); changed != token {
				refused(t, tokens, changed, issuer.ErrGrant)
			}
		}
	})
	t.Run("RF-13 dressed up", func(t *testing.T) {
		for _, dressed := range []string{token + " ", " " + token, token + "%20", token + "\n", token + "\x00", `"` + token + `"`,
			"Bearer " + token, token + token, token + "." + token, strings.ReplaceAll(token, ".", "%2E"), strings.ToUpper(token)} {
			refused(t, tokens, dressed, issuer.ErrGrant)
		}
	})
	t.Run("RF-14 a forged token does not end a session", func(t *testing.T) {
		spent := token
		next := refresh(t, tokens, spent)
		head, rest, _ := strings.Cut(spent, ".")
		body, _, _ := strings.Cut(rest, ".")
		refused(t, tokens, head+"."+body+"."+strings.Repeat("A", 86), issuer.ErrGrant)
		other := newIssuer(t, issuer.Config[account]{})
		refused(t, other, spent, issuer.ErrGrant)
		refused(t, tokens, issue(t, other, "alice").RefreshToken, issuer.ErrGrant)
		refresh(t, tokens, next.RefreshToken)
	})
}

// TestTokensOfAnotherDeployment shares a key and a store between two issuers
// that must not take each other's tokens.
func TestTokensOfAnotherDeployment(t *testing.T) {
	keys := schedule(t, edKey(t, always))
	mine := newIssuer(t, issuer.Config[account]{Keys: keys})
	t.Run("RF-14 other issuer, other audience, other store", func(t *testing.T) {
		for name, c := range map[string]issuer.Config[account]{
			"issuer":   {Keys: keys, Issuer: "https://other.example"},
			"audience": {Keys: keys, Audience: []string{"other"}},
			"store":    {Keys: keys},
		} {
			foreign := issue(t, newIssuer(t, c), "alice")
			if pair, err := mine.Refresh(t.Context(), foreign.RefreshToken); !errors.Is(err, issuer.ErrGrant) || pair != (issuer.Pair{}) {
				t.Errorf("%s: %v, %v", name, pair, err)
			}
		}
	})
}

func TestStoreFailures(t *testing.T) {
	var fault issuertest.Fault
	var at int
	memory := issuer.NewMemoryStore()
	failing := func(t *testing.T, grace time.Duration) *issuer.Issuer[account] {
		calls := 0
		return newIssuer(t, issuer.Config[account]{Grace: grace, Store: issuertest.Faulty(memory, func(int) issuertest.Fault {
			calls++
			if calls == at {
				return fault
			}
			return issuertest.None
		})})
	}
	t.Run("IS-09 the store fails after signing", func(t *testing.T) {
		for at = 1; at <= 2; at++ {
			for _, fault = range []issuertest.Fault{issuertest.Unsent, issuertest.Unheard} {
				pair, err := failing(t, 0).Issue(t.Context(), claims.Claims[account]{Subject: "alice"})
				if !errors.Is(err, issuertest.ErrFault) || errors.Is(err, issuer.ErrGrant) || pair != (issuer.Pair{}) {
					t.Errorf("call %d: %v, %v", at, pair, err)
				}
			}
		}
	})
	t.Run("RF-17 the reply is lost", func(t *testing.T) {
		for _, grace := range []time.Duration{0, time.Minute} {
			at, fault = 4, issuertest.Unheard // load, swap, load, swap
			tokens := failing(t, grace)
			first := issue(t, tokens, "alice")
			pair, err := tokens.Refresh(t.Context(), first.RefreshToken)
			if !errors.Is(err, issuertest.ErrFault) || errors.Is(err, issuer.ErrGrant) || pair != (issuer.Pair{}) {
				t.Errorf("%v, %v", pair, err)
			}
			if grace > 0 {
				refresh(t, tokens, first.RefreshToken)
			} else {
				refused(t, tokens, first.RefreshToken, issuer.ErrReused)
			}
		}
	})
	t.Run("RF-18 the store fails on revoke", func(t *testing.T) {
		for at = 3; at <= 4; at++ {
			fault = issuertest.Unsent
			tokens := failing(t, 0)
			pair := issue(t, tokens, "alice")
			if err := tokens.Revoke(t.Context(), pair.RefreshToken); !errors.Is(err, issuertest.ErrFault) {
				t.Errorf("revoked: %v", err)
			}
			refresh(t, tokens, pair.RefreshToken)
		}
		at = 3
		tokens := failing(t, 0)
		issue(t, tokens, "bob")
		if err := tokens.RevokeAll(t.Context(), "bob"); !errors.Is(err, issuertest.ErrFault) {
			t.Errorf("revoked all: %v", err)
		}
	})
	t.Run("reuse that could not be recorded is not answered as dealt with", func(t *testing.T) {
		at, fault = 7, issuertest.Unsent // after issue, refresh, load, load: the swap that ends it
		tokens := failing(t, 0)
		first := issue(t, tokens, "alice")
		refresh(t, tokens, first.RefreshToken)
		if _, err := tokens.Refresh(t.Context(), first.RefreshToken); !errors.Is(err, issuertest.ErrFault) || errors.Is(err, issuer.ErrGrant) {
			t.Errorf("%v", err)
		}
		refused(t, tokens, first.RefreshToken, issuer.ErrReused)
	})
	t.Run("IS-12 a context that has ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		store := issuer.NewMemoryStore()
		tokens := newIssuer(t, issuer.Config[account]{Store: store})
		if pair, err := tokens.Issue(ctx, claims.Claims[account]{Subject: "alice"}); !errors.Is(err, context.Canceled) || pair != (issuer.Pair{}) {
			t.Errorf("%v, %v", pair, err)
		}
		if records, _ := store.List(t.Context(), "alice"); len(records) != 0 {
			t.Error("a row is stored")
		}
		pair := issue(t, tokens, "alice")
		if _, err := tokens.Refresh(ctx, pair.RefreshToken); !errors.Is(err, context.Canceled) || errors.Is(err, issuer.ErrGrant) {
			t.Errorf("%v", err)
		}
		refresh(t, tokens, pair.RefreshToken)
	})
}

// forgetful is a store of one session that can be set back to an earlier state.
type forgetful struct{ record issuer.Record }

func (f *forgetful) Load(_ context.Context, session string) (issuer.Record, time.Time, error) {
	if f.record.Session != session {
		return issuer.Record{}, time.Now(), nil
	}
	return f.record, time.Now(), nil
}

func (f *forgetful) Swap(_ context.Context, r issuer.Record) (bool, error) {
	if r.Version != f.record.Version+1 {
		return false, nil
	}
	f.record = r
	return true, nil
}

func (f *forgetful) List(context.Context, string) ([]issuer.Record, error) { return nil, nil }

func TestStoresThatForget(t *testing.T) {
	t.Run("RF-27 a record that is gone", func(t *testing.T) {
		keys := schedule(t, edKey(t, always))
		first := issue(t, newIssuer(t, issuer.Config[account]{Keys: keys}), "alice")
		refused(t, newIssuer(t, issuer.Config[account]{Keys: keys}), first.RefreshToken, issuer.ErrGrant)
	})
	t.Run("RF-30 a store that lost a write: the session ends, and not in silence", func(t *testing.T) {
		store := new(forgetful)
		var events []issuer.Event
		tokens := newIssuer(t, issuer.Config[account]{Store: store,
			OnEvent: func(_ context.Context, e issuer.Event) { events = append(events, e) }})
		r0 := issue(t, tokens, "alice")
		before := store.record
		r1 := refresh(t, tokens, r0.RefreshToken)
		r2 := refresh(t, tokens, r1.RefreshToken)
		store.record = before
		refused(t, tokens, r2.RefreshToken, issuer.ErrGrant)
		refused(t, tokens, r0.RefreshToken, issuer.ErrGrant)
		if len(events) != 1 || events[0].Reason != "rollback" || events[0].Presented != 3 || events[0].Current != 1 {
			t.Errorf("events %+v", events)
		}
	})
}
