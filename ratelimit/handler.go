package ratelimit

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// answer is how a limiter speaks to clients: everything that can be rendered
// before the first request, is.
type answer struct {
	quiet  bool
	legacy string
	deny   func(http.ResponseWriter, *http.Request, Decision, error)
	logger *slog.Logger

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
// what it refuses: 429 with Retry-After (RFC 6585 section 4), or 503 if the
// request could not be judged. The answer is given before the body is read.
func (l *Limiter) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.serve(w, r, next) })
}

func (l *Limiter) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	var d Decision
	if err := l.check(r, &d); err != nil {
		l.answer.fail(w, r, err)
		return
	}
	switch {
	case !l.answer.quiet && d.Policy != "":
		l.answer.headers(w.Header(), &d)
	case !d.Allowed:
		w.Header()[fieldRetry] = []string{strconv.FormatInt(wholeSeconds(d.RetryAfter), 10)}
	}
	if !d.Allowed {
		l.answer.refuse(w, r, &d)
		return
	}
	next.ServeHTTP(w, r)
}

func (a *answer) refuse(w http.ResponseWriter, r *http.Request, d *Decision) {
	if a.deny != nil {
		a.deny(w, r, *d, nil)
		return
	}
	i := slices.IndexFunc(a.bodies, func(b body) bool { return b.policy == d.Policy })
	writeProblem(w, http.StatusTooManyRequests, a.bodies[i].text)
}

// retryUnknown is told to clients when nothing can be known.
var retryUnknown = []string{"5"}

func (a *answer) fail(w http.ResponseWriter, r *http.Request, err error) {
	logger := a.logger
	if logger == nil {
		logger = slog.Default()
	}
	level := slog.LevelError
	if errors.Is(err, ErrUnavailable) {
		level = slog.LevelDebug // the Breaker has said so once, for all of them
	}
	logger.Log(r.Context(), level, "request refused, its limit could not be judged", "error", err)
	w.Header()[fieldRetry] = retryUnknown
	if a.deny != nil {
		a.deny(w, r, Decision{}, err)
		return
	}
	writeProblem(w, http.StatusServiceUnavailable, unavailable)
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

var unavailable = problem{Type: "about:blank", Title: "Service Unavailable", Status: http.StatusServiceUnavailable}.json()

func (p problem) json() []byte {
	b, _ := json.Marshal(p) // strings and numbers: can't fail
	return append(b, '\n')
}

// wholeSeconds rounds up: who waits for so many seconds has waited long enough.
func wholeSeconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}
