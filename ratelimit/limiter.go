package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/alarm"
	"github.com/gatehouse-go/gatehouse/ratelimit/internal/named"
)

// Config describes a limit. It is copied by [New]; changing it later changes
// nothing.
type Config struct {
	// Name identifies the policy in the store, in headers and in a [Set]:
	// 1 to 64 of A-Z a-z 0-9 . _ - and required. Limiters with the same name
	// and store share their buckets.
	Name string

	// Limit is how often; required.
	Limit Limit

	// Key says who is asking; required for Check and Handler, unused by Allow.
	Key KeyFunc

	// Cost says how many tokens a request takes, for [Limiter.Check] and
	// Handler; nil takes one. A request whose cost is below 1 or above the burst
	// is refused with an error. It is called before the body is read.
	Cost func(*http.Request) int

	// Store keeps the buckets. Nil is a [MemoryStore] of the limiter's own.
	Store Store

	// What happens while the Store fails: by default requests are refused with
	// 503. The other choices need a Store made by [NewBreaker].
	//
	// LocalShare, above 0 and at most 1, lets this process go on by itself with
	// that part of Limit: a third, if there are three processes. Costs above
	// that part of the burst are refused. What was spent before is not known
	// there, nor in the Store what was spent meanwhile.
	LocalShare float64

	// FailOpen admits everything while the Store fails: never for logins.
	FailOpen bool

	// Quiet sends no header but Retry-After and names no policy: for login
	// and recovery, where how many tries remain is nobody's business.
	Quiet bool

	// Legacy sends older headers as well: "X-RateLimit" or "X-Rate-Limit",
	// followed by -Limit, -Remaining and -Reset. Empty sends none. The last is
	// the t of RateLimit: the seconds, rounded up, until the bucket is full
	// (Decision.Reset), or, if there is not enough left for one more such
	// request, until there is (Decision.RetryAfter). So where the last token
	// goes it is less than before: 20, 40, 20 with 3 a minute.
	Legacy string

	// Deny writes a refusal in your own form, after Retry-After and the limit
	// headers are set. If err is not nil the request could not be judged: it is
	// an [ErrBadRequest], the client's mistake, or ours; its text is not for the
	// client. Nil writes RFC 9457 problem JSON, 429, or 400 and 503.
	Deny func(w http.ResponseWriter, r *http.Request, d Decision, err error)

	// Logger hears of requests that could not be judged: at Error, at most once a
	// second, and at Debug, if it was the client's mistake. Nil is [slog.Default].
	Logger *slog.Logger
}

// A Decision is what a limit says about one request. The zero Decision refuses.
type Decision struct {
	Allowed   bool
	Policy    string // the name of the limit that decided, of several the strictest
	Limit     Limit
	Remaining int // whole tokens left now

	// RetryAfter is when the same would be admitted again, to the
	// nanosecond, if nobody else took of the same bucket; 0 if at once.
	RetryAfter time.Duration

	// Reset is when the bucket will be full, if left alone.
	Reset time.Duration

	// Local says that the store failed and Config.LocalShare decided, or, where
	// Policy is empty, Config.FailOpen.
	Local bool
}

// A Limiter admits or refuses. It is made by [New] or [All], immutable, and
// safe for concurrent use. The zero Limiter and a nil one refuse everything.
type Limiter struct {
	parts   []*policy
	store   Store
	memory  *MemoryStore // store, if it is ours: called directly, a decision allocates nothing
	breaker *Breaker     // store, if it is one
	answer  answer
}

// policy is one limit, compiled.
type policy struct {
	name      string
	limit     Limit
	interval  time.Duration
	tolerance time.Duration
	key       KeyFunc
	cost      func(*http.Request) int
	space     named.Digest // of name, in memory
	local     *policy      // what is decided by without the store
	open      bool
}

func compile(c Config, limit Limit) *policy {
	return &policy{name: c.Name, limit: limit, interval: limit.interval(), tolerance: limit.tolerance(), key: c.Key, cost: c.Cost, open: c.FailOpen}
}

// New makes a limiter. Its error lists every mistake in c.
func New(c Config) (*Limiter, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Store == nil {
		c.Store = NewMemoryStore(0)
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
	l.answer = answer{quiet: c.Quiet, legacy: c.Legacy, deny: c.Deny, logger: c.Logger, alarm: new(alarm.Alarm)}
	l.answer.render(l.parts)
	return l, nil
}

func (c Config) validate() error {
	errs := []error{validateName("Config", c.Name), c.Limit.validate()}
	switch c.Legacy {
	case "", "X-RateLimit", "X-Rate-Limit":
	default:
		errs = append(errs, fmt.Errorf("ratelimit: Config.Legacy is %q, must be X-RateLimit, X-Rate-Limit or empty", c.Legacy))
	}
	return errors.Join(append(errs, validateStore("Config", c.Store), c.validateFailure())...)
}

// validateStore also finds a nil pointer in s: the usual remains of an error that
// was not looked at.
func validateStore(where string, s Store) error {
	if v := reflect.ValueOf(s); v.Kind() == reflect.Pointer && v.IsNil() {
		return fmt.Errorf("ratelimit: %s.Store is a nil %T: was its error looked at?", where, s)
	}
	if b, ok := s.(*Breaker); ok && b.store == nil {
		return fmt.Errorf("ratelimit: %s.Store is a *Breaker that was not made by NewBreaker", where)
	}
	return nil
}

// validateFailure judges what is to happen when the store fails.
func (c Config) validateFailure() error {
	if c.LocalShare == 0 && !c.FailOpen {
		return nil
	}
	var errs []error
	if _, ok := c.Store.(*Breaker); !ok {
		errs = append(errs, errors.New("ratelimit: Config.LocalShare and FailOpen need a Store made by NewBreaker"))
	}
	if c.LocalShare != 0 && c.FailOpen {
		errs = append(errs, errors.New("ratelimit: Config.LocalShare and FailOpen exclude each other"))
	}
	switch {
	case c.LocalShare == 0:
	case !(c.LocalShare > 0 && c.LocalShare <= 1): // NaN as well
		errs = append(errs, fmt.Errorf("ratelimit: Config.LocalShare is %v, must be above 0 and at most 1", c.LocalShare))
	case c.Limit.validate() == nil:
		if err := c.Limit.share(c.LocalShare).validate(); err != nil {
			errs = append(errs, fmt.Errorf("ratelimit: Config.LocalShare: %w", err))
		}
	}
	return errors.Join(errs...)
}

func validateName(where, name string) error {
	if err := named.Check(name); err != nil {
		return fmt.Errorf("ratelimit: %s.Name %w", where, err)
	}
	return nil
}

// Allow spends one token of key, if there is one. On error nothing is known:
// refuse, as Handler does.
func (l *Limiter) Allow(ctx context.Context, key string) (d Decision, err error) {
	err = l.allow(ctx, key, 1, &d)
	return d, err
}

// AllowN spends n tokens of key, or none: what costs more, takes more. An n
// below 1 or above the burst, which no waiting would admit, is an error.
// A limiter of several limits takes n of each, under the same key.
func (l *Limiter) AllowN(ctx context.Context, key string, n int) (d Decision, err error) {
	err = l.allow(ctx, key, n, &d)
	return d, err
}

// Check decides about r and charges it, but writes nothing. An error says that
// r could not be judged: no key, or no store. It is not admitted then.
func (l *Limiter) Check(r *http.Request) (d Decision, err error) {
	err = l.check(r, &d)
	return d, err
}

func (l *Limiter) check(r *http.Request, d *Decision) (err error) {
	if l == nil || len(l.parts) != 1 {
		*d, err = l.takeAll(r.Context(), func(p *policy) (string, int, error) { return p.ask(r) })
		return err
	}
	key, n, err := l.parts[0].ask(r)
	if err != nil {
		return err
	}
	return l.allow(r.Context(), key, n, d)
}

// allow is the way of a single limit in memory, and the fork to the others. It
// sets d where it is, and its callers are inlined: copies of a Decision are a
// tenth of making one.
func (l *Limiter) allow(ctx context.Context, key string, n int, d *Decision) error {
	if l == nil || len(l.parts) != 1 {
		return l.allowAll(ctx, key, n, d)
	}
	p := l.parts[0]
	if n < 1 || n > p.limit.Burst {
		return p.costError(n)
	}
	if key == "" {
		return errNoKey
	}
	if !named.IsBound(key) { // asked here as well, since Bound is not inlined
		key = named.Bound(key)
	}
	if l.memory == nil {
		return l.takeOne(ctx, key, n, d)
	}
	debt, ok := l.memory.takeOne(p.space, key, time.Duration(n)*p.interval, p.interval, p.tolerance)
	p.decide(d, ok, debt, n)
	return nil
}

func (l *Limiter) allowAll(ctx context.Context, key string, n int, d *Decision) (err error) {
	*d, err = l.takeAll(ctx, func(*policy) (string, int, error) { return key, n, nil })
	return err
}

// takeOne is the way of a single limit in a store that isn't ours.
func (l *Limiter) takeOne(ctx context.Context, key string, n int, d *Decision) error {
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

var (
	errNoKey    = errors.New("ratelimit: key is empty")
	errZero     = errors.New("ratelimit: Limiter was not made by New")
	errNoPolicy = errors.New("ratelimit: no such policy in the Set")
)

func (p *policy) costError(n int) error {
	return fmt.Errorf("ratelimit: cost is %d, must be 1 to the burst of %s, %d", n, p.name, p.limit.Burst)
}

// ask finds out who pays for a request, and how much. Both are checked where it
// is spent.
func (p *policy) ask(r *http.Request) (key string, n int, err error) {
	if p.key == nil {
		return "", 0, p.noKey()
	}
	if key, err = p.key(r); err != nil {
		return "", 0, fmt.Errorf("ratelimit: key of %s: %w", p.name, err)
	}
	if p.cost == nil {
		return key, 1, nil
	}
	return key, p.cost(r), nil
}

func (p *policy) noKey() error { return fmt.Errorf("ratelimit: %s has no Key for requests", p.name) }

// mistake is why l can judge no request.
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
