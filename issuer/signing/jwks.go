package signing

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

const (
	// jwksMaxAge is for how many seconds a fetched key set may be reused, and so
	// about how long a key that was withdrawn still verifies elsewhere.
	jwksMaxAge = 300
	// retryAfter is for how many seconds clients are asked to wait when there is
	// no key to publish.
	retryAfter = 5
)

// JWKS serves the public halves of the keys that a window offers as a JWK Set,
// RFC 7517 §5. Private keys and secrets are never in it. It answers GET and HEAD
// with Cache-Control and an ETag, and answers 503 while the schedule has no keys. Pages
// of every origin may read it (CORS): public keys are public.
func (s *Schedule) JWKS(w Window) http.Handler {
	keys := s.keyring(w)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*") // also on errors, so that a page sees their status
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		body, err := keys.jwks(time.Now())
		if err != nil {
			if !errors.Is(err, errNoKeys) { // that was logged when it happened
				s.log().ErrorContext(r.Context(), "signing: the key set could not be published",
					slog.String("path", r.URL.Path), slog.Any("error", err))
			}
			w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		digest := sha256.Sum256(body)
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", jwksMaxAge))
		w.Header().Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(digest[:12])+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}

// jwks returns the key set as it is published now. A private key or a secret is
// not in it: keys have nothing but what is public to put there.
func (r *keyring) jwks(now time.Time) ([]byte, error) {
	p, err := r.at(now)
	if err != nil {
		return nil, err
	}
	var published [][]byte
	for _, k := range p.offered {
		if k.jwk != nil {
			published = append(published, k.jwk)
		}
	}
	return append(append([]byte(`{"keys":[`), bytes.Join(published, []byte(","))...), "]}\n"...), nil
}

// log returns where to log: LoadSchedule was told.
func (s *Schedule) log() *slog.Logger {
	if s == nil {
		return slog.Default()
	}
	return s.dir.log()
}
