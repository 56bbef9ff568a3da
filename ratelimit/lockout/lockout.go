package lockout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/alarm"
	"github.com/gatehouse-go/gatehouse/ratelimit/internal/named"
)

// A Lockout lets a key, such as an account, be guessed at a few times, and then
// blocks it. Every guess is paid for before it is looked at. A guess at a blocked
// key is neither looked at nor paid for.
//
// With the defaults and a code of six digits an attacker has 5 in a million a day,
// 0.2 % in a year for each account. Anybody who knows a key can have it blocked, so
// a lockout should stop recovery, not login.
//
// It is made by [New], immutable, and safe for concurrent use. The zero Lockout and
// a nil one refuse with an error.
type Lockout struct {
	entry   Entry // all but Key, Op and Receipt
	store   Store
	timeout time.Duration
	memory  *MemoryStore // store, if it is ours
	space   named.Digest // of the name, in memory
	log     *slog.Logger // nil is slog.Default, as it is when a line is logged
	full    *alarm.Alarm // of a MemoryStore
}

// Outcome is what an attempt says about its guess and its key. It is zero where the
// guess was not looked at because the key is blocked or the store failed.
type Outcome struct {
	// Right says that the guess was looked at, and is right.
	Right bool

	// Left is how many guesses are left after this one.
	Left int

	// Blocked is positive if this guess took the last try: for so long the key is
	// blocked, counted from when the guess was paid for.
	//
	// Each block is told to one attempt only, the one that brought it about. Later
	// guesses get a [BlockedError]. Nobody is told if the process ends while check
	// runs, if check panics, or if the store made the charge and its answer was
	// lost. The block stands all the same.
	Blocked time.Duration
}

// ErrBlocked is what a [BlockedError] is.
var ErrBlocked = errors.New("lockout: blocked")

// ErrUndecided is what a check given to [Lockout.Attempt] says, with its cause,
// when it could not look at the guess:
//
//	return false, fmt.Errorf("%w: %w", lockout.ErrUndecided, err)
//
// Only then is the guess refunded. Never say so of an error that a comparison
// gave, such as that of bcrypt for a wrong password.
var ErrUndecided = errors.New("lockout: guess not looked at")

// A BlockedError says that a guess was not looked at because its key is
// blocked, and for how long it will be. It tells nothing about the guess.
type BlockedError struct {
	RetryAfter time.Duration // to the nanosecond; always positive
}

// Error says for how long.
func (e *BlockedError) Error() string {
	return fmt.Sprintf("%v for %v", ErrBlocked, e.RetryAfter)
}

// Unwrap makes errors.Is(err, ErrBlocked) true.
func (e *BlockedError) Unwrap() error { return ErrBlocked }

// New makes a lockout. Its error lists every mistake in c.
func New(c Config) (*Lockout, error) {
	c, err := c.settled()
	if err != nil {
		return nil, err
	}
	l := &Lockout{
		entry:   Entry{Name: c.Name, Tries: c.Tries, Window: c.Window, Block: c.Block},
		store:   c.Store,
		timeout: c.Timeout,
		log:     c.Logger,
		full:    new(alarm.Alarm),
	}
	if m, ok := c.Store.(*MemoryStore); ok {
		l.memory, l.space = m, m.secret.Space(c.Name)
	}
	return l, nil
}

// Attempt pays for a guess at key, and then, once, has check look at it. A guess is
// right only if the Outcome says so: with an error the answer is no. What check says
// decides what becomes of the payment:
//
//   - Right (true, nil): all guesses at key are forgiven. The answer stands even if
//     the store does not take that. Then the guesses still count.
//   - Wrong (false, nil): the guess stays counted.
//   - Undecided (an error that is [ErrUndecided], whatever else is said): exactly
//     this guess is refunded, and the error is returned as it is.
//   - Any other error, such as that of a comparison: the guess stays counted, and
//     the error is returned as it is.
//   - A panic: the guess stays counted, and the panic goes on.
//
// # Without a look
//
// A [BlockedError] says that the key is blocked, any other error that did not come
// from check that the store failed. Then check was not called.
//
// # When the client has gone
//
// When ctx ends after the guess is paid for, the guess is settled all the same.
//
// # Codes that are right once
//
// Two right guesses at once are both looked at. If a code may be right only once,
// check must use it up itself, atomically.
func (l *Lockout) Attempt(ctx context.Context, key string, check func(context.Context) (bool, error)) (Outcome, error) {
	var s step
	if err := l.begin(&s, key); err != nil {
		return Outcome{}, err
	}
	s.Op, s.Receipt = OpCharge, rand.Uint64()
	charges, wait, err := l.apply(ctx, &s)
	if err != nil {
		return Outcome{}, err
	}
	if wait > 0 {
		// Blocked before. That the key is blocked tells nothing about this guess.
		return Outcome{}, &BlockedError{RetryAfter: wait}
	}
	right, err := check(ctx)
	// The error is asked first: what a check says beside an error proves nothing.
	switch {
	case err != nil && errors.Is(err, ErrUndecided):
		s.Op = OpRefund
		return l.settle(ctx, &s, charges), err
	// Any other error counts: bcrypt reports a wrong password as an error.
	case err != nil || !right:
		return l.outcome(charges), err
	}
	s.Op = OpClear
	o := l.settle(ctx, &s, charges)
	o.Right = true
	return o, nil
}

// outcome is what so many charges mean to the attempt that made the last of them.
func (l *Lockout) outcome(charges int) Outcome {
	// A charge is made only below Tries. So the attempt that finds Tries reached is
	// the one that reached it, and no other attempt comes here for this block.
	if charges >= l.entry.Tries {
		return Outcome{Blocked: l.entry.Block}
	}
	return Outcome{Left: l.entry.Tries - charges}
}

// settle ends an attempt, by forgiving or by refunding.
func (l *Lockout) settle(ctx context.Context, s *step, charges int) Outcome {
	if l.memory == nil {
		// A client that hangs up must not keep its refund from being made.
		ctx = context.WithoutCancel(ctx)
	}
	left, _, err := l.apply(ctx, s)
	if err != nil {
		// The charge stands, which is the safe side. The answer is known and given.
		l.logger().ErrorContext(ctx, "lockout: a guess could not be settled and stays counted", "lockout", l.entry.Name, "error", err)
		return l.outcome(charges)
	}
	return l.outcome(left)
}

// Unblock forgives all guesses at key, and so ends a block. Who may do so is for
// the caller to judge.
func (l *Lockout) Unblock(ctx context.Context, key string) error {
	var s step
	if err := l.begin(&s, key); err != nil {
		return err
	}
	s.Op = OpClear
	_, _, err := l.apply(ctx, &s)
	return err
}

// Status says how many guesses are left for key, and for how long it is still
// blocked, 0 if it isn't. It is for display: never decide by it whether to look at a
// guess, as others guess between the two. [Lockout.Attempt] leaves no gap.
func (l *Lockout) Status(ctx context.Context, key string) (left int, blocked time.Duration, err error) {
	var s step
	if err := l.begin(&s, key); err != nil {
		return 0, 0, err
	}
	s.Op = OpPeek
	charges, wait, err := l.apply(ctx, &s)
	if err != nil {
		return 0, 0, err
	}
	return max(0, l.entry.Tries-charges), wait, nil
}

// step is an entry on its way to the store.
type step struct {
	Entry
	digest named.Digest // of the key in memory, where an attempt needs it twice
}

// begin sets all of s but Op and Receipt.
func (l *Lockout) begin(s *step, key string) error {
	switch {
	case l == nil || l.store == nil:
		return errors.New("lockout: Lockout was not made by New")
	case key == "":
		return errors.New("lockout: key is empty")
	}
	s.Entry = l.entry
	s.Key = named.Bound(key)
	if l.memory != nil {
		s.digest = l.memory.secret.Digest(l.space, s.Key)
	}
	return nil
}

// apply is the one way to the store.
func (l *Lockout) apply(ctx context.Context, s *step) (charges int, wait time.Duration, err error) {
	if l.memory != nil {
		charges, wait, err := l.memory.apply(s.digest, &s.Entry)
		if err != nil {
			l.alert(ctx, err)
		}
		return charges, wait, err
	}
	// Each call has its own time: a check that took long must not keep its guess from
	// being settled.
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	charges, wait, err = l.store.Apply(ctx, s.Entry)
	if err != nil {
		return 0, 0, fmt.Errorf("lockout: store: %w", err)
	}
	return charges, wait, nil
}

// alert says that strangers have filled the memory, once a minute.
func (l *Lockout) alert(ctx context.Context, err error) {
	if silent, ok := l.full.Rings(time.Minute); ok {
		l.logger().ErrorContext(ctx, "lockout: too many keys are blocked: last tries are refused without a look", "lockout", l.entry.Name, "unlogged", silent, "error", err)
	}
}

func (l *Lockout) logger() *slog.Logger {
	if l.log == nil {
		return slog.Default()
	}
	return l.log
}
