package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer/internal/params"
	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

// StartHandler answers POST requests with {"email"}, as JSON or as a form, by having a
// code sent. The answer is 204, whether there is such an account or not; or 429 with
// Retry-After while the account is blocked. Mount it behind a limit by address of the
// peer: the package says why under "What strangers can fill".
//
// find returns the function that delivers a code to the account of an e-mail address,
// or nil if there is no such account. It is given the form of [ratelimit.Email] and
// should take as long for either. Delivering should be left to a queue: see
// [Recovery.Start]. If delivering fails that is logged and answered like success, since
// for an account that doesn't exist it can't fail.
//
// A [lockout.BlockedError] from find is answered 429, any other error 503. It must
// come for accounts that don't exist as it does for others.
func (r *Recovery) StartHandler(find func(ctx context.Context, email string) (send func(ctx context.Context, code string) error, err error)) http.Handler {
	return r.handler(http.MethodPost, []string{"email"}, find != nil, func(q *http.Request, in fields) error {
		send, err := find(q.Context(), in.email)
		if err != nil {
			return err
		}
		if send == nil {
			return r.Start(q.Context(), in.email, nil)
		}
		return r.Start(q.Context(), in.email, func(ctx context.Context, code string) error {
			if err := send(ctx, code); err != nil {
				r.logger().ErrorContext(ctx, "recovery: a code could not be sent", "account", r.id(in.email), "error", err)
			}
			return nil
		})
	})
}

// RedeemHandler answers PUT requests with {"email", "password", "recoveryCode"}, as
// JSON or as a form. Mount it behind a limit by address of the peer.
//
//   - 204: the new password is set.
//   - 400: the code is wrong, expired or malformed, in the same words for all three; or
//     the password is not good enough; or a parameter is missing or unknown, and then
//     the answer says what is expected.
//   - 429 with Retry-After: the account is blocked.
//   - 503: a store or set failed. If set did, the code is used up.
//
// accept says whether a password is good enough. It is asked before the code is looked
// at, so that a bad password costs no try, and must not depend on the account. set
// sets the new password, and should end the account's sessions.
func (r *Recovery) RedeemHandler(accept func(password string) bool, set func(ctx context.Context, email, password string) error) http.Handler {
	return r.handler(http.MethodPut, []string{"email", "password", "recoveryCode"}, accept != nil && set != nil, func(q *http.Request, in fields) error {
		if !accept(in.all["password"]) {
			return errPassword
		}
		right, err := r.Redeem(q.Context(), in.email, in.all["recoveryCode"])
		if err == nil && !right {
			err = errWrong
		}
		if err != nil {
			return err
		}
		// The code is used up: the password must be set, also if the client hangs up.
		return set(context.WithoutCancel(q.Context()), in.email, in.all["password"])
	})
}

// UnblockHandler answers POST requests with {"email"}, as JSON or as a form: 204 when
// the account is not blocked any more, and 403 if the function may refuses.
//
// may says whether the sender of a request, whom a guard has let in, may unblock the
// account. It should not tell accounts that don't exist from those of others.
func (r *Recovery) UnblockHandler(may func(r *http.Request, email string) (bool, error)) http.Handler {
	return r.handler(http.MethodPost, []string{"email"}, may != nil, func(q *http.Request, in fields) error {
		allowed, err := may(q, in.email)
		if err == nil && !allowed {
			err = errForbidden
		}
		if err != nil {
			return err
		}
		return r.Unblock(q.Context(), in.email)
	})
}

var (
	errWrong     = errors.New("recovery: wrong or expired code")
	errPassword  = errors.New("recovery: password is not good enough")
	errForbidden = errors.New("recovery: caller may not unblock")
	errNoFunc    = errors.New("recovery: the handler was given no function")
)

// fields are a body, and its e-mail address in canonical form.
type fields struct {
	all   map[string]string
	email string
}

// handler reads a body with these members, has act decide, and writes the answer.
func (r *Recovery) handler(method string, names []string, complete bool, act func(*http.Request, fields) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method != method {
			w.Header().Set("Allow", method)
			problem(w, http.StatusMethodNotAllowed, "")
			return
		}
		q.Body = http.MaxBytesReader(w, q.Body, params.Max)
		all, refused := exactly(q, names)
		email, err := ratelimit.Email(all["email"])
		if refused == nil && err != nil {
			refused = noAddress
		}
		if refused != nil {
			r.refused(q, refused.Reason)
			problem(w, refused.Status, refused.Reason)
			return
		}
		err = errNoFunc // closed by default, also on a Recovery that New didn't make
		if complete && r.usable(email) == nil {
			err = act(q, fields{all, email})
		}
		r.reply(w, q, err)
	})
}

var noAddress = &params.Refusal{Status: http.StatusBadRequest, Reason: "An e-mail address is required."}

// exactly returns the parameters of a body: these, all of them and no others, and none
// empty.
func exactly(q *http.Request, names []string) (map[string]string, *params.Refusal) {
	all, refused := params.Read(q)
	if refused != nil {
		return nil, refused
	}
	for _, name := range names {
		if all[name] == "" {
			return nil, params.Missing(name)
		}
	}
	if len(all) != len(names) {
		return nil, &params.Refusal{Status: http.StatusBadRequest, Reason: "The parameters must be " + strings.Join(names, ", ") + ", and no others."}
	}
	return all, nil
}

// reply is the only writer of what a step came to.
func (r *Recovery) reply(w http.ResponseWriter, q *http.Request, err error) {
	var blocked *lockout.BlockedError
	switch {
	case err == nil:
		dropForeign(w.Header())
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, ErrMalformed), errors.Is(err, errWrong): // the same to clients
		r.refused(q, err.Error())
		problem(w, http.StatusBadRequest, "The recovery code is wrong or expired.")
	case errors.Is(err, errPassword):
		r.refused(q, err.Error())
		problem(w, http.StatusBadRequest, "The password is not good enough.")
	case errors.Is(err, errForbidden):
		problem(w, http.StatusForbidden, "")
	case errors.As(err, &blocked):
		// Rounded up, so that a client that waits so long is let in.
		w.Header().Set("Retry-After", strconv.FormatInt(int64((blocked.RetryAfter+time.Second-1)/time.Second), 10))
		problem(w, http.StatusTooManyRequests, "Recovery is blocked after too many tries.")
	default:
		r.logger().ErrorContext(q.Context(), "recovery: failed", "path", q.URL.Path, "error", err)
		w.Header().Set("Retry-After", "5")
		problem(w, http.StatusServiceUnavailable, "")
	}
}

// refused notes why a request was refused. Strangers can make such lines at will, so
// they are at Debug.
func (r *Recovery) refused(q *http.Request, reason string) {
	r.logger().DebugContext(q.Context(), "recovery: refused", "path", q.URL.Path, "reason", reason)
}

// problem writes an RFC 9457 document.
func problem(w http.ResponseWriter, status int, detail string) {
	body, _ := json.Marshal(struct { // strings and a number: can't fail
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail,omitempty"`
	}{"about:blank", http.StatusText(status), status, detail})
	h := w.Header()
	dropForeign(h)
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(body, '\n')) // an error means that the client has gone
}

// dropForeign drops what an outer handler may have said of another answer: its length
// would cut ours.
func dropForeign(h http.Header) {
	h.Del("Content-Length")
	h.Del("ETag")
	h.Del("Last-Modified")
}
