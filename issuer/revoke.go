package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

const (
	// maxSwaps is how often a change is tried that must be made whatever else
	// happens to the session. Each lost swap is another caller's success.
	maxSwaps = 100
	// changeTimeout bounds the change of one session. It goes on when the client
	// hangs up, or a thief could keep a session by hanging up in time.
	changeTimeout = 30 * time.Second
)

// Revoke ends the session of a refresh token or an access token, RFC 7009 §2.1. It is
// not an error if the token is unknown or forged, or if the session has ended before
// (§2.2). An error means that the session may live on.
//
// Tokens that are spent or have expired end their session too, as long as their key
// is kept: that is all they can still do. Once its key is gone a token counts as
// forged.
//
// The access token itself is refused from then on by a [SessionVerifier], and by
// nothing else.
//
// Like every change that ends a session, this goes on when ctx ends, and is made also
// if ctx has ended before. Each session takes 30 seconds at most.
func (i *Issuer[T]) Revoke(ctx context.Context, token string) error {
	if i == nil || i.refreshTokens == nil {
		return errNoIssuer
	}
	// A client that has hung up meanwhile gets its session ended all the same.
	reading := context.WithoutCancel(ctx)
	presented, err := i.open(reading, i.refreshTokens, token)
	if errors.Is(err, ErrGrant) {
		presented, err = i.open(reading, i.accessTokens, token)
	}
	switch {
	case errors.Is(err, ErrGrant): // RFC 7009 §2.2: an invalid token is not an error
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", errUnchanged, err)
	}
	return i.revoke(ctx, presented.subject, presented.session)
}

// RevokeSession ends one session of a subject: one that [Issuer.Sessions] named, or
// that of an access token ([Issuer.SessionOf]). It is not an error if the subject has
// no such session.
func (i *Issuer[T]) RevokeSession(ctx context.Context, subject, session string) error {
	if i == nil || i.refreshTokens == nil {
		return errNoIssuer
	}
	subject, err := i.subject(subject)
	if err != nil {
		return err
	}
	return i.revoke(ctx, subject, session)
}

// RevokeAll ends all sessions of a subject: after a change of password, a recovery, or
// a theft. Call it after the password was changed. An error means that some sessions
// may live on.
//
// A login that was let in just before the change may still get its session. Where
// that matters, call RevokeAll again when the slowest login must be over; or put the
// time of the login into App, and have Renew compare it with that of the change.
func (i *Issuer[T]) RevokeAll(ctx context.Context, subject string) error {
	return i.each(ctx, subject, func(session *session) bool {
		session.ended = endRevoked
		return true
	})
}

// SessionOf returns the id of the session to which c belongs, the claims of one of
// this issuer's access tokens. It is "" if c does not tell. It works in every dialect,
// also where Claims.Session is empty.
func (i *Issuer[T]) SessionOf(c *claims.Claims[T]) string {
	if i == nil || c == nil {
		return ""
	}
	id, _, err := i.ids.parse(c.ID)
	if err != nil {
		return ""
	}
	return id
}

func (i *Issuer[T]) revoke(ctx context.Context, subject, id string) error {
	_, err := i.change(ctx, id, func(session *session) bool {
		if subject != "" && session.subject != subject { // ids are not secret
			return false
		}
		session.ended = endRevoked
		return true
	})
	return err
}

// each changes all live sessions of a subject, and goes on after errors.
func (i *Issuer[T]) each(ctx context.Context, subject string, edit func(*session) bool) error {
	if i == nil || i.refreshTokens == nil {
		return errNoIssuer
	}
	subject, err := i.subject(subject)
	if err != nil {
		return err
	}
	records, err := i.list(ctx, subject)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnchanged, err)
	}
	var failures []error
	for _, r := range records {
		if _, err := i.change(ctx, r.Session, edit); err != nil {
			failures = append(failures, err)
			if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
				break // the store hangs, and the client has gone: 30 s more for each session help nobody
			}
		}
	}
	return errors.Join(failures...)
}

// list is Store.List for sessions that are to be changed.
func (i *Issuer[T]) list(ctx context.Context, subject string) ([]Record, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	records, err := i.config.Store.List(ctx, subject)
	if err != nil {
		return nil, fmt.Errorf("issuer: store: %w", err)
	}
	return records, nil
}

// change edits a live session, stores it, and returns it as it is now. It returns nil
// if there is no such session, if it has ended or expired, or if edit says no.
func (i *Issuer[T]) change(ctx context.Context, id string, edit func(*session) bool) (*session, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	changed, err := i.tryChange(ctx, id, edit)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnchanged, err)
	}
	return changed, nil
}

// tryChange is change without its time limit.
func (i *Issuer[T]) tryChange(ctx context.Context, id string, edit func(*session) bool) (*session, error) {
	// Refreshes go on meanwhile, and each that is first makes this swap fail. The
	// change must win in the end: load what the other has stored, and edit that.
	for range maxSwaps {
		session, now, err := i.load(ctx, id)
		if err != nil {
			return nil, err
		}
		// A session that is over stays as it is: the first reason is the true one, and
		// an event of it may still be pending.
		if session == nil || session.ended != "" || !now.Before(session.expiry) || !edit(session) {
			return nil, nil
		}
		if swapped, err := i.swap(ctx, session); err != nil {
			return nil, err
		} else if swapped {
			return session, nil
		}
	}
	return nil, errBusy
}
