package middleware

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"
)

const (
	// maxRealm bounds Config.Realm in bytes: it is in every refusal.
	maxRealm = 256
	// defaultRealm is Config.Realm if that is empty: a challenge must have a
	// parameter (RFC 6750 §3), and one without credentials has no other.
	defaultRealm = "api"
	// defaultRetryAfter is Config.RetryAfter if that is 0.
	defaultRetryAfter = 5 * time.Second
)

// Config is how a [Guard] reads requests and writes refusals. It is copied by
// [New]. The zero Config is right for most.
type Config struct {
	// Realm names the protected space in challenges (RFC 9110 §11.5), "api" if
	// empty. It is at most 256 bytes of printable ASCII; quotes are escaped.
	Realm string

	// Cookie is the name of a cookie that may carry the token of a request
	// that has no Authorization header. If empty, no cookie is read. A cookie
	// without a value counts as absent; two of that name that net/http can read are
	// refused with 400. Set it HttpOnly, Secure, SameSite, with a name that begins with
	// "__Host-".
	//
	// A browser sends cookies with requests that other sites made it send. The
	// cookie of such a request is not looked at, unless it is GET, HEAD or OPTIONS
	// and no WebSocket, as [http.CrossOriginProtection] finds out.
	Cookie string

	// CookieOrigins are further origins, such as "https://app.example", whose
	// pages may send any request with the cookie.
	CookieOrigins []string

	// Deny writes the refusals of this guard instead of the problem document.
	// The protocol's headers are set when it is called: WWW-Authenticate,
	// Retry-After, Cache-Control and X-Content-Type-Options. Status gives the
	// status that belongs to err. If Deny writes a body without a status, the
	// status is that one; if it writes nothing, the guard writes what it would
	// have written without Deny; further calls of WriteHeader do nothing.
	//
	// The text of err is for logs, never for clients.
	Deny func(w http.ResponseWriter, r *http.Request, err error)

	// Logger gets refusals: 503 and 500 at Error, but only one a second, all
	// others at Debug. If nil, it is [slog.Default] at the time of logging.
	Logger *slog.Logger

	// RetryAfter is the Retry-After of answers with status 503, rounded up to
	// whole seconds; 5 seconds if 0.
	RetryAfter time.Duration
}

// settled returns a copy of c, and every mistake in it.
func (c Config) settled() (Config, error) {
	var all []error
	if len(c.Realm) > maxRealm {
		all = append(all, fmt.Errorf("middleware: Config.Realm has %d bytes, more than %d", len(c.Realm), maxRealm))
	}
	for i := range len(c.Realm) {
		if c.Realm[i] < ' ' || c.Realm[i] > '~' {
			all = append(all, fmt.Errorf("middleware: Config.Realm has a byte that is not printable ASCII at %d", i))
			break
		}
	}
	if c.Cookie != "" {
		if err := (&http.Cookie{Name: c.Cookie}).Valid(); err != nil {
			all = append(all, fmt.Errorf("middleware: Config.Cookie %.64q is not a cookie name (RFC 6265 §4.1.1)", c.Cookie))
		}
	}
	if len(c.CookieOrigins) > 0 && c.Cookie == "" {
		all = append(all, errors.New("middleware: Config.CookieOrigins is set, and Cookie is not"))
	}
	for _, o := range c.CookieOrigins {
		if err := new(http.CrossOriginProtection).AddTrustedOrigin(o); err != nil {
			all = append(all, fmt.Errorf("middleware: Config.CookieOrigins: %.64q is not an origin: %w", o, err))
		}
	}
	if c.RetryAfter < 0 {
		all = append(all, fmt.Errorf("middleware: Config.RetryAfter is %v, less than 0", c.RetryAfter))
	}
	c.CookieOrigins = slices.Clone(c.CookieOrigins)
	return c, errors.Join(all...)
}

// origins judges whether requests with a cookie come from pages that may send them.
func (c Config) origins() *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	for _, o := range c.CookieOrigins {
		_ = p.AddTrustedOrigin(o) // settled has judged it
	}
	return p
}

func (c Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.Default()
	}
	return c.Logger
}
