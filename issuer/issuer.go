package issuer

import (
	"context"
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
	window  signing.Window // through which verifiers see Config.Keys
	keys    claims.KeySet  // Config.Keys, so seen
	// These read our own tokens again: refresh tokens to renew a session, both to
	// revoke it.
	refreshTokens, accessTokens *claims.Verifier[struct{}]
}

// New returns an Issuer, or every mistake in c.
func New[T any](c Config[T]) (*Issuer[T], error) {
	c, err := c.settled()
	mistakes := []error{err}
	i := &Issuer[T]{config: c, ids: ids{c.UUIDs}}
	// A key is kept until the last token that it signed has expired.
	i.window = signing.Window{Lead: c.Lead, Hold: c.AccessLife + leeway}
	refreshWindow := signing.Window{Lead: c.Lead, Hold: c.RefreshLife + leeway}
	if c.RefreshKeys == nil {
		i.window = refreshWindow // Keys sign both kinds, of which refresh tokens last longer
	}
	i.keys = c.Keys.KeySet(i.window)
	refreshKeys := i.keys
	if c.RefreshKeys != nil {
		refreshKeys = c.RefreshKeys.KeySet(refreshWindow)
	}
	i.encoder, err = claims.NewEncoder[T](c.Dialect)
	mistakes = append(mistakes, err)
	if err == nil { // the verifier would repeat what is wrong with the dialect
		read := claims.Config{
			Issuer: c.Issuer, Audience: c.Audience, Dialect: c.Dialect, Keys: i.keys,
			InsecureAnyTime: true, // the store's clock judges, in loadAndDecide
			Remember:        -1,   // these tokens seldom come twice
		}
		i.accessTokens, err = claims.NewVerifier[struct{}](read)
		mistakes = append(mistakes, err)
		read.Audience, read.Keys, read.Use = c.refreshAudience(), refreshKeys, claims.Refresh
		i.refreshTokens, _ = claims.NewVerifier[struct{}](read) // would say the same
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	return i, nil
}

// KeySet returns the verifying halves of those of Config.Keys that sign now, will
// sign within Config.Lead, or have signed tokens that are still valid. It follows
// the schedule.
func (i *Issuer[T]) KeySet() claims.KeySet {
	if i == nil || i.keys == nil {
		return noKeys{}
	}
	return i.keys
}

// JWKS serves the public halves of Config.Keys as a JWK Set, RFC 7517 §5: those
// that sign, will sign within Config.Lead, or have signed tokens that are still
// valid. Private keys and secrets are never in it, nor are RefreshKeys. It
// answers GET and HEAD with Cache-Control and an ETag.
func (i *Issuer[T]) JWKS() http.Handler {
	if i == nil || i.keys == nil {
		return new(signing.Schedule).JWKS(signing.Window{})
	}
	return i.config.Keys.JWKS(i.window)
}

// noKeys is the key set of an Issuer that New didn't make.
type noKeys struct{}

func (noKeys) Keys(context.Context, claims.Header) ([]*claims.Key, error) { return nil, errNoIssuer }

// load returns a session, nil if there is none, and the store's time.
func (i *Issuer[T]) load(ctx context.Context, id string) (*session, time.Time, error) {
	r, now, err := i.config.Store.Load(ctx, id)
	if err != nil {
		return nil, now, fmt.Errorf("issuer: store: %w", err)
	}
	now = now.Truncate(time.Millisecond) // as records have it
	if r.Version == 0 {
		return nil, now, nil
	}
	if r.Session != id { // or the pair of one user would go to another
		return nil, now, errors.New("issuer: store returned another session's record")
	}
	found, err := readSession(r)
	return found, now, err
}

// swap stores a session as its next version, and reports whether it did: not if
// another caller has changed the session since it was loaded.
func (i *Issuer[T]) swap(ctx context.Context, changed *session) (bool, error) {
	r, err := changed.record()
	if err != nil {
		return false, err
	}
	swapped, err := i.config.Store.Swap(ctx, r)
	if err != nil {
		return false, fmt.Errorf("issuer: store: %w", err)
	}
	if swapped {
		changed.version = r.Version
	}
	return swapped, nil
}
