package ratelimit

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/alarm"
	"github.com/gatehouse-go/gatehouse/ratelimit/internal/named"
)

// A Decision is what a limit says about one request. The zero Decision refuses.
type Decision struct {
	Allowed   bool
	Policy    string // the name of the limit that decided, of several the strictest
	Limit     Limit
	Remaining int // whole tokens left now

	// RetryAfter is when the same would be admitted, to the nanosecond, if nobody
	// else took of the bucket before; 0 if at once.
	RetryAfter time.Duration

	// Reset is when the bucket will be full, if left alone.
	Reset time.Duration

	// Local says that the store failed, and that Config.LocalShare decided, or
	// Config.FailOpen if Policy is empty.
	Local bool
}

// A Limiter admits or refuses. It is made by [New] or [All], immutable, and
// safe for concurrent use. The zero Limiter and a nil one refuse everything.
type Limiter struct {
	parts     []*policy
	store     Store
	memory    *MemoryStore // store, if it is ours: called directly, a decision allocates nothing
	breaker   *Breaker     // store, if it is one
	responder responder
}

// New makes a limiter. Its error lists every mistake in c.
func New(c Config) (*Limiter, error) {
	c, err := c.settled()
	if err != nil {
		return nil, err
	}
	p := compile(c, c.Limit)
	l := &Limiter{parts: []*policy{p}, store: c.Store}
	switch s := c.Store.(type) {
	case *MemoryStore:
		l.memory, p.space = s, s.space(c.Name)
	case *Breaker:
		l.breaker = s
	}
	if c.LocalShare > 0 {
		p.local = compile(c, c.Limit.share(c.LocalShare))
	}
	l.responder = responder{quiet: c.Quiet, legacy: c.Legacy, deny: c.Deny, logger: c.Logger, alarm: new(alarm.Alarm)}
	l.responder.render(l.parts)
	return l, nil
}

// Allow spends one token of key, if there is one. On error nothing is known:
// refuse, as Handler does.
func (l *Limiter) Allow(ctx context.Context, key string) (d Decision, err error) {
	err = l.allow(ctx, key, 1, &d)
	return d, err
}

// AllowN spends n tokens of key, or none: what costs more, takes more. An n below 1
// or above the burst is an error, as no waiting would admit it. A limiter of several
// limits takes n of each, under the same key.
func (l *Limiter) AllowN(ctx context.Context, key string, n int) (d Decision, err error) {
	err = l.allow(ctx, key, n, &d)
	return d, err
}

// Check decides about r and charges it, but writes nothing. An error says that r
// could not be judged, for want of a key or of the store. Then r is not admitted.
func (l *Limiter) Check(r *http.Request) (d Decision, err error) {
	err = l.check(r, &d)
	return d, err
}

// check is Check into d.
func (l *Limiter) check(r *http.Request, d *Decision) (err error) {
	if l == nil || len(l.parts) != 1 {
		*d, err = l.allowParts(r.Context(), func(p *policy) (string, int, error) { return p.ask(r) })
		return err
	}
	key, n, err := l.parts[0].ask(r)
	if err != nil {
		return err
	}
	return l.allow(r.Context(), key, n, d)
}

// allow decides about one key, and is where the ways part:
//
//   - One limit in memory: takeOne (memory.go), then decide (policy.go).
//   - One limit in another store: allowStored, below.
//   - Several limits: allowAll, then allowParts and strictest (all.go).
//   - The store has failed: withoutStore (breaker_local.go).
//
// It sets d where it is, and its callers are inlined: copies of a Decision are a
// tenth of the cost of making one.
func (l *Limiter) allow(ctx context.Context, key string, n int, d *Decision) error {
	if l == nil || len(l.parts) != 1 {
		return l.allowAll(ctx, key, n, d)
	}
	p := l.parts[0]
	if n < 1 || n > p.limit.Burst {
		return p.costError(n)
	}
	if key == "" {
		return errNoKey // a bucket that all strangers share, if it were charged
	}
	if !named.IsBound(key) { // asked here as well, since Bound is not inlined
		key = named.Bound(key)
	}
	if l.memory == nil {
		return l.allowStored(ctx, key, n, d)
	}
	debt, ok := l.memory.takeOne(p.space, key, time.Duration(n)*p.interval, p.interval, p.tolerance)
	p.decide(d, ok, debt, n)
	return nil
}

// allowStored decides about one limit in a store that isn't ours.
func (l *Limiter) allowStored(ctx context.Context, key string, n int, d *Decision) error {
	p := l.parts[0]
	cells := []Cell{p.cell(key, n)}
	ok, err := l.store.Take(ctx, cells)
	if err != nil {
		*d, err = l.withoutStore(ctx, cells, err)
		return err
	}
	p.decide(d, ok, cells[0].Debt, n)
	return nil
}

// allowAll decides about several limits that are all charged to key.
func (l *Limiter) allowAll(ctx context.Context, key string, n int, d *Decision) (err error) {
	*d, err = l.allowParts(ctx, func(*policy) (string, int, error) { return key, n, nil })
	return err
}

var (
	errNoKey    = errors.New("ratelimit: key is empty")
	errZero     = errors.New("ratelimit: Limiter was not made by New")
	errNoPolicy = errors.New("ratelimit: no such policy in the Set")
)

// mistake is why l can judge no request; nil if it can.
func (l *Limiter) mistake() error {
	if len(l.parts) == 0 {
		return errZero
	}
	var errs []error
	for _, p := range l.parts {
		if p.key == nil {
			errs = append(errs, p.noKey())
		}
	}
	return errors.Join(errs...)
}
