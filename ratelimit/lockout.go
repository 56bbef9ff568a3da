package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

const (
	defaultTries = 5
	defaultBlock = 24 * time.Hour

	maxTries = 100 // NIST SP 800-63B: no more consecutive failures than that
	maxBlock = 366 * 24 * time.Hour

	settleTimeout = 2 * time.Second
)

// LockoutConfig describes a lockout. It is copied by [NewLockout].
type LockoutConfig struct {
	// Name identifies the lockout in the store, with the rules of Config.Name.
	// A lockout and a limit of the same name have nothing in common.
	Name string

	// Store keeps the logs. Nil is a [MemoryStore] of the lockout's own. When it
	// fails no guess is looked at; there is no other choice.
	Store Store

	// Tries is how many wrong guesses there are until the key is blocked:
	// 1 to 100; 0 means 5.
	Tries int

	// Block is how long a key is blocked, from the last guess that was looked
	// at; 0 means 24 hours. At the very nanosecond at which it has passed all
	// tries are there again.
	Block time.Duration

	// Window is how long a wrong guess counts while the key isn't blocked;
	// 0 means as long as Block.
	Window time.Duration

	// Logger hears of settlements that the store did not take and, once a minute,
	// of a [MemoryStore] that is full. Nil is [slog.Default].
	Logger *slog.Logger
}

// A Lockout lets a key, such as an account, be guessed at a few times, and then
// blocks it. Every guess is paid for, in one atomic step, before it is looked
// at, so that no number of parallel guesses gets more looks than there are
// tries. A guess at a blocked key is neither looked at nor paid for, so that
// nobody can prolong a block.
//
// With the defaults and a code of six digits an attacker has 5 in a million a
// day, 0.2 % in a year for each account. A block can be brought about by
// anybody who knows the key: it should stop recovery, not login.
//
// It is made by [NewLockout], immutable, and safe for concurrent use. The zero
// Lockout and a nil one refuse with an error.
type Lockout struct {
	entry  Entry // all but Key, Op and Receipt
	store  Store
	memory *MemoryStore // store, if it is ours
	space  digest       // of the name, in memory
	logger *slog.Logger
	full   *alarm // of a MemoryStore
}

// ErrBlocked is what a [BlockedError] is.
var ErrBlocked = errors.New("ratelimit: blocked")

// ErrUndecided is what a check given to [Lockout.Attempt] says, with its cause,
// when it could not look at the guess:
//
//	return false, fmt.Errorf("%w: %w", ratelimit.ErrUndecided, err)
//
// Only then is the guess refunded. Never say so of an error that a comparison
// gave, such as that of bcrypt for a wrong password.
var ErrUndecided = errors.New("ratelimit: guess not looked at")

// A BlockedError says that a guess was not looked at because its key is
// blocked, and for how long it will be. It tells nothing about the guess.
type BlockedError struct {
	RetryAfter time.Duration // to the nanosecond; always positive
}

func (e *BlockedError) Error() string {
	return fmt.Sprintf("%v for %v", ErrBlocked, e.RetryAfter)
}

// Unwrap makes errors.Is(err, ErrBlocked) true.
func (e *BlockedError) Unwrap() error { return ErrBlocked }

// NewLockout makes a lockout. Its error lists every mistake in c.
func NewLockout(c LockoutConfig) (*Lockout, error) {
	if c.Tries == 0 {
		c.Tries = defaultTries
	}
	if c.Block == 0 {
		c.Block = defaultBlock
	}
	if c.Window == 0 {
		c.Window = c.Block
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Store == nil {
		c.Store = NewMemoryStore(0)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	l := &Lockout{
		entry:  Entry{Policy: c.Name, Tries: c.Tries, Window: c.Window, Block: c.Block},
		store:  c.Store,
		logger: c.Logger,
		full:   new(alarm),
	}
	if m, ok := c.Store.(*MemoryStore); ok {
		l.memory, l.space = m, m.space(c.Name)
	}
	return l, nil
}

func (c LockoutConfig) validate() error {
	errs := []error{validateName("LockoutConfig", c.Name)}
	if c.Tries < 1 || c.Tries > maxTries {
		errs = append(errs, fmt.Errorf("ratelimit: LockoutConfig.Tries is %d, must be 1 to %d", c.Tries, maxTries))
	}
	if !validBlock(c.Block) {
		errs = append(errs, fmt.Errorf("ratelimit: LockoutConfig.Block is %v, must be whole microseconds up to %v", c.Block, maxBlock))
	}
	if !validBlock(c.Window) {
		errs = append(errs, fmt.Errorf("ratelimit: LockoutConfig.Window is %v, must be whole microseconds up to %v", c.Window, maxBlock))
	}
	return errors.Join(append(errs, validateStore("LockoutConfig", c.Store))...)
}

func validBlock(d time.Duration) bool {
	return d > 0 && d <= maxBlock && d%time.Microsecond == 0
}

// Attempt pays for a guess at key, and then, once, has check look at it.
//
//   - Right (true, nil): all guesses at key are forgiven. The answer stands
//     even if the store does not take that; then the guesses still count.
//   - Wrong (false, nil): the guess stays counted.
//   - Undecided (an error that is [ErrUndecided], whatever is said besides):
//     exactly this guess is refunded, and the error returned as it is.
//   - Any other error, such as that of a comparison: the guess stays counted, and
//     the error is returned as it is, with false.
//   - check panics: the guess stays counted, and the panic goes on.
//
// Before check: a [BlockedError] says that the key is blocked, any other error
// that the store failed; then check has not been called, and for all the caller
// may know the answer is no. When ctx ends after the guess is paid for, it is
// settled all the same. check must decide by itself that a code is used up,
// atomically, if it may be right only once.
func (l *Lockout) Attempt(ctx context.Context, key string, check func(context.Context) (bool, error)) (bool, error) {
	receipt := rand.Uint64()
	_, wait, err := l.log(ctx, key, OpCharge, receipt)
	if err != nil {
		return false, err
	}
	if wait > 0 {
		return false, &BlockedError{RetryAfter: wait}
	}
	right, err := check(ctx)
	switch {
	case errors.Is(err, ErrUndecided):
		l.settle(ctx, key, OpRefund, receipt)
		return false, err
	case err != nil:
		return false, err
	case right:
		l.settle(ctx, key, OpClear, receipt)
	}
	return right, nil
}

// settle ends an attempt even if the client has gone. If the store does not
// take it the charge stands, which is the safe side.
func (l *Lockout) settle(ctx context.Context, key string, op Op, receipt uint64) {
	if l.memory == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
		defer cancel()
	}
	if _, _, err := l.log(ctx, key, op, receipt); err != nil {
		l.logger.ErrorContext(ctx, "a guess could not be settled and stays counted", "lockout", l.entry.Policy, "error", err)
	}
}

// Unblock forgives all guesses at key, and so ends a block. Who may do so is
// for the caller to judge.
func (l *Lockout) Unblock(ctx context.Context, key string) error {
	_, _, err := l.log(ctx, key, OpClear, 0)
	return err
}

// Status says how many guesses are left for key, and for how long it is still
// blocked, 0 if it isn't. It is for display: never decide by it whether to look
// at a guess; [Lockout.Attempt] does, without a gap.
func (l *Lockout) Status(ctx context.Context, key string) (left int, blocked time.Duration, err error) {
	charges, wait, err := l.log(ctx, key, OpPeek, 0)
	if err != nil {
		return 0, 0, err
	}
	return max(0, l.entry.Tries-charges), wait, nil
}

func (l *Lockout) log(ctx context.Context, key string, op Op, receipt uint64) (int, time.Duration, error) {
	if l == nil || l.store == nil {
		return 0, 0, errors.New("ratelimit: Lockout was not made by NewLockout")
	}
	if key == "" {
		return 0, 0, errNoKey
	}
	e := l.entry
	e.Key, e.Op, e.Receipt = boundKey(key), op, receipt
	if l.memory != nil {
		charges, wait, err := l.memory.log(l.space, &e)
		if err != nil {
			l.alert(ctx, err)
		}
		return charges, wait, err
	}
	charges, wait, err := l.store.Log(ctx, e)
	if err != nil {
		return 0, 0, fmt.Errorf("ratelimit: store: %w", err)
	}
	return charges, wait, nil
}

// alert says that strangers have filled the memory, once a minute.
func (l *Lockout) alert(ctx context.Context, err error) {
	if silent, ok := l.full.rings(time.Minute); ok {
		l.logger.ErrorContext(ctx, "ratelimit: too many keys are blocked: last tries are refused without a look", "lockout", l.entry.Policy, "unlogged", silent, "error", err)
	}
}
