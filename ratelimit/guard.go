package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// GuardConfig describes a guard. It is copied by [NewGuard].
type GuardConfig struct {
	// Store is what is guarded; required. It must return soon after its context
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
	defaultGuardTimeout = 30 * time.Millisecond
	defaultGuardRetry   = 100 * time.Millisecond

	giveUp = 3 // failures in a row
)

// ErrUnavailable is the error of a [Guard] that has given up its store for now.
var ErrUnavailable = errors.New("ratelimit: the store has failed and was not asked")

// A Guard is a [Store] that keeps requests fast when the store behind it does not
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
// FailOpen of [Config]); a [Lockout] refuses. A Guard judges its store as one: if
// half of a cluster is down, requests to that half wait for Timeout each.
//
// A Guard is safe for concurrent use. Its zero value refuses.
type Guard struct {
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

// NewGuard makes a guard. Its error lists every mistake in c.
func NewGuard(c GuardConfig) (*Guard, error) {
	if c.Timeout == 0 {
		c.Timeout = defaultGuardTimeout
	}
	if c.Retry == 0 {
		c.Retry = defaultGuardRetry
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	var errs []error
	if c.Store == nil {
		errs = append(errs, errors.New("ratelimit: GuardConfig.Store is missing"))
	}
	if c.Timeout < time.Millisecond || c.Timeout > time.Second {
		errs = append(errs, fmt.Errorf("ratelimit: GuardConfig.Timeout is %v, must be 1ms to 1s", c.Timeout))
	}
	if c.Retry < 10*time.Millisecond || c.Retry > time.Minute {
		errs = append(errs, fmt.Errorf("ratelimit: GuardConfig.Retry is %v, must be 10ms to 1m", c.Retry))
	}
	if err := errors.Join(append(errs, validateStore("GuardConfig", c.Store))...); err != nil {
		return nil, err
	}
	return &Guard{store: c.Store, timeout: c.Timeout, retry: c.Retry, logger: c.Logger, local: NewMemoryStore(0), base: time.Now()}, nil
}

// Take is [Store.Take].
func (g *Guard) Take(ctx context.Context, cells []Cell) (ok bool, err error) {
	err = g.guarded(ctx, func(ctx context.Context) error {
		ok, err = g.store.Take(ctx, cells)
		return err
	})
	return ok && err == nil, err
}

// Log is [Store.Log].
func (g *Guard) Log(ctx context.Context, e Entry) (charges int, wait time.Duration, err error) {
	err = g.guarded(ctx, func(ctx context.Context) error {
		charges, wait, err = g.store.Log(ctx, e)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	return charges, wait, nil
}

func (g *Guard) guarded(ctx context.Context, call func(context.Context) error) error {
	if g == nil || g.store == nil {
		return errors.New("ratelimit: Guard was not made by NewGuard")
	}
	if g.down.Load() {
		g.lookAgain()
		return ErrUnavailable
	}
	err := g.bounded(ctx, call)
	if err == nil {
		if g.failures.Load() != 0 {
			g.failures.Store(0)
		}
		return nil
	}
	if g.failures.Add(1) >= giveUp && g.down.CompareAndSwap(false, true) {
		g.logger.ErrorContext(ctx, "the store of limits has failed and is not asked for now", "error", err)
	}
	return err
}

func (g *Guard) bounded(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.timeout)
	defer cancel()
	return call(ctx)
}

// lookAgain starts a probe if one is due. It takes a step that writes, as a store
// may still read when it can't write any more, and that nobody else sees.
func (g *Guard) lookAgain() {
	now := int64(time.Since(g.base))
	due := g.probe.Load()
	if now < due || !g.probe.CompareAndSwap(due, now+int64(g.retry)) {
		return
	}
	go func() {
		err := g.bounded(context.Background(), func(ctx context.Context) error {
			_, _, err := g.store.Log(ctx, Entry{
				Policy: "guard probe", Key: "guard probe", Op: OpCharge, Receipt: rand.Uint64(),
				Tries: 1, Window: time.Millisecond, Block: time.Millisecond,
			})
			return err
		})
		if err == nil {
			g.failures.Store(giveUp - 1)
			g.down.Store(false)
			g.logger.Info("the store of limits works again")
		}
	}()
}
