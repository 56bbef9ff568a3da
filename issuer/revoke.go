package issuer

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-go/gatehouse/claims"
)

// maxSwaps is how often a change of a session is tried again that must be made
// whatever else happens to the session. Each lost swap is somebody's success.
const maxSwaps = 100

// Revoke ends the session of a refresh token, also of one that is spent. As
// RFC 7009 §2.2 says, it is no error if the token is unknown, expired or forged,
// or the session has ended before. An error means that the session may live on.
func (s *Issuer[T]) Revoke(ctx context.Context, refreshToken string) error {
	if s == nil || s.reader == nil {
		return errNoIssuer
	}
	presented, err := s.open(ctx, refreshToken)
	if errors.Is(err, ErrGrant) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.revoke(ctx, presented.subject, presented.session)
}

// RevokeSession ends one session of a subject, one that [Issuer.Sessions] named
// or the one of an access token: [Issuer.SessionOf]. It is no error if the
// subject has no such session.
func (s *Issuer[T]) RevokeSession(ctx context.Context, subject, session string) error {
	if s == nil || s.reader == nil {
		return errNoIssuer
	}
	subject, err := s.subject(subject)
	if err != nil {
		return err
	}
	return s.revoke(ctx, subject, session)
}

// RevokeAll ends all sessions that a subject has: after a change of password,
// a recovery, or a theft. Sessions that are issued meanwhile may remain, so
// change what lets the subject in first. An error means that some may live on.
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
	if s == nil || s.reader == nil {
		return errNoIssuer
	}
	subject, err := s.subject(subject)
	if err != nil {
		return err
	}
	records, err := s.config.Store.List(ctx, subject)
	if err != nil {
		return fmt.Errorf("issuer: store: %w", err)
	}
	var failures []error
	for _, r := range records {
		if _, err := s.change(ctx, r.Session, edit); err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// change edits a live session and stores it. It reports whether it did: not if
// there is no such session, it has ended or expired, or edit says no.
func (s *Issuer[T]) change(ctx context.Context, id string, edit func(*session) bool) (bool, error) {
	for range maxSwaps {
		e, now, err := s.load(ctx, id)
		if err != nil {
			return false, err
		}
		if e == nil || e.ended != "" || !now.Before(e.expiry) || !edit(e) {
			return false, nil
		}
		if swapped, err := s.swap(ctx, e); err != nil || swapped {
			return swapped, err
		}
	}
	return false, errBusy
}

// refuse carries out a verdict that refuses a token, and returns why.
func (s *Issuer[T]) refuse(ctx context.Context, v verdict, id string, presented uint64) error {
	switch v {
	case unknown:
		return errUnknown
	case ended:
		return errEnded
	case expired:
		return errExpired
	case ahead:
		return s.endFor(ctx, endRollback, errAhead, id, presented)
	default:
		return s.endFor(ctx, endReuse, ErrReused, id, presented)
	}
}

// endFor ends a session because of the token that was presented, raises the
// event if it was this call that ended it, and returns why. Until the store has
// done it, the answer is that it could not be done, so that a thief's attempt
// is not taken for one that was dealt with.
func (s *Issuer[T]) endFor(ctx context.Context, reason string, why error, id string, presented uint64) error {
	event := Event{Reason: reason, Session: id, Presented: presented}
	did, err := s.change(ctx, id, func(e *session) bool {
		event.Subject, event.Current = e.subject, e.generation
		e.ended = reason
		return true
	})
	if err != nil {
		return err
	}
	if did {
		s.raise(ctx, event)
	}
	return why
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
