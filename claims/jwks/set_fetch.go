package jwks

import (
	"context"
	"fmt"
	"io"
	"net/http"
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

// discover returns the jwks_uri of the issuer, OpenID Connect Discovery §4.
func (f *fetcher) discover(ctx context.Context) (string, error) {
	doc, _, err := f.get(ctx, strings.TrimSuffix(f.config.Issuer, "/")+"/.well-known/openid-configuration")
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
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errFetch, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%w: %s answered %d", errFetch, quoted(where), resp.StatusCode)
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
