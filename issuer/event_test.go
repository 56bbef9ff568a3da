package issuer_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
)

// TestOneEvent presents a spent token 200 times, each a little later than the one
// before, so that they meet the session in each of its states.
func TestOneEvent(t *testing.T) {
	inBubble(t, "RF-05 whoever comes while the event is being noted", func(t *testing.T) {
		var events atomic.Int64
		tokens := newIssuer(t, issuer.Config[account]{
			Store:   issuertest.Slow(issuer.NewMemoryStore(), 10*time.Millisecond),
			OnEvent: func(context.Context, issuer.Event) { events.Add(1) },
		})
		spent := issue(t, tokens, "alice").RefreshToken
		refresh(t, tokens, spent)
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond / 2)
				refused(t, tokens, spent, issuer.ErrGrant)
			})
		}
		all.Wait()
		if n := events.Load(); n != 1 {
			t.Errorf("%d events", n)
		}
	})
}

// TestEventContext has the client hang up while the event is raised.
func TestEventContext(t *testing.T) {
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	events := 0
	tokens := newIssuer(t, issuer.Config[account]{OnEvent: func(ctx context.Context, _ issuer.Event) {
		events++
		hangUp()
		if ctx.Err() != nil {
			t.Error("the event's context has ended")
		}
	}})
	spent := issue(t, tokens, "alice").RefreshToken
	refresh(t, tokens, spent)
	if _, err := tokens.Refresh(ctx, spent); !errors.Is(err, issuer.ErrReused) || events != 1 {
		t.Errorf("%v, %d events", err, events)
	}
}

// TestEventAtExpiry presents a spent token shortly before its session expires.
// If that could still end the session the event comes, also where the record is
// gone before that is noted.
func TestEventAtExpiry(t *testing.T) {
	const latency = 10 * time.Millisecond
	for left := latency / 2; left < 6*latency; left += latency {
		inBubble(t, left.String()+" before it", func(t *testing.T) {
			events := 0
			tokens := newIssuer(t, issuer.Config[account]{
				Store:   issuertest.Slow(issuer.NewMemoryStore(), latency),
				OnEvent: func(context.Context, issuer.Event) { events++ },
			})
			spent := issue(t, tokens, "alice").RefreshToken
			refresh(t, tokens, spent)
			live, err := tokens.Sessions(t.Context(), "alice")
			if err != nil || len(live) != 1 {
				t.Fatal(live, err)
			}
			time.Sleep(time.Until(live[0].Expiry) - left)
			refused(t, tokens, spent, issuer.ErrGrant)
			want := 0
			if left > 5*latency/2 { // load, load, swap: it was ended before it expired
				want = 1
			}
			if events != want {
				t.Errorf("%d events, want %d", events, want)
			}
		})
	}
}

// TestEventOfAStoreThatIsReadOnly: what can't be noted comes again, and does no
// harm.
func TestEventOfAStoreThatIsReadOnly(t *testing.T) {
	writes, events := 3, 0 // issue, refresh, the end of the session
	tokens := newIssuer(t, issuer.Config[account]{
		Store:   &readOnly{issuer.NewMemoryStore(), &writes},
		OnEvent: func(context.Context, issuer.Event) { events++ },
	})
	spent := issue(t, tokens, "alice").RefreshToken
	refresh(t, tokens, spent)
	for range 3 {
		refused(t, tokens, spent, issuer.ErrGrant)
	}
	writes = 1
	refused(t, tokens, spent, issuer.ErrGrant)
	refused(t, tokens, spent, issuer.ErrGrant)
	if events != 4 {
		t.Errorf("%d events, want one for each until it could be noted: 4", events)
	}
}

// readOnly is a store that takes some writes, and then none.
type readOnly struct {
	issuer.Store
	writes *int
}

func (s *readOnly) Swap(ctx context.Context, r issuer.Record) (bool, error) {
	if *s.writes == 0 {
		return false, errors.New("the store is read-only")
	}
	*s.writes--
	return s.Store.Swap(ctx, r)
}
