package ratelimit

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/alarm"
)

// answer is how a limiter speaks to clients: everything that can be rendered
// before the first request, is.
type answer struct {
	quiet  bool
	legacy string
	deny   func(http.ResponseWriter, *http.Request, Decision, error)
	logger *slog.Logger
	alarm  *alarm.Alarm // of what is logged at Error

	policyHeader []string
	legacyNames  [3]string
	bodies       []body // of 429
}

// body is what is written when a policy refuses.
type body struct {
	policy string
	text   []byte
}

func (a *answer) render(parts []*policy) {
	a.policyHeader = []string{renderPolicies(parts)}
	if a.legacy != "" {
		for i, suffix := range []string{"-Limit", "-Remaining", "-Reset"} {
			a.legacyNames[i] = http.CanonicalHeaderKey(a.legacy + suffix)
		}
	}
	a.bodies = make([]body, len(parts))
	for i, p := range parts {
		a.bodies[i] = body{p.name, quotaProblem(p.name, a.quiet)}
	}
}

// Handler lets pass to next what the limit admits, and is the only writer of
// what it refuses: 429 with Retry-After (RFC 6585 section 4), or, if the request
// could not be judged, 400 where its key is an [ErrBadRequest] and else 503. The
// answer is given before the body is read.
//
// A limiter that can judge no request, since it has no Key, is told to the Logger
// at once.
//
// Header values that are always the same are shared by all answers: who wants
// another value replaces it, as Header.Set and Add do, and writes into none.
func (l *Limiter) Handler(next http.Handler) http.Handler {
	if l == nil {
		l = new(Limiter)
	}
	l.answer.mounted(l.mistake())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.serve(w, r, next) })
}

func (l *Limiter) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	var d Decision
	err := l.check(r, &d)
	l.answer.write(w, r, &d, err)
	if err == nil && d.Allowed {
		next.ServeHTTP(w, r)
	}
}

// Refuse answers r as Handler would have, had it been decided upon as Check or
// Allow did, which d and err are of: with headers, Retry-After, and a body or
// Config.Deny. It is for frameworks with handlers of another form, and for keys
// that only the handler knows. If d admits, it sets the headers of the limit and
// answers nothing.
func (l *Limiter) Refuse(w http.ResponseWriter, r *http.Request, d Decision, err error) {
	if l == nil {
		l = new(Limiter)
	}
	l.answer.write(w, r, &d, err)
}

// write answers what is not admitted, and sets the headers of what is.
func (a *answer) write(w http.ResponseWriter, r *http.Request, d *Decision, err error) {
	if err != nil {
		a.fail(w, r, err)
		return
	}
	switch {
	case !a.quiet && d.Policy != "":
		a.headers(w.Header(), d)
	case !d.Allowed:
		w.Header()[fieldRetry] = []string{strconv.FormatInt(max(1, wholeSeconds(d.RetryAfter)), 10)}
	}
	if !d.Allowed {
		a.refuse(w, r, d)
	}
}

func (a *answer) refuse(w http.ResponseWriter, r *http.Request, d *Decision) {
	if a.deny != nil {
		a.deny(w, r, *d, nil)
		return
	}
	i := slices.IndexFunc(a.bodies, func(b body) bool { return b.policy == d.Policy })
	if i < 0 { // a Decision of another limiter, or a zero one
		writeProblem(w, http.StatusTooManyRequests, quotaProblem("", true))
		return
	}
	writeProblem(w, http.StatusTooManyRequests, a.bodies[i].text)
}

// The values of headers that are always the same are shared: as they are full, an
// Add copies them.
var (
	problemType = []string{"application/problem+json"}
	noStore     = []string{"no-store"}
	noSniff     = []string{"nosniff"}
)

func writeProblem(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = problemType
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	w.WriteHeader(status)
	w.Write(body) // an error means that the client has gone
}

// problem is RFC 9457's object, with the member of the RateLimit draft,
// section "Quota Exceeded".
type problem struct {
	Type     string   `json:"type"`
	Title    string   `json:"title"`
	Status   int      `json:"status"`
	Violated []string `json:"violated-policies,omitempty"`
}

func quotaProblem(name string, quiet bool) []byte {
	p := problem{
		Type:   "https://iana.org/assignments/http-problem-types#quota-exceeded",
		Title:  "Request cannot be satisfied as assigned quota has been exceeded",
		Status: http.StatusTooManyRequests,
	}
	if !quiet {
		p.Violated = []string{name}
	}
	return p.json()
}

func (p problem) json() []byte {
	b, _ := json.Marshal(p) // strings and numbers: can't fail
	return append(b, '\n')
}

// wholeSeconds rounds up: who waits for so many seconds has waited long enough.
func wholeSeconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}
