package jwks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const maxRedirects = 3

// fetcher reads the document that a Config points to.
type fetcher struct {
	config Config
	client http.Client
}

func newFetcher(c Config) *fetcher {
	f := &fetcher{config: c, client: *c.Client}
	// Each fetch finds the server anew: its name is looked up again, and no connection
	// is used twice. A connection that is kept alive leads to the machine that had the
	// keys last time. It may have moved, or died without a word, and a fetch every few
	// minutes gains nothing from keeping it.
	transport := f.client.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	if t, ok := transport.(*http.Transport); ok {
		t = t.Clone()
		t.DisableKeepAlives = true
		f.client.Transport = t
	}
	// A redirect to another origin would give the keys into other hands, however the
	// caller's client thinks of redirects.
	f.client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if origin(next.URL) != origin(via[0].URL) {
			return fmt.Errorf("%w: redirect to another origin, %s", errFetch, quoted(origin(next.URL)))
		}
		if len(via) > maxRedirects {
			return fmt.Errorf("%w: more than %d redirects", errFetch, maxRedirects)
		}
		return nil
	}
	return f
}

// document returns the JWK Set and how long its server says it is fresh, 0 if
// it does not say.
func (f *fetcher) document(ctx context.Context) (doc []byte, fresh time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.config.Timeout)
	defer cancel()
	where := f.config.URL
	// Discovery each time: an issuer may move its keys, and the old place may then be
	// somebody else's.
	if f.config.Issuer != "" {
		if where, err = f.discover(ctx); err != nil {
			return nil, 0, err
		}
	}
	doc, header, err := f.get(ctx, where)
	return doc, freshness(header), err
}

// discover returns the jwks_uri of the issuer. The configuration stands behind the
// issuer's path (OpenID Connect Discovery §4), or before it (RFC 8414 §3). The second
// place is asked only if the first says that it has none.
func (f *fetcher) discover(ctx context.Context) (string, error) {
	doc, _, err := f.get(ctx, strings.TrimSuffix(f.config.Issuer, "/")+"/.well-known/openid-configuration")
	if no := (*statusError)(nil); errors.As(err, &no) && no.isAbsence() {
		var second error
		if doc, _, second = f.get(ctx, metadataPlace(f.config.Issuer)); second != nil {
			err = fmt.Errorf("%w; and %w", err, second)
		} else {
			err = nil
		}
	}
	if err != nil {
		return "", err
	}
	configuration, err := object(doc, discoveryBounds)
	if err != nil {
		return "", err
	}
	// §4.3: identical, or the document is somebody else's.
	if issuer, err := configuration.text("issuer"); err != nil || issuer != f.config.Issuer {
		return "", fmt.Errorf("%w: the configuration of %s is for issuer %s", errFetch, quoted(f.config.Issuer), quoted(issuer))
	}
	where, err := configuration.text("jwks_uri")
	if err != nil || where == "" {
		return "", fmt.Errorf("%w: the configuration of %s has no jwks_uri", errFetch, quoted(f.config.Issuer))
	}
	return where, f.mayGo(where)
}

// metadataPlace is where RFC 8414 §3.1 has the configuration of an issuer: the
// well-known name is inserted before the path. The issuer was found to be a URL.
func metadataPlace(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return issuer
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	return u.Scheme + "://" + u.Host + "/.well-known/oauth-authorization-server" + path
}

// statusError is an answer that is not 200.
type statusError struct {
	where      string
	status     int
	retryAfter time.Duration // how long the server asks us to wait, 0 if it does not
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%v: %s answered %d", errFetch, quoted(e.where), e.status)
}

func (e *statusError) Unwrap() error { return errFetch }

// isAbsence reports whether the server says that there is nothing at this place.
// Anything else, such as 503, may change, and is no reason to look elsewhere.
func (e *statusError) isAbsence() bool {
	return e.status >= 400 && e.status < 500 && e.status != http.StatusTooManyRequests && e.status != http.StatusRequestTimeout
}

// mayGo reports why the keys must not be fetched from where, if they must not.
func (f *fetcher) mayGo(where string) error {
	to, err := f.config.checkURL(where)
	if err != nil {
		return fmt.Errorf("%w: jwks_uri: %w", errFetch, err)
	}
	from, err := f.config.checkURL(f.config.Issuer)
	if err != nil {
		return err
	}
	for _, allowed := range append([]string{origin(from)}, f.config.Origins...) {
		if origin(to) == allowed {
			return nil
		}
	}
	return fmt.Errorf("%w: jwks_uri %s is in another origin, and not in Config.Origins", errFetch, quoted(where))
}

func (f *fetcher) get(ctx context.Context, where string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errFetch, err)
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	req.Close = true // for a Transport that is not net/http's own
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errFetch, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, &statusError{where, resp.StatusCode, retryAfter(resp)}
	}
	// One byte more than allowed, to tell a document that fits from one that was cut.
	doc, err := io.ReadAll(io.LimitReader(resp.Body, int64(f.config.MaxBytes)+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errFetch, err)
	}
	if len(doc) > f.config.MaxBytes {
		return nil, nil, fmt.Errorf("%w: %s answered more than %d bytes", errFetch, quoted(where), f.config.MaxBytes)
	}
	return doc, resp.Header, nil
}

// retryAfter is how long an answer of 429 or 503 asks us to wait (RFC 9110 §10.2.3), in
// either of its two forms. 0 means that it does not say.
func retryAfter(resp *http.Response) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	text := resp.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// freshness is max-age less Age (RFC 9111 §4.2), at least a nanosecond if there
// is a max-age.
func freshness(h http.Header) time.Duration {
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
		if !strings.EqualFold(name, "max-age") || err != nil {
			continue
		}
		age, err := strconv.ParseUint(h.Get("Age"), 10, 31)
		if err != nil {
			age = 0
		}
		return max(1, time.Duration(seconds)*time.Second-time.Duration(age)*time.Second)
	}
	return 0
}
