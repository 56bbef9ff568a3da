package issuer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// SessionVerifier verifies access tokens, and then looks whether their session still
// lives. So a revoked session, or one that [Issuer.Outdate] named, is refused at once
// and not when its access token expires. It goes where a claims.Verifier goes, into a
// guard for instance.
//
// It is safe for concurrent use. Its zero value refuses, with an error that is not
// claims.ErrInvalid.
type SessionVerifier[T any] struct {
	verify *claims.Verifier[T]
	store  Store
	stale  time.Duration

	mu          sync.Mutex
	recent, old map[string]liveness // two ages; the older one is dropped as a whole
	since       time.Time           // when recent began
}

// liveness is what is remembered of one session.
type liveness struct {
	ended    bool
	outdated uint64
	seen     time.Time
}

const (
	maxStale = time.Minute
	// maxRemembered bounds each of the two ages of a SessionVerifier's memory.
	// Only genuine tokens get into it.
	maxRemembered = 1 << 15
)

// SessionVerifierConfig says what a [SessionVerifier] asks. Verifier and Store are
// required.
type SessionVerifierConfig[T any] struct {
	// Verifier is asked first: what a resource server without sessions would
	// have.
	Verifier *claims.Verifier[T]
	// Store is the one that the tokens' issuer has.
	Store Store
	// Stale is for how long what the store said is believed, and so for how long
	// a revoked session still passes; 0 to 1 minute. With 0 the store is asked
	// for every token; 5 seconds spare most of that.
	Stale time.Duration
}

// settled returns every mistake in c. It has no defaults.
func (c SessionVerifierConfig[T]) settled() (SessionVerifierConfig[T], error) {
	var mistakes []error
	mistake := func(format string, a ...any) {
		mistakes = append(mistakes, fmt.Errorf("issuer: SessionVerifierConfig."+format, a...))
	}
	if c.Verifier == nil {
		mistake("Verifier is missing")
	}
	if c.Store == nil {
		mistake("Store is missing")
	} else if isNil(c.Store) {
		mistake("Store is a nil %T: was its error looked at?", c.Store)
	}
	if c.Stale < 0 || c.Stale > maxStale {
		mistake("Stale is %v, not between 0 and %v", c.Stale, maxStale)
	}
	return c, errors.Join(mistakes...)
}

// NewSessionVerifier returns a SessionVerifier, or every mistake in c. Its memory
// is bounded, at some 65,000 sessions.
func NewSessionVerifier[T any](c SessionVerifierConfig[T]) (*SessionVerifier[T], error) {
	c, err := c.settled()
	if err != nil {
		return nil, err
	}
	return &SessionVerifier[T]{verify: c.Verifier, store: c.Store, stale: c.Stale}, nil
}

// Verify is claims.Verifier's, and refuses with claims.ErrInvalid also tokens
// whose session has ended, is unknown, or was outdated after they were issued.
// When the store can't be asked, it returns an error that does not match
// claims.ErrInvalid: the caller answers 503.
func (v *SessionVerifier[T]) Verify(ctx context.Context, token string) (*claims.Claims[T], error) {
	if v == nil || v.verify == nil {
		return nil, errors.New("issuer: the SessionVerifier was not made by NewSessionVerifier")
	}
	c, err := v.verify.Verify(ctx, token)
	if err != nil {
		return nil, err
	}
	id, generation, err := parseID(c.ID)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", claims.ErrInvalid, err)
	}
	l, err := v.liveness(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case l.ended:
		return nil, fmt.Errorf("%w: its session has ended", claims.ErrInvalid)
	case generation <= l.outdated:
		return nil, fmt.Errorf("%w: what it grants has changed since it was issued", claims.ErrInvalid)
	}
	return c, nil
}

// liveness returns what is remembered of a session, or else what the store says.
func (v *SessionVerifier[T]) liveness(ctx context.Context, id string) (liveness, error) {
	asked := time.Now()
	if l, ok := v.recall(id, asked); ok {
		return l, nil
	}
	r, now, err := v.store.Load(ctx, id)
	if err != nil {
		return liveness{}, fmt.Errorf("issuer: store: %w", err)
	}
	// Seen when it was asked: what happens to the session while the answer is under
	// way may be missing in it. A session that the store doesn't know is over.
	l := liveness{ended: true, seen: asked}
	if r.Version != 0 {
		found, err := readSession(r)
		if err != nil {
			return liveness{}, err
		}
		l.ended = found.ended != "" || !now.Before(found.expiry)
		l.outdated = found.outdated
	}
	v.remember(id, l)
	return l, nil
}

func (v *SessionVerifier[T]) recall(id string, now time.Time) (liveness, bool) {
	if v.stale == 0 {
		return liveness{}, false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	l, ok := v.recent[id]
	if !ok {
		l, ok = v.old[id]
	}
	// By the wall clock too: the monotonic one stands still while the machine is
	// suspended, and a session that was revoked meanwhile must not pass after it wakes.
	return l, ok && now.Sub(l.seen) < v.stale && now.Round(0).Sub(l.seen.Round(0)) < v.stale
}

func (v *SessionVerifier[T]) remember(id string, l liveness) {
	if v.stale == 0 {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	// An age that is full, or as old as an answer may be, becomes the old one. What it
	// held before is forgotten, which costs a question and never an answer.
	if v.recent == nil || len(v.recent) >= maxRemembered || l.seen.Sub(v.since) >= v.stale {
		v.old, v.recent, v.since = v.recent, make(map[string]liveness), l.seen
	}
	// Of two answers under way at once the one that was asked for last counts.
	if had, ok := v.recent[id]; !ok || had.seen.Before(l.seen) {
		v.recent[id] = l
	}
}
