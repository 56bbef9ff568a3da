package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// BreakerConfig describes a breaker. It is copied by [NewBreaker].
type BreakerConfig struct {
	// Store is what is behind the breaker; required. It must return soon after its
	// context has ended.
	Store Store

	// Timeout is the most that a request waits for the store: 0 means 30 ms, at
	// least 1 ms, at most 1 s.
	Timeout time.Duration

	// Retry is how often a store that has failed is asked whether it works again: 0
	// means 100 ms, at least 10 ms, at most a minute.
	Retry time.Duration

	// Logger hears when the store is given up and when it is back. Nil is
	// [slog.Default], as it is when a line is logged.
	Logger *slog.Logger
}

const (
	defaultBreakerTimeout = 30 * time.Millisecond
	defaultBreakerRetry   = 100 * time.Millisecond

	giveUp = 3 // failures in a row
)

// ErrUnavailable is the error of a [Breaker] that has given up its store for now.
var ErrUnavailable = errors.New("ratelimit: the store has failed and was not asked")

// A Breaker is a [Store] that keeps requests fast while the store behind it does not
// answer. Each call waits for Timeout at most. After three failures in a row the store
// is given up: every call fails at once with [ErrUnavailable]. What requests get then
// is for limits to say, by LocalShare and FailOpen of [Config].
//
// While there are calls, a probe that no request waits for tries the store at every
// Retry. The first probe that works brings the store back. If the next call fails all
// the same, the store is given up again.
//
// A call goes on when the context of its caller ends: a client that hangs up is
// charged all the same. A Breaker judges its store as one: if half of a cluster is
// down, each request to that half waits for Timeout.
//
// A Breaker is for limits. Lockouts need none: they refuse while their store fails,
// and have a Timeout.
//
// A Breaker is safe for concurrent use. Its zero value refuses.
type Breaker struct {
	store   Store
	timeout time.Duration
	retry   time.Duration
	log     *slog.Logger // may be nil
	local   *MemoryStore // of limits with a LocalShare
	base    time.Time

	failures atomic.Int64 // in a row
	down     atomic.Bool
	probe    atomic.Int64 // when the next is due, since base
}

// NewBreaker makes a breaker. Its error lists every mistake in c.
func NewBreaker(c BreakerConfig) (*Breaker, error) {
	c, err := c.settled()
	if err != nil {
		return nil, err
	}
	return &Breaker{store: c.Store, timeout: c.Timeout, retry: c.Retry, log: c.Logger, local: NewMemoryStore(0), base: time.Now()}, nil
}

// settled returns c with its defaults filled in, or every mistake in it.
func (c BreakerConfig) settled() (BreakerConfig, error) {
	if c.Timeout == 0 {
		c.Timeout = defaultBreakerTimeout
	}
	if c.Retry == 0 {
		c.Retry = defaultBreakerRetry
	}
	var mistakes []error
	if c.Store == nil {
		mistakes = append(mistakes, errors.New("ratelimit: BreakerConfig.Store is missing"))
	}
	if c.Timeout < time.Millisecond || c.Timeout > time.Second {
		mistakes = append(mistakes, fmt.Errorf("ratelimit: BreakerConfig.Timeout is %v, must be 1ms to 1s", c.Timeout))
	}
	if c.Retry < 10*time.Millisecond || c.Retry > time.Minute {
		mistakes = append(mistakes, fmt.Errorf("ratelimit: BreakerConfig.Retry is %v, must be 10ms to 1m", c.Retry))
	}
	return c, errors.Join(append(mistakes, validateStore("BreakerConfig", c.Store))...)
}

// Take is [Store.Take].
func (b *Breaker) Take(ctx context.Context, cells []Cell) (ok bool, err error) {
	err = b.watched(ctx, func(ctx context.Context) error {
		ok, err = b.store.Take(ctx, cells)
		return err
	})
	return ok && err == nil, err
}

// watched calls the store, unless it is given up, and notes how that went.
func (b *Breaker) watched(ctx context.Context, call func(context.Context) error) error {
	if b == nil || b.store == nil {
		return errors.New("ratelimit: Breaker was not made by NewBreaker")
	}
	if b.down.Load() {
		b.lookAgain()
		return ErrUnavailable
	}
	err := b.bounded(ctx, call)
	if err == nil {
		// Read before it is written: the line of the cache stays shared by all cores
		// while nothing fails.
		if b.failures.Load() != 0 {
			b.failures.Store(0)
		}
		return nil
	}
	if b.failures.Add(1) >= giveUp && b.down.CompareAndSwap(false, true) {
		b.logger().ErrorContext(ctx, "ratelimit: the store has failed and is not asked for now", "error", err)
	}
	return err
}

// bounded calls the store for Timeout at most.
func (b *Breaker) bounded(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.timeout)
	defer cancel()
	return call(ctx)
}

// probe takes a millionth of a bucket that no load of probes can empty: it is
// always granted, and so always written. A store that can still read but not write
// fails it. No limit has a space in its name.
var probe = Cell{
	Policy: "breaker probe", Key: "breaker probe",
	Cost: time.Microsecond, Interval: time.Microsecond, Tolerance: maxTolerance,
}

// lookAgain starts a probe if one is due. It has no timer: without requests there is
// no request to which it matters whether the store works.
func (b *Breaker) lookAgain() {
	now := int64(time.Since(b.base))
	due := b.probe.Load()
	if now < due || !b.probe.CompareAndSwap(due, now+int64(b.retry)) {
		return
	}
	go func() {
		err := b.bounded(context.Background(), func(ctx context.Context) error {
			_, err := b.store.Take(ctx, []Cell{probe})
			return err
		})
		if err == nil {
			// One more failure, and the store is given up again: a store that answers
			// only probes must not cost three more requests their Timeout.
			b.failures.Store(giveUp - 1)
			b.down.Store(false)
			b.logger().Info("ratelimit: the store works again")
		}
	}()
}

func (b *Breaker) logger() *slog.Logger {
	if b.log == nil {
		return slog.Default()
	}
	return b.log
}
