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
	// Store is what is behind it; required. It must return soon after its context
	// has ended.
	Store Store

	// Timeout is the most that a request waits for the store: 0 means 30 ms, at
	// least 1 ms, at most 1 s.
	Timeout time.Duration

	// Retry is how often a store that has failed is asked whether it works
	// again: 0 means 100 ms, at least 10 ms, at most a minute.
	Retry time.Duration

	// Logger hears when the store is given up and when it is back. Nil is
	// [slog.Default].
	Logger *slog.Logger
}

const (
	defaultBreakerTimeout = 30 * time.Millisecond
	defaultBreakerRetry   = 100 * time.Millisecond

	giveUp = 3 // failures in a row
)

// ErrUnavailable is the error of a [Breaker] that has given up its store for now.
var ErrUnavailable = errors.New("ratelimit: the store has failed and was not asked")

// A Breaker is a [Store] that keeps requests fast when the store behind it does not
// answer. Each call waits for Timeout at most. After three failures in a row, by
// whomever, the store is not asked any more and every call fails at once with
// [ErrUnavailable]; while there are calls, a probe that no request waits for
// tries the store at every Retry, and the first that works ends that. If the next
// call fails all the same, the store is given up again.
//
// A call goes on when the context of its caller ends: a client that hangs up is
// charged all the same.
//
// What a request gets when the store fails is for limits to say (LocalShare and
// FailOpen of [Config]). A Breaker judges its store as one: if
// half of a cluster is down, requests to that half wait for Timeout each.
//
// A Breaker is safe for concurrent use. Its zero value refuses.
type Breaker struct {
	store   Store
	timeout time.Duration
	retry   time.Duration
	logger  *slog.Logger
	local   *MemoryStore // of limits with a LocalShare
	base    time.Time

	failures atomic.Int64 // in a row
	down     atomic.Bool
	probe    atomic.Int64 // when the next is due, since base
}

// NewBreaker makes a breaker. Its error lists every mistake in c.
func NewBreaker(c BreakerConfig) (*Breaker, error) {
	if c.Timeout == 0 {
		c.Timeout = defaultBreakerTimeout
	}
	if c.Retry == 0 {
		c.Retry = defaultBreakerRetry
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	var errs []error
	if c.Store == nil {
		errs = append(errs, errors.New("ratelimit: BreakerConfig.Store is missing"))
	}
	if c.Timeout < time.Millisecond || c.Timeout > time.Second {
		errs = append(errs, fmt.Errorf("ratelimit: BreakerConfig.Timeout is %v, must be 1ms to 1s", c.Timeout))
	}
	if c.Retry < 10*time.Millisecond || c.Retry > time.Minute {
		errs = append(errs, fmt.Errorf("ratelimit: BreakerConfig.Retry is %v, must be 10ms to 1m", c.Retry))
	}
	if err := errors.Join(append(errs, validateStore("BreakerConfig", c.Store))...); err != nil {
		return nil, err
	}
	return &Breaker{store: c.Store, timeout: c.Timeout, retry: c.Retry, logger: c.Logger, local: NewMemoryStore(0), base: time.Now()}, nil
}

// Take is [Store.Take].
func (b *Breaker) Take(ctx context.Context, cells []Cell) (ok bool, err error) {
	err = b.watched(ctx, func(ctx context.Context) error {
		ok, err = b.store.Take(ctx, cells)
		return err
	})
	return ok && err == nil, err
}

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
		if b.failures.Load() != 0 {
			b.failures.Store(0)
		}
		return nil
	}
	if b.failures.Add(1) >= giveUp && b.down.CompareAndSwap(false, true) {
		b.logger.ErrorContext(ctx, "the store of limits has failed and is not asked for now", "error", err)
	}
	return err
}

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

// lookAgain starts a probe if one is due.
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
			b.failures.Store(giveUp - 1)
			b.down.Store(false)
			b.logger.Info("the store of limits works again")
		}
	}()
}
