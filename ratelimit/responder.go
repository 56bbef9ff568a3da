package ratelimit

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strconv"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/alarm"
)

// responder is how a limiter speaks to clients. Whatever can be rendered before the
// first request is rendered when the limiter is made.
type responder struct {
	quiet  bool
	legacy string
	deny   func(http.ResponseWriter, *http.Request, Decision, error)
	logger *slog.Logger
	alarm  *alarm.Alarm // of what is logged at Error

	policyHeader string
	legacyNames  [3]string
	bodies       []body // of 429
}

// body is what is written when a policy refuses.
type body struct {
	policy string
	text   []byte
}

// render prepares what is the same in all answers of these policies.
func (rs *responder) render(parts []*policy) {
	rs.policyHeader = renderPolicies(parts)
	if rs.legacy != "" {
		for i, suffix := range []string{"-Limit", "-Remaining", "-Reset"} {
			rs.legacyNames[i] = http.CanonicalHeaderKey(rs.legacy + suffix)
		}
	}
	rs.bodies = make([]body, len(parts))
	for i, p := range parts {
		rs.bodies[i] = body{p.name, quotaProblem(p.name, rs.quiet)}
	}
}

// write answers what is not admitted, and sets the headers of what is.
func (rs *responder) write(w http.ResponseWriter, r *http.Request, d *Decision, err error) {
	if err != nil {
		rs.fail(w, r, err)
		return
	}
	switch {
	// A Decision without a policy is that of Config.FailOpen, or a zero one: there
	// is no limit to speak of.
	case !rs.quiet && d.Policy != "":
		rs.headers(w.Header(), d)
	case !d.Allowed:
		// Quiet, but a client that isn't told when to come back comes back at once.
		w.Header()[fieldRetry] = []string{strconv.FormatInt(max(1, wholeSeconds(d.RetryAfter)), 10)}
	}
	if !d.Allowed {
		rs.refuse(w, r, d)
	}
}

// refuse writes a 429.
func (rs *responder) refuse(w http.ResponseWriter, r *http.Request, d *Decision) {
	i := slices.IndexFunc(rs.bodies, func(b body) bool { return b.policy == d.Policy })
	if i < 0 { // a Decision of another limiter, or a zero one
		rs.answer(w, r, http.StatusTooManyRequests, quotaProblem("", true), d, nil)
		return
	}
	rs.answer(w, r, http.StatusTooManyRequests, rs.bodies[i].text, d, nil)
}

// answer answers a refused request: in Deny's form, or with body.
func (rs *responder) answer(w http.ResponseWriter, r *http.Request, status int, body []byte, d *Decision, err error) {
	h := w.Header()
	v := &[2]string{"no-store", "nosniff"} // a header map owns its values
	// No cache may keep a refusal (RFC 6585 section 4), in any form that Deny gives it.
	h["Cache-Control"], h["X-Content-Type-Options"] = v[0:1:1], v[1:2:2]
	dropForeign(h) // an outer handler may have set them
	if rs.deny == nil {
		writeProblem(w, status, body)
		return
	}
	// Deny may forget the status, or to write at all. A refusal must never be a 200.
	dw := &denyWriter{ResponseWriter: w, status: status}
	rs.deny(dw, r, *d, err)
	if !dw.written {
		dropForeign(h) // Deny may have set them for what it did not write
		writeProblem(dw, status, body)
	}
}

// dropForeign drops the fields that describe another answer: its length would cut ours,
// its validators (RFC 9110 section 8.8) would name ours. Content-Encoding stays: an outer
// handler that compresses whatever is written may have set it. It has a sibling in
// middleware.
func dropForeign(h http.Header) {
	delete(h, "Content-Length")
	delete(h, "Etag")
	delete(h, "Last-Modified")
}

// writeProblem writes an RFC 9457 document. To HEAD as well: the server drops the body,
// and counts its length as for GET (RFC 9110 section 8.6). It has siblings in middleware
// and issuer/recovery, which set other headers.
func writeProblem(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/problem+json")
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
