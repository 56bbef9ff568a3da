package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

const (
	// maxSwaps is how often a change of a session is tried again that must be
	// made whatever else happens to the session. Each lost swap is somebody's
	// success.
	maxSwaps = 100
	// changeTimeout bounds the change of one session. It is made whether or not
	// the client still waits, or whoever hangs up in time would keep a session
	// that is to end.
	changeTimeout = 30 * time.Second
)

// Revoke ends the session of a refresh token, also of one that is spent, or of
// an access token (RFC 7009 §2.1), also of one that has expired, as long as its
// key is kept: whoever has had either may end the session, and that is all that
// an expired one can do. As §2.2 says, it is no error if the token is unknown or
// forged, which it looks once its key is gone, or the session has ended before.
// An error means that the session may live on.
//
// The access token itself is refused from then on by a [SessionVerifier], and by
// nobody else.
//
// As with all that ends a session, it is done also if ctx ends meanwhile, or
// has; each session takes 30 seconds at most.
func (s *Issuer[T]) Revoke(ctx context.Context, token string) error {
	if s == nil || s.refreshTokens == nil {
		return errNoIssuer
	}
	reading := context.WithoutCancel(ctx)
	presented, err := s.open(reading, s.refreshTokens, token)
	if errors.Is(err, ErrGrant) {
		presented, err = s.open(reading, s.accessTokens, token)
	}
	switch {
	case errors.Is(err, ErrGrant):
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", errUnchanged, err)
	}
	return s.revoke(ctx, presented.subject, presented.session)
}

// RevokeSession ends one session of a subject, one that [Issuer.Sessions] named
// or the one of an access token: [Issuer.SessionOf]. It is no error if the
// subject has no such session.
func (s *Issuer[T]) RevokeSession(ctx context.Context, subject, session string) error {
	if s == nil || s.refreshTokens == nil {
		return errNoIssuer
	}
	subject, err := s.subject(subject)
	if err != nil {
		return err
	}
	return s.revoke(ctx, subject, session)
}

// RevokeAll ends all sessions that a subject has: after a change of password,
// a recovery, or a theft. An error means that some may live on.
//
// Call it after what lets the subject in was changed. A login that was let in
// just before, and is under way, may still get its session: where that matters,
// call it again when the slowest login must be over, or have Renew compare when
// the password was changed with a time that Issue was given in App.
func (s *Issuer[T]) RevokeAll(ctx context.Context, subject string) error {
	return s.each(ctx, subject, func(e *session) bool {
		e.ended = endRevoked
		return true
	})
}

// SessionOf returns the id of the session that c, the claims of one of our own
// access tokens, belongs to; "" if there is none to be read. It works in every
// dialect, also where Claims.Session is empty.
func (s *Issuer[T]) SessionOf(c *claims.Claims[T]) string {
	if s == nil || c == nil {
		return ""
	}
	id, _, err := s.ids.parse(c.ID)
	if err != nil {
		return ""
	}
	return id
}

func (s *Issuer[T]) revoke(ctx context.Context, subject, id string) error {
	_, err := s.change(ctx, id, func(e *session) bool {
		if subject != "" && e.subject != subject {
			return false
		}
		e.ended = endRevoked
		return true
	})
	return err
}

// each changes all live sessions of a subject, and goes on after errors.
func (s *Issuer[T]) each(ctx context.Context, subject string, edit func(*session) bool) error {
	if s == nil || s.refreshTokens == nil {
		return errNoIssuer
	}
	subject, err := s.subject(subject)
	if err != nil {
		return err
	}
	records, err := s.list(ctx, subject)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnchanged, err)
	}
	var failures []error
	for _, r := range records {
		if _, err := s.change(ctx, r.Session, edit); err != nil {
			failures = append(failures, err)
			if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
				break // the store hangs, and nobody waits for it
			}
		}
	}
	return errors.Join(failures...)
}

// list is Store.List for sessions that are to be changed.
func (s *Issuer[T]) list(ctx context.Context, subject string) ([]Record, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	records, err := s.config.Store.List(ctx, subject)
	if err != nil {
		return nil, fmt.Errorf("issuer: store: %w", err)
	}
	return records, nil
}

// change edits a live session, stores it, and returns it as it is now; nil if
// there is no such session, it has ended or expired, or edit says no.
func (s *Issuer[T]) change(ctx context.Context, id string, edit func(*session) bool) (*session, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	e, err := s.tryChange(ctx, id, edit)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnchanged, err)
	}
	return e, nil
}

func (s *Issuer[T]) tryChange(ctx context.Context, id string, edit func(*session) bool) (*session, error) {
	for range maxSwaps {
		e, now, err := s.load(ctx, id)
		if err != nil {
			return nil, err
		}
		if e == nil || e.ended != "" || !now.Before(e.expiry) || !edit(e) {
			return nil, nil
		}
		if swapped, err := s.swap(ctx, e); err != nil {
			return nil, err
		} else if swapped {
			return e, nil
		}
	}
	return nil, errBusy
}

// refuse carries out a verdict on the token that was presented of e, nil if
// there is no such session, and returns why it is refused.
func (s *Issuer[T]) refuse(ctx context.Context, v verdict, e *session, presented uint64) error {
	switch v {
	case unknown:
		return errUnknown
	case ended:
		if e.alarm != 0 {
			s.alarm(ctx, e)
		}
		return errEnded
	case expired:
		return errExpired
	case ahead:
		return s.endFor(ctx, endRollback, errAhead, e.id, presented)
	default:
		return s.endFor(ctx, endReuse, ErrReused, e.id, presented)
	}
}

// endFor ends a session because of the token that was presented, raises the
// event if it was this call that ended it, and returns why. Until the store has
// done it, the answer is that it could not be done, so that a thief's attempt
// is not taken for one that was dealt with.
func (s *Issuer[T]) endFor(ctx context.Context, reason string, why error, id string, presented uint64) error {
	e, err := s.change(ctx, id, func(e *session) bool {
		e.ended, e.alarm = reason, presented
		return true
	})
	if err != nil {
		return err
	}
	if e != nil {
		s.alarm(ctx, e)
	}
	return why
}

// alarm raises the event of a session that has ended and says that it was not
// raised yet. Of all who find it so, the one that notes in the store that it is
// raised does it; and whoever can't tell whether that is noted.
func (s *Issuer[T]) alarm(ctx context.Context, e *session) {
	event := Event{Reason: e.ended, Session: e.id, Subject: e.subject, Presented: e.alarm, Current: e.generation}
	e.alarm = 0
	ctx = context.WithoutCancel(ctx)
	noting, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	swapped, err := s.swap(noting, e)
	if err == nil && !swapped {
		var left *session
		if left, _, err = s.load(noting, e.id); err == nil && left != nil {
			return // another has noted it
		}
	}
	s.raise(ctx, event)
}

// endRefused ends a session whose renewal was refused.
func (s *Issuer[T]) endRefused(ctx context.Context, id string, why error) error {
	_, err := s.change(ctx, id, func(e *session) bool {
		e.ended = endRefused
		return true
	})
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", ErrGrant, why)
}
