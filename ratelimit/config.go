package ratelimit

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"

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

	// Key says which bucket pays; required for Check and Handler, unused by Allow.
	Key KeyFunc

	// Cost says how many tokens a request takes, for [Limiter.Check] and
	// Handler; nil takes one. A request whose cost is below 1 or above the burst
	// is refused with an error. Cost is called before the body is read.
	Cost func(*http.Request) int

	// Store keeps the buckets. Nil is a [MemoryStore] of the limiter's own.
	Store Store

	// While the Store fails, requests are refused with 503. The next two fields
	// choose otherwise; they need a Store made by [NewBreaker].
	//
	// LocalShare, above 0 and at most 1, lets this process go on by itself with
	// that part of Limit: a third, if there are three processes. Costs above that
	// part of the burst are refused. The process doesn't know what was spent in the
	// Store before, nor does the Store learn what is spent meanwhile.
	LocalShare float64

	// FailOpen admits everything while the Store fails: never for logins.
	FailOpen bool

	// Quiet sends no header but Retry-After and names no policy: for login
	// and recovery, where how many tries remain is nobody's business.
	Quiet bool

	// Legacy sends older headers as well: "X-RateLimit" or "X-Rate-Limit",
	// followed by -Limit, -Remaining and -Reset. Empty sends none.
	//
	// -Reset is the t of RateLimit, in seconds, rounded up: until the bucket is full
	// (Decision.Reset), or, if less is left than such a request costs, until enough
	// is (Decision.RetryAfter). It falls where the last token goes: 20, 40, 20 with
	// 3 a minute.
	Legacy string

	// Deny writes a refusal in your own form, after Retry-After, the limit headers
	// and Cache-Control: no-store are set. Nil writes RFC 9457 problem JSON: 429, or
	// 400 and 503.
	//
	// If err is not nil the request could not be judged: by the client's mistake if
	// err is [ErrBadRequest], else by ours. The text of err is not for the client.
	//
	// The answer is never 200 by oversight: a body without a status gets the status
	// that belongs to the refusal, and if Deny writes nothing the answer is as
	// without Deny. w is a wrapper: what more the server's writer can do is behind
	// http.ResponseController.
	Deny func(w http.ResponseWriter, r *http.Request, d Decision, err error)

	// Logger hears of requests that could not be judged: at Error, at most once a
	// second, and at Debug if it was the client's mistake. It hears once, at Warn, if
	// a proxy is seen in front of [RemoteIP]. Nil is [slog.Default], as it is when a
	// line is logged.
	Logger *slog.Logger
}

// settled returns c with its defaults filled in, or every mistake in it.
func (c Config) settled() (Config, error) {
	var mistakes []error
	if err := named.Check(c.Name); err != nil {
		mistakes = append(mistakes, fmt.Errorf("ratelimit: Config.Name %w", err))
	}
	mistakes = append(mistakes, c.Limit.validate())
	switch c.Legacy {
	case "", "X-RateLimit", "X-Rate-Limit":
	default:
		mistakes = append(mistakes, fmt.Errorf("ratelimit: Config.Legacy is %q, must be X-RateLimit, X-Rate-Limit or empty", c.Legacy))
	}
	mistakes = append(mistakes, c.judgeFailure())
	if c.Store == nil {
		c.Store = NewMemoryStore(0)
	} else {
		mistakes = append(mistakes, validateStore("Config", c.Store))
	}
	return c, errors.Join(mistakes...)
}

// validateStore also finds a Breaker that would refuse everything.
func validateStore(where string, s Store) error {
	if isNil(s) {
		return fmt.Errorf("ratelimit: %s.Store is a nil %T: was its error looked at?", where, s)
	}
	if b, ok := s.(*Breaker); ok && b.store == nil {
		return fmt.Errorf("ratelimit: %s.Store is a *Breaker that was not made by NewBreaker", where)
	}
	return nil
}

// isNil finds a nil pointer in s: the usual remains of an error that was not looked
// at.
func isNil(s Store) bool {
	v := reflect.ValueOf(s)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// judgeFailure judges what is to happen while the store fails.
func (c Config) judgeFailure() error {
	if c.LocalShare == 0 && !c.FailOpen {
		return nil
	}
	var mistakes []error
	if _, ok := c.Store.(*Breaker); !ok {
		// Without a Breaker each request would wait for the store to time out
		// before it is decided here.
		mistakes = append(mistakes, errors.New("ratelimit: Config.LocalShare and FailOpen need a Store made by NewBreaker"))
	}
	if c.LocalShare != 0 && c.FailOpen {
		mistakes = append(mistakes, errors.New("ratelimit: Config.LocalShare and FailOpen exclude each other"))
	}
	switch {
	case c.LocalShare == 0:
	case !(c.LocalShare > 0 && c.LocalShare <= 1): // NaN as well
		mistakes = append(mistakes, fmt.Errorf("ratelimit: Config.LocalShare is %v, must be above 0 and at most 1", c.LocalShare))
	case c.Limit.validate() == nil:
		// A part of a good limit may be no good: too slow to be counted.
		if err := c.Limit.share(c.LocalShare).validate(); err != nil {
			mistakes = append(mistakes, fmt.Errorf("ratelimit: Config.LocalShare: %w", err))
		}
	}
	return errors.Join(mistakes...)
}
