package issuer

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"time"
)

// jwksMaxAge is for how many seconds a fetched key set may be reused, and so
// about how long a key that was withdrawn still verifies elsewhere.
const jwksMaxAge = 300

// JWKS serves the public halves of Config.Keys as a JWK Set, RFC 7517 §5: those
// that sign, will sign within Config.Lead, or have signed tokens that are still
// valid. Private keys and secrets are never in it, nor are RefreshKeys. It
// answers GET and HEAD with Cache-Control and an ETag.
func (s *Issuer[T]) JWKS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		body, err := s.jwks(time.Now())
		if err != nil {
			s.failed(r, err)
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
func (s *Issuer[T]) jwks(now time.Time) ([]byte, error) {
	if s == nil || s.access == nil {
		return nil, errNoIssuer
	}
	p, err := s.access.at(now)
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

// publish returns the JWK of a public key (RFC 7518 §6, RFC 8037 §2), and its
// thumbprint: the digest of its required members in the order and form that
// RFC 7638 §3 demands.
func publish(alg string, public crypto.PublicKey) (jwk []byte, kid string) {
	required, rest := "", ""
	encode := base64.RawURLEncoding.EncodeToString
	switch key := public.(type) {
	case *rsa.PublicKey:
		required = fmt.Sprintf(`"e":"%s","kty":"RSA","n":"%s"`, encode(big.NewInt(int64(key.E)).Bytes()), encode(modulus(key)))
	case *ecdsa.PublicKey:
		if point, err := key.Bytes(); err == nil {
			x, y := point[1:1+len(point)/2], point[1+len(point)/2:]
			required = fmt.Sprintf(`"crv":"%s","kty":"EC","x":"%s","y":"%s"`, key.Curve.Params().Name, encode(x), encode(y))
		}
	case ed25519.PublicKey:
		required = fmt.Sprintf(`"crv":"Ed25519","kty":"OKP","x":"%s"`, encode(key))
	}
	digest := sha256.Sum256([]byte("{" + required + "}"))
	kid = encode(digest[:])
	rest = fmt.Sprintf(`,"use":"sig","alg":"%s","kid":"%s"`, alg, kid)
	return []byte("{" + required + rest + "}"), kid
}

func modulus(key *rsa.PublicKey) []byte {
	if key.N == nil {
		return nil
	}
	return key.N.Bytes()
}
