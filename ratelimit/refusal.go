package ratelimit

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/alarm"
)

// ErrBadRequest is what a [KeyFunc] says, with its cause, if a request has no key by
// its client's mistake:
//
//	return "", fmt.Errorf("%w: %w", ratelimit.ErrBadRequest, err)
//
// The answer is 400. The errors of [Email] match it.
var ErrBadRequest = errors.New("ratelimit: bad request")

// retryUnknown is the Retry-After where nothing is known: a guess.
const retryUnknown = "5"

// fail answers a request that could not be judged. The class of the error alone
// determines the answer.
func (rs *responder) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, body := http.StatusServiceUnavailable, unavailable
	if errors.Is(err, ErrBadRequest) {
		status, body = http.StatusBadRequest, badRequest
	} else {
		w.Header().Set(fieldRetry, retryUnknown)
	}
	rs.log(r, status, err)
	rs.answer(w, r, status, body, new(Decision), err)
}

// log logs what is our fault at Error, once a second, and what clients do at Debug, so
// that strangers can't fill the log.
func (rs *responder) log(r *http.Request, status int, err error) {
	attrs := []slog.Attr{slog.Int("status", status), slog.Any("error", err)}
	if r.Pattern != "" {
		attrs = append(attrs, slog.String("pattern", r.Pattern))
	}
	// Our fault is a 503, with two exceptions. A client that hung up ended its own
	// request. A store that a Breaker gave up was logged by the Breaker.
	level := slog.LevelDebug
	if status >= 500 && !errors.Is(err, ErrUnavailable) && !errors.Is(r.Context().Err(), context.Canceled) {
		if silent, ok := rs.bell().Rings(time.Second); ok {
			level = slog.LevelError
			if silent > 0 {
				attrs = append(attrs, slog.Int("unlogged", silent))
			}
		}
	}
	rs.slogger().LogAttrs(r.Context(), level, "ratelimit: refused", attrs...)
}

// mounted says at once what will be wrong with every request.
func (rs *responder) mounted(mistake error) {
	if mistake != nil {
		rs.slogger().Error("ratelimit: what is mounted here admits nobody", "error", mistake)
	}
}

// slogger reads slog.Default when a line is logged, as middleware and issuer do.
func (rs *responder) slogger() *slog.Logger {
	if rs.logger == nil {
		return slog.Default()
	}
	return rs.logger
}

// strays is the alarm of whatever was not made by [New] or [NewSet].
var strays alarm.Alarm

// bell is the alarm of lines at Error.
func (rs *responder) bell() *alarm.Alarm {
	if rs.alarm == nil {
		return &strays
	}
	return rs.alarm
}

var (
	unavailable = problem{Type: "about:blank", Title: "Service Unavailable", Status: http.StatusServiceUnavailable}.json()
	badRequest  = problem{Type: "about:blank", Title: "Bad Request", Status: http.StatusBadRequest}.json()
)
