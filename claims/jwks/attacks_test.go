package jwks_test

import "testing"

// Attacks on keys that have their test, or their reason, elsewhere.
var elsewhere = map[string]string{
	"KY-19": "A document brings no HMAC secrets (KY-12 here); secrets in code are judged by claims.NewKey and tested there.",
	"KY-24": "A fixed set has no retire times: who withdraws a key of its own writes the file anew (TestFilesChange), or uses the issuer's schedule.",
	"KY-30": "Nothing here signs; the issuer checks its own keys when it starts.",
	"KY-31": "Out of scope, as the package documentation says: ROCA moduli are not detected.",
}

func TestAttacksElsewhere(t *testing.T) {
	for id, reason := range elsewhere {
		if reason == "" {
			t.Errorf("%s has no reason", id)
		}
	}
}
