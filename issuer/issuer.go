package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// Issuer issues pairs, renews them and ends their sessions. It is safe for
// concurrent use, and several on many machines may share a Store. Its zero
// value issues nothing and refuses everything, with errors that are not
// [ErrGrant].
type Issuer[T any] struct {
	config  Config[T]
	ids     ids
	encoder *claims.Encoder[T]
	keys    claims.KeySet  // of Config.Keys
	window  signing.Window // through which they are seen
	// What reads our own tokens: refreshTokens to renew, both to revoke.
	accessTokens, refreshTokens *claims.Verifier[struct{}]
}

// New returns an Issuer, or every mistake in c.
func New[T any](c Config[T]) (*Issuer[T], error) {
	c, err := c.settled()
	mistakes := []error{err}
	s := &Issuer[T]{config: c, ids: ids{c.UUIDs}}
	s.window = signing.Window{Lead: c.Lead, Hold: c.AccessLife + leeway}
	if c.RefreshKeys == nil { // Keys sign refresh tokens too, which last longer
		s.window.Hold = c.RefreshLife + leeway
	}
	s.keys = c.Keys.KeySet(s.window)
	refreshKeys := s.keys
	if c.RefreshKeys != nil {
		refreshKeys = c.RefreshKeys.KeySet(signing.Window{Lead: c.Lead, Hold: c.RefreshLife + leeway})
	}
	s.encoder, err = claims.NewEncoder[T](c.Dialect)
	mistakes = append(mistakes, err)
	if err == nil { // the verifier would repeat what is wrong with the dialect
		read := claims.Config{
			Issuer: c.Issuer, Audience: c.Audience, Dialect: c.Dialect,
			Keys: refreshKeys, Use: claims.Refresh,
			InsecureAnyTime: true, // the store's clock judges, in Refresh
			Remember:        -1,   // none comes twice
		}
		s.refreshTokens, err = claims.NewVerifier[struct{}](read)
		mistakes = append(mistakes, err)
		read.Keys, read.Use = s.keys, claims.Access
		s.accessTokens, _ = claims.NewVerifier[struct{}](read) // would say the same
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	return s, nil
}

// KeySet returns the verifying halves of Config.Keys, those that sign now, will
// soon, or have signed what is still valid. It follows the schedule.
func (s *Issuer[T]) KeySet() claims.KeySet {
	if s == nil || s.keys == nil {
		return noKeys{}
	}
	return s.keys
}

// JWKS serves the public halves of Config.Keys as a JWK Set, RFC 7517 §5: those
// that sign, will sign within Config.Lead, or have signed tokens that are still
// valid. Private keys and secrets are never in it, nor are RefreshKeys. It
// answers GET and HEAD with Cache-Control and an ETag.
func (s *Issuer[T]) JWKS() http.Handler {
	if s == nil || s.keys == nil {
		return new(signing.Schedule).JWKS(signing.Window{})
	}
	return s.config.Keys.JWKS(s.window)
}

// noKeys is the key set of an Issuer that New didn't make.
type noKeys struct{}

func (noKeys) Keys(context.Context, claims.Header) ([]*claims.Key, error) { return nil, errNoIssuer }

// Issue starts a session for a subject and returns its first pair. The caller
// has authenticated the subject: Issue believes whatever it is told.
//
// Of c, Subject, Party, Scope and App count, and Subject is required. All else
// the issuer sets; it is an error to set it. App is kept with the session as
// encoding/json writes it.
//
// With Dialect.ObjectSubject the Subject is written in one spelling, and read in
// any, here and wherever else it is given: without white space, members in the
// order of their names. Its numbers are integers, written as such; others are
// refused, as are members that are repeated.
//
// With an error there is no pair, and no session that anybody could use.
func (s *Issuer[T]) Issue(ctx context.Context, c claims.Claims[T]) (Pair, error) {
	if s == nil || s.refreshTokens == nil {
		return Pair{}, errNoIssuer
	}
	if err := ctx.Err(); err != nil {
		return Pair{}, fmt.Errorf("issuer: %w", err)
	}
	if err := onlyGranted(&c); err != nil {
		return Pair{}, err
	}
	subject, err := s.subject(c.Subject)
	if err != nil {
		return Pair{}, err
	}
	id := s.ids.session()
	_, now, err := s.config.Store.Load(ctx, id)
	if err != nil {
		return Pair{}, fmt.Errorf("issuer: store: %w", err)
	}
	now = now.Truncate(time.Millisecond)
	e := &session{id: id, subject: subject, created: now, absolute: now.Add(s.config.SessionLife), label: labelOf(ctx)}
	s.advance(e, now)
	if err := s.setGrant(e, &c); err != nil {
		return Pair{}, err
	}
	pair, err := s.mint(ctx, e, &c, now, true)
	if err != nil {
		return Pair{}, err
	}
	swapped, err := s.swap(ctx, e)
	if err == nil && !swapped {
		err = errBusy
	}
	if err != nil {
		return Pair{}, err
	}
	return pair, nil
}

// Refresh spends a refresh token and returns the next pair of its session. The
// package documentation states its laws. Errors are [ErrReused], [ErrGrant], or
// anything else, after which the token may be presented again; with an error
// there is no pair.
func (s *Issuer[T]) Refresh(ctx context.Context, refreshToken string) (Pair, error) {
	if s == nil || s.refreshTokens == nil {
		return Pair{}, errNoIssuer
	}
	presented, err := s.open(ctx, s.refreshTokens, refreshToken)
	if err != nil {
		return Pair{}, err
	}
	for range 2 { // whoever loses the swap looks again, once
		e, now, v, err := s.judge(ctx, presented)
		if err != nil {
			return Pair{}, err
		}
		if v != rotate && v != repeat {
			return Pair{}, s.refuse(ctx, v, e, presented.generation)
		}
		pair, err := s.renew(ctx, e, now, v)
		if err != nil {
			return Pair{}, err
		}
		if v == repeat {
			return pair, nil
		}
		if swapped, err := s.swap(ctx, e); err != nil {
			return Pair{}, err
		} else if swapped {
			return pair, nil
		}
	}
	return Pair{}, errBusy
}

// RefreshWithoutRotation returns a new access token for a refresh token that
// stays as it is: the Pair has no other. It is for systems whose clients keep
// their refresh token until it expires.
//
// The price is that a stolen refresh token works for as long as its owner's, and
// nobody can tell (RFC 9700 §4.14.2 asks for rotation or for tokens bound to
// their sender). All else is as with Refresh: the session must live, Renew is
// asked, and a token that Refresh has spent ends its session. What Renew sets
// counts for this access token. The session does not get older than RefreshLife
// by it.
func (s *Issuer[T]) RefreshWithoutRotation(ctx context.Context, refreshToken string) (Pair, error) {
	if s == nil || s.refreshTokens == nil {
		return Pair{}, errNoIssuer
	}
	presented, err := s.open(ctx, s.refreshTokens, refreshToken)
	if err != nil {
		return Pair{}, err
	}
	e, now, v, err := s.judge(ctx, presented)
	switch {
	case err != nil:
		return Pair{}, err
	case v == repeat:
		return Pair{}, errSpent
	case v != rotate:
		return Pair{}, s.refuse(ctx, v, e, presented.generation)
	}
	return s.renew(ctx, e, now, keep)
}

// judge loads the session of a refresh token and decides what becomes of it.
func (s *Issuer[T]) judge(ctx context.Context, p presented) (*session, time.Time, verdict, error) {
	e, now, err := s.load(ctx, p.session)
	switch {
	case err != nil:
		return nil, now, unknown, err
	case e != nil && p.subject != "" && e.subject != p.subject:
		return nil, now, unknown, errForeign
	case !p.expiry.IsZero() && !now.Before(p.expiry):
		return nil, now, expired, errExpired
	}
	v := decide(e, p.generation, now, s.config.Grace)
	if (v == rotate || v == repeat) && e.accessGeneration() >= s.ids.maxGeneration() {
		v = expired
	}
	return e, now, v, nil
}

// presented is what a genuine token says.
type presented struct {
	session, subject string
	generation       uint64
	expiry           time.Time // the first moment at which it is surely over, zero if it never is
}

// open reads a token with the verifier for its use.
func (s *Issuer[T]) open(ctx context.Context, reader *claims.Verifier[struct{}], token string) (presented, error) {
	c, err := reader.Verify(ctx, token)
	switch {
	case errors.Is(err, claims.ErrInvalid):
		return presented{}, fmt.Errorf("%w: %w", ErrGrant, err)
	case err != nil:
		return presented{}, fmt.Errorf("issuer: token could not be read: %w", err)
	}
	id, generation, err := s.ids.parse(c.ID)
	if err != nil {
		return presented{}, fmt.Errorf("%w: %w", ErrGrant, err)
	}
	p := presented{session: id, subject: c.Subject, generation: generation}
	if !c.Expiry.IsZero() {
		p.expiry = c.Expiry.Add(time.Second) // dialects cut off fractions; the session's own is exact
	}
	return p, nil
}

// renew makes the pair that answers a token, and moves e to the next generation
// if that is the verdict. It stores nothing, unless Renew refuses: that ends the
// session.
func (s *Issuer[T]) renew(ctx context.Context, e *session, now time.Time, v verdict) (Pair, error) {
	c := &claims.Claims[T]{Subject: e.subject, Party: e.grant.party, Scope: e.grant.scope, Session: e.id}
	if e.grant.app != nil {
		if err := json.Unmarshal(e.grant.app, &c.App); err != nil {
			return Pair{}, fmt.Errorf("issuer: session's App can't be read: %w", err)
		}
	}
	if s.config.Renew != nil {
		err := s.config.Renew(ctx, c)
		if errors.Is(err, ErrRefused) {
			return Pair{}, s.endRefused(ctx, e.id, fmt.Errorf("issuer: Renew: %w", err))
		}
		if err != nil {
			return Pair{}, fmt.Errorf("issuer: Renew: %w", err)
		}
		if c.Subject != e.subject {
			return Pair{}, errors.New("issuer: Renew changed the subject")
		}
		if err := s.setGrant(e, c); err != nil {
			return Pair{}, err
		}
	}
	if v == rotate {
		s.advance(e, now)
	}
	return s.mint(ctx, e, c, now, v != keep)
}

// advance begins the next generation of e.
func (s *Issuer[T]) advance(e *session, now time.Time) {
	e.generation++
	e.rotated = now
	e.expiry = earlier(now.Add(s.config.RefreshLife), e.absolute)
}

// setGrant makes what c says e's.
func (s *Issuer[T]) setGrant(e *session, c *claims.Claims[T]) error {
	app, err := json.Marshal(c.App)
	if err != nil {
		return fmt.Errorf("issuer: App: %w", err)
	}
	if string(app) == "{}" || string(app) == "null" {
		app = nil
	}
	e.grant = grant{c.Party, c.Scope, app}
	return nil
}

// load returns a session, nil if there is none, and the store's time.
func (s *Issuer[T]) load(ctx context.Context, id string) (*session, time.Time, error) {
	r, now, err := s.config.Store.Load(ctx, id)
	if err != nil {
		return nil, now, fmt.Errorf("issuer: store: %w", err)
	}
	now = now.Truncate(time.Millisecond)
	if r.Version == 0 {
		return nil, now, nil
	}
	if r.Session != id {
		return nil, now, errors.New("issuer: store returned another session's record")
	}
	e, err := read(r)
	return e, now, err
}

// swap stores e as its next version and reports whether nobody else had stored
// one before.
func (s *Issuer[T]) swap(ctx context.Context, e *session) (bool, error) {
	r, err := e.record()
	if err != nil {
		return false, err
	}
	swapped, err := s.config.Store.Swap(ctx, r)
	if err != nil {
		return false, fmt.Errorf("issuer: store: %w", err)
	}
	if swapped {
		e.version = r.Version
	}
	return swapped, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
