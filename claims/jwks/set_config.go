package jwks

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config says where one issuer's JWK Set is and how it is followed. One of URL
// and Issuer is required.
type Config struct {
	// URL is where the set is. It is https, or http on this host (a loopback
	// address or "localhost").
	URL string
	// Issuer finds the set by OpenID Connect Discovery §4: URL/.well-known/openid-configuration
	// is read before each fetch, or if there is none, the place of RFC 8414 §3:
	// /.well-known/oauth-authorization-server before the URL's path. Its issuer must be this string exactly; its
	// jwks_uri must lie in the same origin or in one of Origins. It must also be
	// claims.Config.Issuer: a verifier refuses a Set that was discovered for
	// another issuer. With URL it can't tell, and the pairing is the caller's.
	Issuer string
	// Origins are further origins, such as "https://keys.example", where the
	// jwks_uri of Issuer may lie.
	Origins []string

	// Algorithms are those that keys may have, most usual first. A key without alg gets
	// each of them that fits it. Name RS256 and PS256 for an issuer that signs both with
	// one RSA key. If nil, a key without alg gets the first that fits it of RS256, ES256,
	// ES384, ES512, EdDSA, RS384, RS512, PS256, PS384, PS512. Ed25519 is another name of
	// EdDSA (RFC 9864). HMAC is not possible.
	Algorithms []string

	// Uses are further values of use by which keys are taken, besides sig and none:
	// "jwt-svid" for the bundles of SPIFFE, which write it for keys of tokens.
	Uses []string

	// Client fetches; [http.DefaultClient] if nil. It is copied. Its CheckRedirect is
	// not used: redirects stay within the origin, and are 3 at most.
	Client *http.Client
	// Refresh is how often the set is fetched, 15 minutes if 0, from 1 second to
	// 24 hours. Fetches begin up to a tenth earlier, so that many verifiers spread
	// out. A shorter max-age of the answer (RFC 9111 §5.2.2.1), but not less than
	// a minute, is honoured; a longer one is not, because a withdrawn key would
	// live on.
	Refresh time.Duration
	// MaxStale is how long the last good set is used while fetches fail, 30 days at
	// most. It counts from when that set was asked for. It must therefore be at least
	// what a refresh by a slow but healthy key server can take: MinInterval + Timeout +
	// the longer one of Refresh and Timeout. If 0, it is 24 hours, or that least value
	// if that is more.
	MaxStale time.Duration
	// MinInterval is the least time between the beginnings of two fetches,
	// whatever causes them, 1 second if 0, from 100 milliseconds to 30 seconds.
	MinInterval time.Duration
	// Timeout bounds one fetch, discovery included, 5 seconds if 0, from 100
	// milliseconds to 1 minute.
	Timeout time.Duration
	// MaxBytes bounds an answer, 1 MiB if 0, 16 MiB at most.
	MaxBytes int
	// MaxKeys bounds a set, 100 if 0, 1000 at most.
	MaxKeys int

	// OnDemand starts no goroutine: the set is fetched when Keys finds it due, and that
	// request waits for it. It is for short-lived processes.
	OnDemand bool
	// StartEmpty makes New return before the set was loaded. Keys waits for the
	// first fetch, as for an unknown kid. If that fails, it answers
	// [ErrUnavailable] until another one brings a set. Ready never waits.
	StartEmpty bool
	// InsecureHTTP allows http to other hosts. Every machine between here and there can
	// then exchange the keys (RFC 8725 §3.10).
	InsecureHTTP bool

	// Logger hears of fetches that fail and keys that are skipped, once at each change.
	// Nil is what [slog.Default] returns when a line is written.
	Logger *slog.Logger
}

// settled returns a copy of c with its defaults filled in, and every mistake in
// it.
func (c Config) settled() (Config, error) {
	m := mistakes{in: errConfig}
	if (c.URL == "") == (c.Issuer == "") {
		m.add("one of URL and Issuer is needed")
	}
	if c.URL != "" {
		if _, err := c.checkURL(c.URL); err != nil {
			m.add("URL: %w", err)
		}
	}
	if c.Issuer != "" {
		if u, err := c.checkURL(c.Issuer); err != nil {
			m.add("Issuer: %w", err)
		} else if u.RawQuery != "" || strings.Contains(c.Issuer, "#") {
			m.add("Issuer has a query or fragment")
		}
	} else if len(c.Origins) > 0 {
		m.add("Origins are for an Issuer")
	}
	c.Origins = slices.Clone(c.Origins)
	for i, o := range c.Origins {
		u, err := c.checkURL(o)
		if err != nil {
			m.add("Origins: %w", err)
		} else if c.Origins[i] = origin(u); c.Origins[i] != strings.ToLower(o) {
			m.add("Origins: %s is not just scheme, host and port", quoted(o))
		}
	}
	c.Algorithms = m.algorithms(c.Algorithms)
	c.Uses = slices.Clone(c.Uses)
	if slices.Contains(c.Uses, "") || slices.Contains(c.Uses, "enc") {
		m.add("Uses has an empty value or enc, which is for encryption")
	}
	m.within("Refresh", &c.Refresh, 15*time.Minute, time.Second, 24*time.Hour)
	m.within("MinInterval", &c.MinInterval, time.Second, 100*time.Millisecond, 30*time.Second)
	m.within("Timeout", &c.Timeout, 5*time.Second, 100*time.Millisecond, time.Minute)
	m.maxStale(&c.MaxStale, max(c.Refresh, c.Timeout)+c.MinInterval+c.Timeout, "Refresh, MinInterval and Timeout")
	m.count("MaxBytes", &c.MaxBytes, 1<<20, 16<<20)
	m.count("MaxKeys", &c.MaxKeys, 100, 1000)
	if c.Client == nil {
		c.Client = http.DefaultClient
	}
	return c, m.joined()
}

// checkURL returns the URL if keys may be fetched from there.
func (c Config) checkURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, fmt.Errorf("%s is not an absolute URL", quoted(s))
	case u.User != nil:
		return nil, fmt.Errorf("a user name or password in the URL of %s would end up in logs", quoted(u.Host))
	case u.Scheme == "https", u.Scheme == "http" && (c.InsecureHTTP || isLoopback(u.Hostname())):
		return u, nil
	}
	return nil, fmt.Errorf("%s is not https", quoted(s))
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// origin is RFC 6454 §4: scheme, host and port.
func origin(u *url.URL) string {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		return u.Scheme + "://" + host
	}
	return u.Scheme + "://" + host + ":" + port
}
