package issuer

import (
	"fmt"
	"log/slog"
	"time"
)

// Pair is what a client gets. Printed or logged it shows its session and no token.
// Written as JSON it shows its tokens; so it does when it is printed as a field that
// is not exported, on which fmt calls no method.
type Pair struct {
	AccessToken  string
	RefreshToken string
	// ExpiresIn is how long the access token is valid.
	ExpiresIn time.Duration
	// Scope is what the access token may be used for, as RFC 6749 §3.3 writes it.
	Scope string
	// Session is the id of the session, for [Issuer.RevokeSession].
	Session string
}

// Format prints the session alone, whatever the verb.
func (p Pair) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "tokens of session %q", p.Session) }

// LogValue logs the session alone.
func (p Pair) LogValue() slog.Value {
	return slog.GroupValue(slog.String("session", p.Session), slog.Duration("expires_in", p.ExpiresIn))
}
