package recovery

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

// Recovery mints and redeems codes. It is made by [New], immutable, and safe for
// concurrent use. The zero Recovery refuses with an error.
type Recovery struct {
	c Config
}

// New returns a Recovery, or every mistake in c.
func New(c Config) (*Recovery, error) {
	c, err := c.settled()
	if err != nil {
		return nil, err
	}
	return &Recovery{c}, nil
}

// Format prints how codes are made, and nothing else, whatever the verb.
func (r Recovery) Format(f fmt.State, verb rune) { r.c.Format(f, verb) }

// LogValue logs what Format prints.
func (r Recovery) LogValue() slog.Value { return r.c.LogValue() }

// Start mints a code for account and has send deliver it. It ends the code that was
// asked for before. While the account is blocked the error is a
// [lockout.BlockedError].
//
// For an account that doesn't exist send is nil: then the same is done, and no guess
// will be right. send should leave the work to a queue, since the time that it takes
// tells known accounts from unknown ones. Its error is returned.
//
// account is the one canonical name of the account, such as [ratelimit.Email] gives.
//
// If [Config.Codes] were sent lately and the last is still good, Start does nothing
// and returns nil, whether or not send succeeded then.
func (r *Recovery) Start(ctx context.Context, account string, send func(ctx context.Context, code string) error) error {
	if err := r.usable(account); err != nil {
		return err
	}
	if err := r.blocked(ctx, account); err != nil {
		return err
	}
	code := r.newCode()
	var request uint64
	made, err := r.rewrite(ctx, account, func(s state, now time.Time) (state, bool) {
		paid, ok := r.pay(s, now)
		request = s.version + 1
		next := state{Kind: open, Request: request, Digest: r.digest(account, request, code), Until: now.Add(r.c.Life), Paid: paid, Known: send != nil}
		if send == nil {
			next.Kind = decoy
		}
		return next, ok
	})
	if err != nil {
		return err
	}
	if !made {
		r.logger().DebugContext(ctx, "recovery: no code was sent, the last one is still good", "account", r.id(account))
		return nil
	}
	// A block may have begun after the first look, and have voided the record before
	// the new code was written over that. Looking again comes after the write, so that
	// one of the two sees the other.
	err = r.blocked(ctx, account)
	if errors.Is(err, lockout.ErrBlocked) {
		if failed := r.voidRequest(ctx, account, request); failed != nil {
			return failed
		}
	}
	if err != nil || send == nil {
		return err
	}
	if err := send(ctx, code); err != nil {
		return fmt.Errorf("recovery: sending: %w", err)
	}
	return nil
}

// pay charges a code to what [Config.Codes] allows, as a bucket that gains one in each
// Life, or says that it is empty.
//
// Only a code that is still good can stand in the way of a new one: an owner never
// waits without a code. Nor is the bucket empty when that code expires, and after a
// code was redeemed there is a next one.
func (r *Recovery) pay(s state, now time.Time) (paid time.Time, ok bool) {
	paid = later(s.Paid, now).Add(r.c.Life)
	full := now.Add(time.Duration(r.c.Codes) * r.c.Life)
	if !paid.After(full) {
		return paid, true
	}
	return full, !s.good(now)
}

// voidRequest voids the code of this request of account, but no newer one.
func (r *Recovery) voidRequest(ctx context.Context, account string, request uint64) error {
	_, err := r.rewrite(ctx, account, func(s state, _ time.Time) (state, bool) {
		return s.voided(s.Until), s.Request == request
	})
	return err
}

// Redeem reports whether code is the code of account, and ends it if it is: true is
// answered once. The caller then sets the new password and ends the account's
// sessions.
//
// [ErrMalformed] says that code doesn't have the form of a code; it costs no try. A
// [lockout.BlockedError] says that the account is blocked. In both cases nothing was
// looked at. Any other error says that it could not be found out whether code is
// right. If it was, it may have ended all the same; then a new one has to be asked for.
//
// A wrong guess costs two calls of the stores, three over a [Log]. The one that uses up
// the tries costs up to two more, to void the code.
func (r *Recovery) Redeem(ctx context.Context, account, code string) (bool, error) {
	if err := r.usable(account); err != nil {
		return false, err
	}
	code, err := r.readCode(code)
	if err != nil {
		return false, err
	}
	outcome, err := r.c.Lockout.Attempt(ctx, account, func(ctx context.Context) (bool, error) {
		right, err := r.spend(ctx, account, code)
		if err != nil {
			// The store failed before the code was compared, or the code was right
			// and it could not be ended, or it was ended before. None of these tells
			// a guesser anything, so the guess is given back.
			err = fmt.Errorf("%w: %w", lockout.ErrUndecided, err)
		}
		return right, err
	})
	// One guess of each block has this outcome. So a block is told once, and no wrong
	// guess has to ask the store whether it was the last.
	if outcome.Blocked > 0 {
		r.blockBegan(context.WithoutCancel(ctx), account, outcome.Blocked)
	}
	if errors.Is(err, errSpent) {
		return false, nil // to the client it is a wrong code
	}
	return outcome.Right, err
}

// errSpent is the right code for the second time, as a double click sends it. It is
// refused and not counted, or owners would lock themselves out.
var errSpent = errors.New("recovery: code was redeemed before")

// spend looks at a guess that is paid for, and ends the code if it is right. Its
// errors are all undecided: see [Recovery.Redeem].
func (r *Recovery) spend(ctx context.Context, account, code string) (bool, error) {
	// A swap that is lost means that the record has changed. Whatever it says then,
	// this guess is not the one that ends the code: the second look finds out why.
	for range 2 {
		rec, now, err := r.c.Store.Load(ctx, r.id(account))
		if err != nil {
			return false, err
		}
		s, err := readState(rec)
		if err != nil {
			return false, err
		}
		// Compared before the kind is looked at, so that open and decoy take the same
		// time.
		right := hmac.Equal(s.Digest, r.digest(account, s.Request, code))
		switch {
		case right && s.Kind == spent:
			return false, errSpent
		case !right || s.Kind != open || !s.good(now):
			return false, nil
		}
		s.Kind = spent
		swapped, err := r.c.Store.Swap(ctx, issuer.Record{
			Session: rec.Session, Subject: rec.Session, Version: rec.Version + 1, Expiry: rec.Expiry, Data: s.data(),
		})
		if err != nil || swapped {
			return swapped, err
		}
	}
	return false, errors.New("recovery: the record keeps changing")
}

// blockBegan voids the code of an account that a guess has blocked, and gives notice.
// If the store fails now the answer and the block stand, and the code expires.
func (r *Recovery) blockBegan(ctx context.Context, account string, blocked time.Duration) {
	known, err := r.voidGood(ctx, account, blocked)
	if err != nil {
		r.logger().ErrorContext(ctx, "recovery: the code of a blocked account could not be voided", "account", r.id(account), "error", err)
	}
	r.logger().WarnContext(ctx, "recovery: blocked after wrong codes", "account", r.id(account), "for", blocked)
	r.notify(ctx, Event{Account: account, Blocked: true, For: blocked, Known: known})
}

// voidGood voids the code of account, if it is good, and reports whether the account
// is known to exist. It writes the same for accounts that don't, and nothing where
// nobody has asked for a code: strangers' guesses make no records.
func (r *Recovery) voidGood(ctx context.Context, account string, blocked time.Duration) (known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, afterTimeout)
	defer cancel()
	_, err = r.rewrite(ctx, account, func(s state, now time.Time) (state, bool) {
		known = s.Known
		until := s.Until
		if known { // for the notice of an unblock; there are only so many such accounts
			until = later(until, now.Add(blocked))
		}
		return s.voided(until), s.good(now)
	})
	return known, err
}

// afterTimeout bounds what is done for a client that may have gone.
const afterTimeout = 5 * time.Second

// notify tells the application, whose client may have gone.
func (r *Recovery) notify(ctx context.Context, e Event) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterTimeout)
	defer cancel()
	r.c.Notify(ctx, e)
}

// Unblock ends the block of account, voids its code, and forgives all guesses. Who
// may do that is for the caller to judge. It is no error if the account is not
// blocked.
func (r *Recovery) Unblock(ctx context.Context, account string) error {
	if err := r.usable(account); err != nil {
		return err
	}
	_, blocked, err := r.c.Lockout.Status(ctx, account)
	if err != nil {
		return fmt.Errorf("recovery: lockout: %w", err)
	}
	// The code ends before the guesses are forgiven: the other way round there would
	// be new tries at it.
	var known bool
	if _, err := r.rewrite(ctx, account, func(s state, now time.Time) (state, bool) {
		known = s.Known
		// A store can't remove a record, so one that says nothing soon expires.
		return state{Kind: none, Until: now.Add(time.Minute), Known: known}, s.Kind != none
	}); err != nil {
		return err
	}
	if err := r.c.Lockout.Unblock(ctx, account); err != nil {
		return fmt.Errorf("recovery: lockout: %w", err)
	}
	if blocked > 0 {
		r.logger().InfoContext(ctx, "recovery: unblocked", "account", r.id(account))
		r.notify(ctx, Event{Account: account, Known: known})
	}
	return nil
}

// Status says how many guesses are left for account, and for how long it is blocked,
// 0 if it is not. It is for display.
func (r *Recovery) Status(ctx context.Context, account string) (left int, blocked time.Duration, err error) {
	if err := r.usable(account); err != nil {
		return 0, 0, err
	}
	return r.c.Lockout.Status(ctx, account)
}

// usable refuses what no step can be done for: a Recovery that was not made by New,
// and a text that can't be an account.
func (r *Recovery) usable(account string) error {
	if r == nil || r.c.Store == nil {
		return errors.New("recovery: not made by New")
	}
	if account == "" || len(account) > maxAccount {
		return fmt.Errorf("recovery: account must have 1 to %d bytes", maxAccount)
	}
	return nil
}

const maxAccount = 1024

// blocked returns a [lockout.BlockedError] while account is blocked.
func (r *Recovery) blocked(ctx context.Context, account string) error {
	_, blocked, err := r.c.Lockout.Status(ctx, account)
	if err != nil {
		return fmt.Errorf("recovery: lockout: %w", err)
	}
	if blocked > 0 {
		return &lockout.BlockedError{RetryAfter: blocked}
	}
	return nil
}

// logger is found when a line is logged, so that slog.SetDefault is heeded.
func (r *Recovery) logger() *slog.Logger {
	if r == nil || r.c.Logger == nil {
		return slog.Default()
	}
	return r.c.Logger
}
