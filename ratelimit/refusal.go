package ratelimit

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/alarm"
)

// ErrBadRequest is what a [KeyFunc] says, with its cause, of a request that has no
// key because of its client's mistake:
//
//	return "", fmt.Errorf("%w: %w", ratelimit.ErrBadRequest, err)
//
// The answer is 400. The errors of [Email] match it.
var ErrBadRequest = errors.New("ratelimit: bad request")

// retryUnknown is told to clients when nothing can be known.
var retryUnknown = []string{"5"}

// fail answers a request that could not be judged. The class of the error alone
// determines the answer.
func (a *answer) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, body := http.StatusServiceUnavailable, unavailable
	if errors.Is(err, ErrBadRequest) {
		status, body = http.StatusBadRequest, badRequest
	} else {
		w.Header()[fieldRetry] = retryUnknown
	}
	a.log(r, status, err)
	if a.deny != nil {
		a.deny(w, r, Decision{}, err)
		return
	}
	writeProblem(w, status, body)
}

// log writes down what we are to blame for at Error, once a second, and what
// clients do at Debug, so that strangers can't fill the log. A client that has
// gone is its own doing, and of a store that is down the [Breaker] has said so.
func (a *answer) log(r *http.Request, status int, err error) {
	attrs := []slog.Attr{slog.Int("status", status), slog.Any("error", err)}
	if r.Pattern != "" {
		attrs = append(attrs, slog.String("pattern", r.Pattern))
	}
	level := slog.LevelDebug
	if status >= 500 && !errors.Is(err, ErrUnavailable) && !errors.Is(r.Context().Err(), context.Canceled) {
		if silent, ok := a.bell().Rings(time.Second); ok {
			level = slog.LevelError
			if silent > 0 {
				attrs = append(attrs, slog.Int("unlogged", silent))
			}
		}
	}
	a.slogger().LogAttrs(r.Context(), level, "ratelimit: refused", attrs...)
}

// mounted says at once what will be wrong with every request.
func (a *answer) mounted(mistake error) {
	if mistake != nil {
		a.slogger().Error("ratelimit: what is mounted here admits nobody", "error", mistake)
	}
}

func (a *answer) slogger() *slog.Logger {
	if a.logger == nil {
		return slog.Default()
	}
	return a.logger
}

// strays is the alarm of all that was not made by [New] or [NewSet].
var strays alarm.Alarm

func (a *answer) bell() *alarm.Alarm {
	if a.alarm == nil {
		return &strays
	}
	return a.alarm
}

var (
	unavailable = problem{Type: "about:blank", Title: "Service Unavailable", Status: http.StatusServiceUnavailable}.json()
	badRequest  = problem{Type: "about:blank", Title: "Bad Request", Status: http.StatusBadRequest}.json()
)
