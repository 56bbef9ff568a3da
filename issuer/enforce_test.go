package issuer_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// TestWhoeverHangsUpChangesNothing ends the request's context at every moment
// of what ends a session: once it is known that it has to end, it does.
func TestWhoeverHangsUpChangesNothing(t *testing.T) {
	const latency = 10 * time.Millisecond
	refuse := false
	for _, row := range []struct {
		name  string
		after time.Duration // it is known by then
		end   func(ctx context.Context, tokens *issuer.Issuer[account], spent, current issuer.Pair) error
	}{
		{"reuse", latency, func(ctx context.Context, tokens *issuer.Issuer[account], spent, _ issuer.Pair) error {
			_, err := tokens.Refresh(ctx, spent.RefreshToken)
			return err
		}},
		{"reuse, without rotation", latency, func(ctx context.Context, tokens *issuer.Issuer[account], spent, _ issuer.Pair) error {
			_, err := tokens.RefreshWithoutRotation(ctx, spent.RefreshToken)
			return err
		}},
		{"Renew refuses", latency, func(ctx context.Context, tokens *issuer.Issuer[account], _, current issuer.Pair) error {
			refuse = true
			defer func() { refuse = false }()
			_, err := tokens.Refresh(ctx, current.RefreshToken)
			return err
		}},
		{"Revoke", 0, func(ctx context.Context, tokens *issuer.Issuer[account], _, current issuer.Pair) error {
			return tokens.Revoke(ctx, current.RefreshToken)
		}},
		{"RevokeSession", 0, func(ctx context.Context, tokens *issuer.Issuer[account], _, current issuer.Pair) error {
			return tokens.RevokeSession(ctx, "alice", current.Session)
		}},
		{"RevokeAll", 0, func(ctx context.Context, tokens *issuer.Issuer[account], _, _ issuer.Pair) error {
			return tokens.RevokeAll(ctx, "alice")
		}},
	} {
		for wait := row.after; wait <= row.after+3*latency; wait += latency / 2 {
			inBubble(t, row.name+", after "+wait.String(), func(t *testing.T) {
				tokens := newIssuer(t, issuer.Config[account]{
					Store: issuertest.Slow(issuer.NewMemoryStore(), latency),
					Renew: func(context.Context, *claims.Claims[account]) error {
						if refuse {
							return issuer.ErrRefused
						}
						return nil
					},
				})
				spent := issue(t, tokens, "alice")
				current := refresh(t, tokens, spent.RefreshToken)
				ctx, cancel := context.WithTimeout(t.Context(), wait+time.Millisecond)
				defer cancel()
				err := row.end(ctx, tokens, spent, current)
				if err != nil && !errors.Is(err, issuer.ErrGrant) {
					t.Errorf("it is answered with %v", err)
				}
				refused(t, tokens, current.RefreshToken, issuer.ErrGrant)
			})
		}
	}
}

// TestAStoreThatHangs bounds what is done for a client that has gone, and logs
// that it was in vain.
func TestAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		store := &hanging{Store: issuer.NewMemoryStore()}
		tokens := newIssuer(t, issuer.Config[account]{Store: store, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		pair := issue(t, tokens, "alice")
		for range 20 {
			issue(t, tokens, "alice")
		}
		store.hangs = true
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := httptest.NewRequest("POST", "/revoke", strings.NewReader("token="+pair.RefreshToken)).WithContext(ctx)
		r.Header.Set("Content-Type", formType)
		w, start := httptest.NewRecorder(), time.Now()
		tokens.RevokeHandler().ServeHTTP(w, r)
		if w.Code != 503 || !strings.Contains(log.String(), "level=ERROR") || time.Since(start) != 30*time.Second {
			t.Errorf("%d after %v, logged %q", w.Code, time.Since(start), log.String())
		}
		start = time.Now()
		if err := tokens.RevokeAll(ctx, "alice"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 30*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// TestRevokeWithoutKeys can't read the token, so that its session lives on: that
// is in the log, whether or not the client waits.
func TestRevokeWithoutKeys(t *testing.T) {
	dir := keyDir(t)
	writeKey(t, dir, "20200101T000000Z.pem", newEd25519(t))
	keys, err := signing.LoadSchedule(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	tokens := newIssuer(t, issuer.Config[account]{Keys: keys, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	pair := issue(t, tokens, "alice")
	if err := errors.Join(os.Remove(filepath.Join(dir, "20200101T000000Z.pem")), keys.Reload()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequest("POST", "/revoke", strings.NewReader("token="+pair.RefreshToken)).WithContext(ctx)
	r.Header.Set("Content-Type", formType)
	w := httptest.NewRecorder()
	tokens.RevokeHandler().ServeHTTP(w, r)
	if w.Code != 503 || strings.Count(log.String(), "level=ERROR") != 1 {
		t.Errorf("%d, logged %q", w.Code, log.String())
	}
}

// hanging is a store that answers to nothing but List.
type hanging struct {
	issuer.Store
	hangs bool
}

func (h *hanging) Load(ctx context.Context, session string) (issuer.Record, time.Time, error) {
	if h.hangs {
		<-ctx.Done()
		return issuer.Record{}, time.Time{}, ctx.Err()
	}
	return h.Store.Load(ctx, session)
}

// TestTheAlarmIsRaised loses every call of the store, and every answer, while a
// spent token is presented, and then presents what a thief or an owner may: the
// event comes, and no more often than there were failures.
func TestTheAlarmIsRaised(t *testing.T) {
	for _, fault := range []issuertest.Fault{issuertest.None, issuertest.Unsent, issuertest.Unheard} {
		for at := 1; at <= 4; at++ { // load, load, swap, swap
			for _, next := range []string{"the spent token", "the current token", "the current token, without rotation"} {
				calls := -1000
				var events []issuer.Event
				tokens := newIssuer(t, issuer.Config[account]{
					Store: issuertest.Faulty(issuer.NewMemoryStore(), func(int) issuertest.Fault {
						if calls++; calls == at {
							return fault
						}
						return issuertest.None
					}),
					OnEvent: func(_ context.Context, e issuer.Event) { events = append(events, e) },
				})
				r0 := issue(t, tokens, "alice")
				r1 := refresh(t, tokens, r0.RefreshToken)
				calls = 0
				_, err := tokens.Refresh(t.Context(), r0.RefreshToken)
				presented := r0.RefreshToken
				if next != "the spent token" && (errors.Is(err, issuer.ErrReused) || fault == issuertest.Unheard && at == 3) {
					presented = r1.RefreshToken // else it is still good
				}
				for range 3 {
					if next == "the current token, without rotation" {
						_, err = tokens.RefreshWithoutRotation(t.Context(), presented)
					} else {
						_, err = tokens.Refresh(t.Context(), presented)
					}
					if !errors.Is(err, issuer.ErrGrant) {
						t.Errorf("fault %v at %d: %s: %v", fault, at, next, err)
					}
				}
				want := issuer.Event{Reason: "reuse", Session: r0.Session, Subject: "alice", Presented: 1, Current: 2}
				most := 1
				if at == 4 && fault == issuertest.Unsent { // raised, and not noted
					most = 2
				}
				if len(events) != most {
					t.Errorf("fault %v at %d, then %s: %d events, want %d", fault, at, next, len(events), most)
				}
				for _, e := range events {
					if e != want {
						t.Errorf("fault %v at %d: %+v", fault, at, e)
					}
				}
			}
		}
	}
}
