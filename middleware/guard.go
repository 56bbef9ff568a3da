package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"runtime/debug"
	"slices"

	"github.com/gatehouse-go/gatehouse/claims"
)

// Guard decides who may come in, and is the only one that answers those who
// may not. It never changes, narrowing returns copies, and it is safe for
// concurrent use.
//
// A Guard that can't do its work admits nobody: the zero Guard, a nil *Guard,
// and one that [New] or a narrowing found a mistake in answer every request
// with 503.
type Guard[T any] struct {
	verifier verifier[T]
	ours     *claims.Verifier[T] // verifier, if it is one
	config   Config
	origins  *http.CrossOriginProtection
	alarms   *alarms
	mistake  error // why this guard admits nobody
	checks   []check[T]
	scope    []string // what Scope asked for, for the challenge
}

// verifier is what a Guard needs of a claims.Verifier.
type verifier[T any] interface {
	Verify(ctx context.Context, token string) (*claims.Claims[T], error)
}

// check is a narrowing: nil lets the caller pass.
type check[T any] func(*http.Request, *claims.Claims[T]) error

var errZero = errors.New("middleware: the guard was not made by New")

// New returns a Guard that admits the callers whose access tokens v verifies.
// v is a [claims.Verifier] or a wrapper of one that is safe for concurrent use
// and returns the same classes of errors.
//
// If v is nil or c has mistakes, New logs all of them at Error and returns a
// guard that answers 503.
func New[T any](v interface {
	Verify(ctx context.Context, token string) (*claims.Claims[T], error)
}, c Config) *Guard[T] {
	c, mistake := c.settled()
	if isNil(v) {
		mistake = errors.Join(errors.New("middleware: New: the verifier is nil"), mistake)
	}
	ours, _ := v.(*claims.Verifier[T])
	g := &Guard[T]{verifier: v, ours: ours, config: c, origins: c.origins(), alarms: new(alarms)}
	if mistake != nil {
		return g.spoiled(mistake)
	}
	return g
}

// isNil also finds a nil pointer in v, the usual remains of an error that was
// ignored.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch value := reflect.ValueOf(v); value.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Slice, reflect.Chan:
		return value.IsNil()
	}
	return false
}

// Handler returns a handler that runs next, once, for requests with a good
// access token that passes every narrowing, and refuses all others, whatever
// their method. next finds the caller with [claims.MustFromContext] and gets the
// ResponseWriter as it is.
//
// The token is checked when the request begins: a response that streams beyond
// its expiry is not cut off.
func (g *Guard[T]) Handler(next http.Handler) http.Handler {
	return g.mount(next, false)
}

// Optional is [Guard.Handler] that also lets anonymous callers reach next, for whom
// claims.FromContext returns false. Anonymous are requests without credentials, and
// those with credentials of another scheme than Bearer. A token in the header that is
// not good is refused as by Handler.
//
// A cookie that is not good, such as an expired one, also makes an anonymous caller.
// Browsers send it unasked, and scripts can not remove an HttpOnly one: with a 401 the
// page would be lost. It is not logged. Two cookies of the name are still refused with
// 400, and what could not be checked with 503.
//
// An anonymous caller passes no narrowing: on a guard that Only, Scope or
// Require returned, Optional is Handler.
func (g *Guard[T]) Optional(next http.Handler) http.Handler {
	return g.mount(next, true)
}

// Check decides about r and writes no answer: it is for frameworks and
// protocols that Handler does not fit. The error is nil only with claims; it
// matches one of the errors of this package or [claims.ErrInvalid]. [Status]
// knows its status, and [Guard.Refuse] writes its answer. Refusals are logged as
// by Handler.
func (g *Guard[T]) Check(r *http.Request) (*claims.Claims[T], error) {
	c, no := g.decide(r)
	if no != nil {
		g.log(r, no)
		return nil, no
	}
	own := c.Clone()
	return &own, nil
}

// Refuse answers r as Handler would have, had it been refused with err, which is
// an error of Check or one that it could have returned: with status, challenge and
// body, or by Config.Deny. It logs nothing. A nil err is answered 503.
func (g *Guard[T]) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	if g == nil {
		g = new(Guard[T])
	}
	if err == nil {
		err = errors.New("middleware: Refuse: there is no error")
	}
	var no *refusal
	if !errors.As(err, &no) {
		no = judge(err, claims.ErrInvalid, ErrMissing, ErrMalformed, ErrForbidden, ErrUnavailable)
	}
	g.refuse(w, r, no)
}

func (g *Guard[T]) mount(next http.Handler, optional bool) http.Handler {
	if g == nil || g.verifier == nil && g.mistake == nil {
		g = g.spoiled(errZero)
	}
	if isNil(next) {
		g = g.spoiled(errors.New("middleware: Handler: next is nil"))
	}
	optional = optional && len(g.checks) == 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, no := g.decide(r)
		switch {
		case no == nil:
			g.vary(w.Header(), true)
			serve(next, w, r, r.WithContext(claims.NewContext(r.Context(), c)))
		// A bad cookie gains nothing by this: without it, its sender is anonymous too.
		case optional && (no.class == ErrMissing || no.class == claims.ErrInvalid && g.byCookie(r)):
			g.vary(w.Header(), false)
			serve(next, w, r, anonymous[T](r))
		default:
			g.log(r, no)
			g.refuse(w, r, no)
		}
	})
}

// vary tells caches that a cookie decided, if it could. They keep answers to requests
// with Authorization apart by themselves, but not those to cookies (RFC 9111 §3.5).
func (g *Guard[T]) vary(h http.Header, known bool) {
	if g.config.Cookie == "" {
		return
	}
	if !slices.Contains(h["Vary"], "Cookie") { // of an outer guard
		h.Add("Vary", "Cookie")
	}
	// What stands further out is kept: it may be no-store, which is stricter.
	if known && len(h["Cache-Control"]) == 0 {
		h.Set("Cache-Control", "private")
	}
}

// serve runs next for inner, a copy of r. If next is a mux, it notes its pattern there:
// that is handed back, so that loggers and metrics outside of the guard see the route.
func serve(next http.Handler, w http.ResponseWriter, r, inner *http.Request) {
	if inner != r {
		defer func() { r.Pattern = inner.Pattern }() // also after a panic, which somebody outside may log
	}
	next.ServeHTTP(w, inner)
}

// anonymous hides the caller that an outer guard admitted: the handler sees what the
// guard next to it decided.
func anonymous[T any](r *http.Request) *http.Request {
	if _, known := claims.FromContext[T](r.Context()); !known {
		return r
	}
	return r.WithContext(claims.NewContext[T](r.Context(), nil))
}

// decide is the whole decision: token first, then the narrowings in the order
// in which they were added. Exactly one of its results is nil.
func (g *Guard[T]) decide(r *http.Request) (c *claims.Claims[T], no *refusal) {
	if g == nil || g.verifier == nil {
		return nil, &refusal{class: ErrUnavailable, cause: errZero}
	}
	if g.mistake != nil {
		return nil, &refusal{class: ErrUnavailable, cause: g.mistake}
	}
	token, err := g.token(r)
	// What is not a b64token (RFC 6750 §2.1) never reaches another verifier than
	// ours: it may not expect it.
	if err == nil && g.ours == nil {
		err = wellFormed(token)
	}
	if err != nil {
		return nil, judge(err, ErrMalformed, claims.ErrInvalid, ErrMissing)
	}
	// From here on code runs that is not ours: the verifier's key set, the
	// narrowings. A panic there must not end as an open door or without an answer.
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			panic(p)
		} else if p != nil {
			c, no = nil, &refusal{class: errPanic, cause: fmt.Errorf("%v", p), stack: debug.Stack()}
		}
	}()
	c, err = g.verify(r.Context(), token)
	// Our own verifier refuses by itself what is not a b64token, so that a good token
	// is read once. Only a refused one is looked at again, because what is malformed
	// is answered differently from what is invalid.
	if err != nil && g.ours != nil {
		if malformed := wellFormed(token); malformed != nil {
			return nil, judge(malformed, ErrMalformed, claims.ErrInvalid)
		}
	}
	switch {
	case err != nil:
		return nil, judge(err, claims.ErrInvalid, ErrUnavailable)
	case c == nil:
		return nil, judge(errNoClaims, ErrUnavailable)
	case c.Use == claims.Refresh:
		return nil, judge(errRefresh, claims.ErrInvalid)
	case c.Confirmation != (claims.Confirmation{}) && !g.config.InsecureUnproven:
		return nil, judge(errUnproven, claims.ErrInvalid)
	}
	// The narrowings come last: they are about a known caller, and a stranger must not
	// learn from an answer what a route demands.
	for _, passes := range g.checks {
		if err := passes(r, c); err != nil {
			return nil, judge(err, claims.ErrInvalid, ErrForbidden, ErrUnavailable)
		}
	}
	return c, nil
}

// verify asks the verifier. One of ours may give the same claims to many requests,
// since nothing here changes them, and handlers get clones.
func (g *Guard[T]) verify(ctx context.Context, token string) (*claims.Claims[T], error) {
	if g.ours != nil {
		return g.ours.VerifyShared(ctx, token)
	}
	return g.verifier.Verify(ctx, token)
}

var (
	errNoClaims = errors.New("middleware: Verify returned neither claims nor an error")
	// errRefresh does not depend on what the verifier is configured for: a refresh
	// token is for the issuer only (RFC 6749 §1.5).
	errRefresh = fmt.Errorf("%w: a refresh token opens no guard", claims.ErrInvalid)
	// errUnproven is law 15: a token that is bound to a key, and stolen, must not do
	// without the key (RFC 9449 §7.2, RFC 8705 §3).
	errUnproven = fmt.Errorf("%w: it is bound to a key (cnf), and guards check no proof: middleware.Config.InsecureUnproven", claims.ErrInvalid)
)

// spoiled returns a copy of g that admits nobody, and logs why.
func (g *Guard[T]) spoiled(mistake error) *Guard[T] {
	refusing := g.copied()
	refusing.mistake = errors.Join(refusing.mistake, mistake)
	refusing.alarms = new(alarms)
	refusing.alarms.unavailable.rings() // by the next line
	refusing.config.logger().Error("middleware: this guard admits nobody", "reason", printable(mistake.Error()))
	return refusing
}

// copied returns a copy that shares nothing that either could change.
func (g *Guard[T]) copied() *Guard[T] {
	if g == nil {
		return new(Guard[T])
	}
	c := *g
	c.checks, c.scope = slices.Clone(g.checks), slices.Clone(g.scope)
	return &c
}
