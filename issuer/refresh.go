package issuer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// Refresh spends a refresh token and returns the next pair of its session. Its
// errors are [ErrReused], [ErrGrant], or anything else, after which the token may be
// presented again. With an error there is no pair. The package documentation has its
// laws.
func (i *Issuer[T]) Refresh(ctx context.Context, refreshToken string) (Pair, error) {
	if i == nil || i.refreshTokens == nil {
		return Pair{}, errNoIssuer
	}
	presented, err := i.open(ctx, i.refreshTokens, refreshToken)
	if err != nil {
		return Pair{}, err
	}
	// A lost swap means that another caller has changed the session since it was
	// loaded. What the token is worth now is decided anew, once: almost always it was
	// spent by that caller, which needs no second swap. If this swap is lost too, the
	// client is told to try again: nothing was spent by this call.
	for range 2 {
		session, now, v, err := i.loadAndDecide(ctx, presented)
		if err != nil {
			return Pair{}, err
		}
		if v != rotate && v != repeat {
			return Pair{}, i.refuse(ctx, v, session, presented.generation)
		}
		c, err := i.renew(ctx, session)
		if err != nil {
			return Pair{}, err
		}
		if v == rotate {
			i.advance(session, now)
		}
		// Signed before the swap: a key that fails has spent nothing.
		pair, err := i.mint(ctx, session, c, now, true)
		if err != nil {
			return Pair{}, err
		}
		if v == repeat { // the swap was the first caller's
			return pair, nil
		}
		if swapped, err := i.swap(ctx, session); err != nil {
			return Pair{}, err
		} else if swapped {
			return pair, nil
		}
	}
	return Pair{}, errBusy
}

// RefreshWithoutRotation returns a new access token for a refresh token that stays
// as it is: the Pair has no other. It is for systems whose clients keep their
// refresh token until it expires.
//
// The price is that a stolen refresh token works for as long as its owner's, and
// nobody can tell. RFC 9700 §4.14.2 asks for rotation, or for tokens that are bound
// to their sender.
//
// Everything else is as with Refresh: the session must live, Renew is asked, and a
// token that Refresh has spent ends its session. What Renew sets counts for this
// access token. The session is not prolonged: it ends RefreshLife after the last
// Refresh, or after Issue.
func (i *Issuer[T]) RefreshWithoutRotation(ctx context.Context, refreshToken string) (Pair, error) {
	if i == nil || i.refreshTokens == nil {
		return Pair{}, errNoIssuer
	}
	presented, err := i.open(ctx, i.refreshTokens, refreshToken)
	if err != nil {
		return Pair{}, err
	}
	session, now, v, err := i.loadAndDecide(ctx, presented)
	switch {
	case err != nil:
		return Pair{}, err
	case v == repeat:
		// The token was just spent by Refresh, which gave its client another. That
		// is not reuse yet, and here no successor is handed out.
		return Pair{}, errSpent
	case v != rotate:
		return Pair{}, i.refuse(ctx, v, session, presented.generation)
	}
	c, err := i.renew(ctx, session)
	if err != nil {
		return Pair{}, err
	}
	return i.mint(ctx, session, c, now, false)
}

// presented is what a genuine token says.
type presented struct {
	session, subject string
	generation       uint64
	expiry           time.Time // the first moment at which it has surely expired, zero if it never does
}

// open reads a token with the verifier for its use.
func (i *Issuer[T]) open(ctx context.Context, tokens *claims.Verifier[struct{}], token string) (presented, error) {
	c, err := tokens.Verify(ctx, token)
	switch {
	case errors.Is(err, claims.ErrInvalid):
		return presented{}, fmt.Errorf("%w: %w", ErrGrant, err)
	case err != nil: // says nothing about the token: no ErrGrant
		return presented{}, fmt.Errorf("issuer: token could not be read: %w", err)
	}
	id, generation, err := i.ids.parse(c.ID)
	if err != nil {
		return presented{}, fmt.Errorf("%w: %w", ErrGrant, err)
	}
	p := presented{session: id, subject: c.Subject, generation: generation}
	if !c.Expiry.IsZero() {
		p.expiry = c.Expiry.Add(time.Second) // dialects cut off fractions; the session's own is exact
	}
	return p, nil
}

// loadAndDecide loads the session of a refresh token, and decides by the store's
// time what becomes of the token.
func (i *Issuer[T]) loadAndDecide(ctx context.Context, p presented) (*session, time.Time, verdict, error) {
	session, now, err := i.load(ctx, p.session)
	switch {
	case err != nil:
		return nil, now, unknown, err
	case session != nil && p.subject != "" && session.subject != p.subject:
		// Only another program with our key writes such a token. It must not end a
		// session that is not its subject's.
		return nil, now, unknown, errForeign
	case !p.expiry.IsZero() && !now.Before(p.expiry):
		// Before decide, or a spent token that expired long ago would be reuse and end
		// the session of a client that has renewed it since.
		return nil, now, expired, errExpired
	}
	v := decide(session, p.generation, now, i.config.Grace)
	// At the last generation a successor would have the number of an older token, or
	// none that fits.
	if (v == rotate || v == repeat) && session.accessGeneration() >= i.ids.maxGeneration() {
		v = exhausted
	}
	return session, now, v, nil
}

// renew returns what the session grants, after Config.Renew has been asked. It stores
// nothing, unless Renew refuses: that ends the session.
func (i *Issuer[T]) renew(ctx context.Context, session *session) (*claims.Claims[T], error) {
	c := &claims.Claims[T]{Subject: session.subject, Party: session.grant.party, Scope: session.grant.scope, Session: session.id}
	if session.grant.app != nil {
		// A number in a map or an any stays as it is written. A float64 would change
		// integers above 2^53, such as snowflake ids, at the first refresh.
		exact := json.NewDecoder(bytes.NewReader(session.grant.app))
		exact.UseNumber()
		if err := exact.Decode(&c.App); err != nil {
			return nil, fmt.Errorf("issuer: session's App can't be read: %w", err)
		}
	}
	if i.config.Renew == nil {
		return c, nil
	}
	err := i.config.Renew(ctx, c)
	switch {
	case errors.Is(err, ErrRefused):
		return nil, i.endRefused(ctx, session.id, fmt.Errorf("issuer: Renew: %w", err))
	case err != nil: // it could not tell: the session stays as it was
		return nil, fmt.Errorf("issuer: Renew: %w", err)
	case c.Subject != session.subject:
		return nil, errors.New("issuer: Renew changed the subject")
	}
	return c, i.setGrant(session, c)
}
