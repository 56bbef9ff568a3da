package middleware

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// ErrMissing says that the request carries no bearer token. The answer is 401. The
// challenge names no error, since the client may not know that it needs a token
// (RFC 6750 §3.1).
var ErrMissing = errors.New("middleware: no bearer token")

// ErrMalformed says that the request leaves open what its token is: none after
// the scheme, something behind it, or several. The answer is 400
// invalid_request.
var ErrMalformed = errors.New("middleware: malformed request")

// ErrForbidden says that the token is good and its caller not admitted here.
// The answer is 403 insufficient_scope.
var ErrForbidden = errors.New("middleware: not admitted")

// ErrUnavailable says that it could not be found out whether the caller may
// come in; it proves nothing about the token. The answer is 503. Functions
// given to [Guard.Require] and wrappers of verifiers may return it.
var ErrUnavailable = errors.New("middleware: could not be checked")

// errPanic says that a verifier or a check panicked. The answer is 500.
var errPanic = errors.New("middleware: panic")

// refusal is a decision against the caller. Its class alone determines the
// answer, so that a cause can't choose one.
type refusal struct {
	class error  // a key of answers
	cause error  // for the log
	stack []byte // of a panic
}

// judge gives err the first of classes that it matches, or else the last. An
// error that is about us as well as about the token proves nothing about the
// token.
func judge(err error, classes ...error) *refusal {
	// First, because an error may match several classes: a cancelled request's context
	// can come wrapped in what looks like a bad token.
	if unavailable(err) {
		return &refusal{class: ErrUnavailable, cause: err}
	}
	for _, class := range classes {
		if errors.Is(err, class) {
			return &refusal{class: class, cause: err}
		}
	}
	return &refusal{class: classes[len(classes)-1], cause: err}
}

func unavailable(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Error is the class alone, a fixed text: frameworks send the texts of errors to
// clients, and the reason is nobody's business but the operator's. It is behind Unwrap.
func (no *refusal) Error() string { return no.class.Error() }

// reason is for the log.
func (no *refusal) reason() string {
	if errors.Is(no.cause, no.class) {
		return no.cause.Error()
	}
	return no.class.Error() + ": " + no.cause.Error()
}

// Is makes a refusal match its class, Unwrap what caused it.
func (no *refusal) Is(target error) bool { return target == no.class }

func (no *refusal) Unwrap() error { return no.cause }

// Status returns the status of the answer to an error of [Guard.Check] or of
// Config.Deny: 401 for [ErrMissing] and [claims.ErrInvalid], 400 for
// [ErrMalformed], 403 for [ErrForbidden], 500 after a panic, and 503 for
// [ErrUnavailable] and every other error. As no answer belongs to nil, that
// is 500.
func Status(err error) int {
	var no *refusal
	switch {
	case err == nil:
		return http.StatusInternalServerError
	case errors.As(err, &no):
		return answers[no.class].status
	case unavailable(err):
		return http.StatusServiceUnavailable
	}
	for _, class := range []error{claims.ErrInvalid, ErrMissing, ErrMalformed, ErrForbidden} {
		if errors.Is(err, class) {
			return answers[class].status
		}
	}
	return http.StatusServiceUnavailable
}

// log writes down why a request was refused. What is our fault is logged at Error,
// once a second. What clients do is logged at Debug, so that strangers can't fill
// the log. That counts for a client that went away, too.
func (g *Guard[T]) log(r *http.Request, no *refusal) {
	var c Config
	bells := &strays
	if g != nil {
		c, bells = g.config, cmp.Or(g.alarms, bells)
	}
	// The level is settled first: without a line to write, nothing is formatted, which
	// is what a flood of bad tokens comes to.
	status, level, silent := answers[no.class].status, c.refusalLevel(), 0
	if status >= 500 && !errors.Is(r.Context().Err(), context.Canceled) {
		bell := &bells.unavailable
		if no.class == errPanic {
			bell = &bells.panic
		}
		var rings bool
		if silent, rings = bell.rings(); rings {
			level = slog.LevelError
		}
	}
	if !c.logger().Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{slog.Int("status", status), slog.String("method", printable(r.Method))}
	if r.URL != nil { // a request to Check may be another framework's
		attrs = append(attrs, slog.String("path", printable(r.URL.Path)))
	}
	attrs = append(attrs, slog.String("reason", printable(no.reason())))
	if silent > 0 {
		attrs = append(attrs, slog.Int("unlogged", silent))
	}
	if r.Pattern != "" {
		attrs = append(attrs, slog.String("pattern", r.Pattern))
	}
	if no.stack != nil {
		attrs = append(attrs, slog.String("stack", string(no.stack)))
	}
	c.logger().LogAttrs(r.Context(), level, "middleware: refused", attrs...)
}

// alarm rings once a second, however often it is pulled.
type alarm struct {
	mu     sync.Mutex
	last   time.Time
	silent int // how often it was pulled since and did not ring
}

// alarms are those of a guard. A panic has its own: an outage that rings every second
// must not hide it and its stack.
type alarms struct{ unavailable, panic alarm }

// strays are the alarms of all guards that were not made by New.
var strays alarms

func (a *alarm) rings() (silent int, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if pause := time.Since(a.last); 0 <= pause && pause < time.Second {
		a.silent++
		return 0, false
	}
	silent, a.silent, a.last = a.silent, 0, time.Now()
	return silent, true
}

// maxReason bounds in bytes what one reason adds to the log.
const maxReason = 512

// printable returns s bounded and with everything but printable ASCII escaped:
// it may hold what a stranger wrote, and not every log handler escapes.
func printable(s string) string {
	cut := s[:min(len(s), maxReason)]
	var b strings.Builder
	for i := range len(cut) {
		if c := cut[i]; ' ' <= c && c <= '~' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	if len(cut) < len(s) {
		b.WriteString("...")
	}
	return b.String()
}
