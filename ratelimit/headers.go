package ratelimit

import (
	"net/http"
	"strconv"
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
func (rs *responder) headers(h http.Header, d *Decision) {
	h[fieldPolicy] = rs.policyHeader // shared, without spare capacity: Header.Add copies it
	var buf [128]byte
	b := appendName(buf[:0], d.Policy)
	b = append(b, paramRemaining...)
	b = strconv.AppendInt(b, int64(d.Remaining), 10)
	b = append(b, paramReset...)
	i := len(b) // one string serves up to three fields
	b = strconv.AppendInt(b, wholeSeconds(d.window()), 10)
	text := string(b)
	h[fieldState] = []string{text}
	if !d.Allowed {
		h[fieldRetry] = []string{text[i:]}
	}
	if rs.legacy != "" {
		h[rs.legacyNames[0]] = []string{strconv.Itoa(d.Limit.Burst)}
		h[rs.legacyNames[1]] = []string{strconv.Itoa(d.Remaining)}
		h[rs.legacyNames[2]] = []string{text[i:]}
	}
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
