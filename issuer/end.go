package issuer

import (
	"context"
	"fmt"
)

// refuse carries out a verdict that refuses the token that was presented, and returns
// why. The session is nil if there is none.
func (i *Issuer[T]) refuse(ctx context.Context, v verdict, session *session, presented uint64) error {
	switch v {
	case unknown:
		return errUnknown
	case ended:
		// The call that ended it may have crashed, or lost the store's answer, before it
		// raised the event.
		if session.pending != 0 {
			i.raisePending(ctx, session)
		}
		return errEnded
	case expired:
		return errExpired
	case exhausted:
		return errExhausted
	case ahead:
		return i.endFor(ctx, endRollback, errAhead, session.id, presented)
	default: // reused, and any verdict that is added and forgotten here
		return i.endFor(ctx, endReuse, ErrReused, session.id, presented)
	}
}

// endFor ends a session because of the token that was presented, raises the event if
// this call has ended it, and returns why. Until the store has done it, the answer is
// that it could not be done: 503, so that nobody takes the attempt of a thief for one
// that was dealt with.
func (i *Issuer[T]) endFor(ctx context.Context, reason string, why error, id string, presented uint64) error {
	over, err := i.change(ctx, id, func(session *session) bool {
		session.ended, session.pending = reason, presented
		return true
	})
	if err != nil {
		return err
	}
	if over != nil { // else another call was first, and raises the event
		i.raisePending(ctx, over)
	}
	return why
}

// raisePending raises the event of a session that has ended and whose event is still
// pending. Several callers may find it pending. The one whose swap marks it as raised
// raises it. A caller that can't tell whether its swap took effect raises it too:
// twice is better than never.
func (i *Issuer[T]) raisePending(ctx context.Context, over *session) {
	event := Event{Reason: over.ended, Session: over.id, Subject: over.subject, Presented: over.pending, Current: over.generation}
	over.pending = 0
	// A client that hangs up must not keep its own theft from being reported.
	ctx = context.WithoutCancel(ctx)
	marking, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	swapped, err := i.swap(marking, over)
	if err == nil && !swapped {
		// Only raisePending changes a session that has ended, so another caller has
		// marked it. But a record that is gone may have expired before anybody did.
		left, _, err := i.load(marking, over.id)
		if err == nil && left != nil {
			return
		}
	}
	i.raise(ctx, event)
}

// endRefused ends a session because Config.Renew refused to renew it.
func (i *Issuer[T]) endRefused(ctx context.Context, id string, why error) error {
	_, err := i.change(ctx, id, func(session *session) bool {
		session.ended = endRefused
		return true
	})
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", ErrGrant, why)
}
