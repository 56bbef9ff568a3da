package jwks

import (
	"fmt"
	"time"
)

// validity is when a certificate lends its key, both ends included (RFC 5280
// §4.1.2.5).
type validity struct {
	where       string // of the certificate, for the log
	from, until time.Time
}

// holds reports whether the key can be used. A nil validity always holds: it is
// that of a key without a certificate.
func (v *validity) holds(now time.Time) bool {
	return v == nil || !now.Before(v.from) && !now.After(v.until)
}

// note says why the key can't be used.
func (v *validity) note(now time.Time) note {
	reason := fmt.Errorf("%w: the certificate expired at %s", errKey, v.until.UTC().Format(time.RFC3339))
	if now.Before(v.from) {
		reason = fmt.Errorf("%w: the certificate is not valid before %s", errKey, v.from.UTC().Format(time.RFC3339))
	}
	return note{v.where, reason, true}
}
