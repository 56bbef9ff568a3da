package middleware

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
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
	//
	// Caches keep answers to cookies (RFC 9111 §3.5 protects only Authorization). With
	// Cookie, Handler and Optional therefore add "Vary: Cookie" before the next handler
	// runs. For a known caller they also set "Cache-Control: private", unless an outer
	// handler has set one. The next handler may set others. Check adds neither.
	Cookie string

	// CookieOrigins are further origins, such as "https://app.example", whose
	// pages may send any request with the cookie.
	CookieOrigins []string

	// Deny writes the refusals of this guard instead of the problem document.
	// The protocol's headers are set when it is called: WWW-Authenticate,
	// Retry-After, Cache-Control and X-Content-Type-Options. Status gives the
	// status that belongs to err. If Deny writes a body without a status, the
	// status is that one; if it writes nothing, the guard writes what it would
	// have written without Deny; further calls of WriteHeader do nothing. Content-Length,
	// ETag and Last-Modified that an outer handler set are gone: they are of another
	// answer.
	//
	// The text of err is the same for all errors of a class, and tells a client nothing.
	// The reason is behind errors.Unwrap, for logs.
	Deny func(w http.ResponseWriter, r *http.Request, err error)

	// Logger gets refusals, each with method, path and reason: 503 and 500 at Error, but
	// only one a second of each, all others at RefusalLevel. If nil, it is
	// [slog.Default] at the time of logging.
	Logger *slog.Logger

	// RefusalLevel is the level of what clients cause, Debug if nil. With a
	// [slog.LevelVar] an operator can raise it for a while, to see why tokens are
	// refused, while the program runs. Strangers can then fill the log.
	RefusalLevel slog.Leveler

	// InsecureUnproven also admits callers whose token is bound to a key (the member cnf:
	// RFC 9449 §6, RFC 8705 §3). Guards check no proof that a caller has the key. Unless
	// something outside of them does, a stolen token then opens what it should not.
	InsecureUnproven bool

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
		} else if !isOrigin(o) {
			all = append(all, fmt.Errorf("middleware: Config.CookieOrigins: %.64q is not as browsers write an origin, so it would never match: https, a host in lower case, and a port if it is not 443", o))
		}
	}
	if c.RetryAfter < 0 {
		all = append(all, fmt.Errorf("middleware: Config.RetryAfter is %v, less than 0", c.RetryAfter))
	}
	c.CookieOrigins = slices.Clone(c.CookieOrigins)
	return c, errors.Join(all...)
}

// isOrigin reports whether o is as a browser may write it (RFC 6454 §6.2): in lower
// case, in ASCII, without the scheme's own port, without wildcards.
func isOrigin(o string) bool {
	scheme, host, _ := strings.Cut(o, "://")
	own := map[string]string{"http": ":80", "https": ":443"}[scheme]
	return host != "" && own != "" && !strings.HasSuffix(host, own) &&
		strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") == ""
}

// origins judges whether requests with a cookie come from pages that may send them.
func (c Config) origins() *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	for _, o := range c.CookieOrigins {
		_ = p.AddTrustedOrigin(o) // settled has judged it
	}
	return p
}

func (c Config) refusalLevel() slog.Level {
	if isNil(c.RefusalLevel) {
		return slog.LevelDebug
	}
	return c.RefusalLevel.Level()
}

func (c Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.Default()
	}
	return c.Logger
}
