package ratelimit

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The fields of draft-ietf-httpapi-ratelimit-headers-11 and of RFC 9110 section
// 10.2.3, spelled as in header maps, and the parameters that the draft may still
// change.
const (
	fieldPolicy = "Ratelimit-Policy"
	fieldState  = "Ratelimit"
	fieldRetry  = "Retry-After"

	paramQuota     = ";q="
	paramWindow    = ";w="
	paramRemaining = ";r="
	paramReset     = ";t="
)

// renderPolicies is the value of RateLimit-Policy: the quota is the burst, the
// window the time in which it refills.
func renderPolicies(parts []*policy) string {
	var b []byte
	for i, p := range parts {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendName(b, p.name)
		b = append(b, paramQuota...)
		b = strconv.AppendInt(b, int64(p.limit.Burst), 10)
		b = append(b, paramWindow...)
		b = strconv.AppendInt(b, wholeSeconds(p.tolerance), 10)
	}
	return string(b)
}

// headers sets the limit headers of d. If d refuses, Retry-After says what the window
// says.
//
// All values are in one array that belongs to this answer: other handlers may write
// into the slices of a header map.
func (rs *responder) headers(h http.Header, d *Decision) {
	var buf [128]byte
	b := appendName(buf[:0], d.Policy)
	b = append(b, paramRemaining...)
	b = strconv.AppendInt(b, int64(d.Remaining), 10)
	b = append(b, paramReset...)
	i := len(b) // one string serves up to three fields
	b = strconv.AppendInt(b, wholeSeconds(d.window()), 10)
	text := string(b)
	v := &[3]string{rs.policyHeader, text, text[i:]}
	addLine(h, fieldPolicy, v[0:1:1], "")
	addLine(h, fieldState, v[1:2:2], text[:len(d.Policy)+len(`"";`)])
	if !d.Allowed {
		h[fieldRetry] = v[2:3:3]
	}
	if rs.legacy != "" {
		v := &[3]string{strconv.Itoa(d.Limit.Burst), strconv.Itoa(d.Remaining), text[i:]}
		for i, name := range rs.legacyNames {
			h[name] = v[i : i+1 : i+1]
		}
	}
}

// addLine adds a line to a field that is a list, as an outer limit may have written
// one before. A line is replaced if it is the same or begins with about: that is the
// older state of the same policy, and a list names a policy once.
func addLine(h http.Header, field string, line []string, about string) {
	old := h[field]
	if len(old) == 0 {
		h[field] = line
		return
	}
	for i := range old {
		if old[i] == line[0] || about != "" && strings.HasPrefix(old[i], about) {
			old[i] = line[0]
			return
		}
	}
	h[field] = append(old, line[0])
}

// window is the time for which Remaining is all there is: until the bucket is full,
// or, if less is left than such a request costs, until enough is. So the window never
// ends after Retry-After (the draft, section 6).
func (d *Decision) window() time.Duration {
	if d.RetryAfter > 0 {
		return d.RetryAfter
	}
	return d.Reset
}

func appendName(b []byte, name string) []byte {
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"')
}

// wholeSeconds rounds up, so that a client that waits so long has waited enough.
func wholeSeconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}
