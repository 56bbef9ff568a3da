package middleware

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// answer is what a class of refusals looks like from outside. All its text is
// fixed: nothing of the request, the token or an error is ever reflected.
type answer struct {
	status int
	code   string // error of RFC 6750 §3.1, "" if the challenge has none
	detail string // error_description and the problem's detail
}

// answers has an answer for every class.
var answers = map[error]answer{
	ErrMissing:        {http.StatusUnauthorized, "", "An access token is required."},
	claims.ErrInvalid: {http.StatusUnauthorized, "invalid_token", "The access token is not valid."},
	ErrMalformed:      {http.StatusBadRequest, "invalid_request", "The request must carry exactly one access token."},
	ErrForbidden:      {http.StatusForbidden, "insufficient_scope", "The access token does not allow this."},
	ErrUnavailable:    {http.StatusServiceUnavailable, "", "Access can not be checked at the moment."},
	errPanic:          {http.StatusInternalServerError, "", "The request could not be handled."},
}

// refuse writes the one answer to a refused request.
func (g *Guard[T]) refuse(w http.ResponseWriter, r *http.Request, no *refusal) {
	a := answers[no.class]
	h := w.Header()
	dropForeign(h) // an outer handler may have set them
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	// 5xx is about us: a challenge would tell the client to get another token.
	if a.status < 500 {
		h.Set("WWW-Authenticate", g.challenge(a))
	}
	if a.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", g.config.retryAfter())
	}
	if g.config.Deny == nil {
		a.write(w)
		return
	}
	// Deny may forget the status, or to write at all. It must never be a 200.
	d := &denyWriter{ResponseWriter: w, status: a.status}
	g.config.Deny(d, r, no)
	if !d.written {
		a.write(d)
	}
}

// write writes a as a problem document (RFC 9457). To HEAD it writes the same, which
// net/http measures and does not send: the fields are then those of GET (RFC 9110 §8.6).
func (a answer) write(w http.ResponseWriter) {
	dropForeign(w.Header()) // Deny may have set them for what it did not write
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(a.status)
	// The texts are ours, and %q writes them as JSON does. That the client went
	// away while we wrote changes nothing.
	_, _ = fmt.Fprintf(w, "{\"type\":\"about:blank\",\"title\":%q,\"status\":%d,\"detail\":%q}\n",
		http.StatusText(a.status), a.status, a.detail)
}

// dropForeign drops the fields that describe another answer: its length would cut ours,
// its validators (RFC 9110 §8.8) would name ours. Content-Encoding stays: whoever
// compresses outside of the guard may have set it before (Go's issue 66343).
func dropForeign(h http.Header) {
	h.Del("Content-Length")
	h.Del("ETag")
	h.Del("Last-Modified")
}

// challenge is the value of WWW-Authenticate (RFC 6750 §3).
func (g *Guard[T]) challenge(a answer) string {
	realm := g.config.Realm
	if realm == "" {
		realm = defaultRealm
	}
	// quoted-string of RFC 9110 §5.6.4; only the realm can need it, as error,
	// error_description and scope have no quotes and no backslashes.
	realm = strings.ReplaceAll(strings.ReplaceAll(realm, `\`, `\\`), `"`, `\"`)
	c := `Bearer realm="` + realm + `"`
	if a.code != "" {
		c += `, error="` + a.code + `", error_description="` + a.detail + `"`
	}
	if a.status == http.StatusForbidden && len(g.scope) > 0 {
		c += `, scope="` + strings.Join(g.scope, " ") + `"`
	}
	return c
}

func (c Config) retryAfter() string {
	d := c.RetryAfter
	if d <= 0 {
		d = defaultRetryAfter
	}
	seconds := d / time.Second
	if d%time.Second > 0 {
		seconds++
	}
	return strconv.FormatInt(int64(seconds), 10)
}
