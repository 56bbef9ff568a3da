package ratelimit

import (
	"net/http"
	"strconv"
	"time"
)

// The fields of draft-ietf-httpapi-ratelimit-headers-11 and RFC 9110 section
// 10.2.3, as header maps spell them, and the letters of their parameters, which
// the draft may still change.
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

// headers sets the limit headers of d, which are true for the moment, and, if d
// refuses, Retry-After, which says the same as the window does.
func (a *answer) headers(h http.Header, d *Decision) {
	h[fieldPolicy] = a.policyHeader // shared and full: an Add copies it
	var buf [128]byte
	b := appendName(buf[:0], d.Policy)
	b = append(b, paramRemaining...)
	b = strconv.AppendInt(b, int64(d.Remaining), 10)
	b = append(b, paramReset...)
	i := len(b)
	b = strconv.AppendInt(b, wholeSeconds(d.window()), 10)
	text := string(b)
	h[fieldState] = []string{text}
	if !d.Allowed {
		h[fieldRetry] = []string{text[i:]}
	}
	if a.legacy != "" {
		h[a.legacyNames[0]] = []string{strconv.Itoa(d.Limit.Burst)}
		h[a.legacyNames[1]] = []string{strconv.Itoa(d.Remaining)}
		h[a.legacyNames[2]] = []string{text[i:]}
	}
}

// window is the time for which Remaining is all there is: until the bucket is
// full, or, if there is not enough left for one more, until there is. So it
// never ends after Retry-After (the draft, section 6).
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
