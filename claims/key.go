package claims

import (
	"fmt"
	"strings"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
)

// Key is one key that may verify signatures: public key or shared secret,
// bound to one algorithm and, if it has one, an id. It never changes and may
// be shared. The zero Key verifies nothing.
type Key struct {
	jws    jws.Key
	issuer string // whose tokens it verifies, "" if the KeySet says it
}

// NewKey binds a key to an algorithm of RFC 7518 §3.1, to EdDSA (RFC 8037) or to
// Ed25519 (RFC 9864, the newer name of the same algorithm), and to the kid that
// names it in headers, "" if nothing does.
//
//   - RS256, RS384, RS512, PS256, PS384, PS512: *rsa.PublicKey of 2048 to 16384 bits
//   - ES256, ES384, ES512: *ecdsa.PublicKey on P-256, P-384, P-521 respectively
//   - EdDSA, Ed25519: ed25519.PublicKey; either verifies tokens of both names
//   - HS256, HS384, HS512: []byte, at least as long as the hash (RFC 7518 §3.2)
//
// The algorithm "none" does not exist here. The material is copied where it could
// change.
func NewKey(alg, kid string, material any) (*Key, error) {
	return newKey(alg, kid, material, false)
}

// NewKeyOfInsecureSize is [NewKey] for systems that are stuck with a short
// secret or an RSA key of 1024 bits or more. Such keys can be found by trying.
// An empty secret is refused here too.
func NewKeyOfInsecureSize(alg, kid string, material any) (*Key, error) {
	return newKey(alg, kid, material, true)
}

// ID returns the kid, "" if the key has none.
func (k *Key) ID() string { return k.jws.ID }

// Algorithm returns the one algorithm that the key verifies: EdDSA also for a key
// that was made as Ed25519.
func (k *Key) Algorithm() string { return k.jws.Algorithm }

// BoundTo returns a copy of the key that verifies tokens of one issuer only,
// whatever key set offers it. {tenantid} in the name stands for any part without a
// slash. The keys of Microsoft Entra name their issuer in this way, in a member
// "issuer" of each JWK.
func (k *Key) BoundTo(issuer string) *Key {
	bound := *k
	bound.issuer = issuer
	return &bound
}

// vouchesFor reports whether k may verify tokens of issuer.
func (k *Key) vouchesFor(issuer string) bool {
	if k.issuer == "" || k.issuer == issuer {
		return true
	}
	before, after, template := strings.Cut(k.issuer, "{tenantid}")
	if !template || len(issuer) <= len(before)+len(after) || !strings.HasPrefix(issuer, before) || !strings.HasSuffix(issuer, after) {
		return false
	}
	return !strings.Contains(issuer[len(before):len(issuer)-len(after)], "/")
}

// String names the key without its material.
func (k *Key) String() string { return fmt.Sprintf("%s key %s", k.jws.Algorithm, quoted(k.jws.ID)) }

// GoString is String, so that %#v prints no secret either.
func (k *Key) GoString() string { return k.String() }

// fits reports whether a token of issuer with this header may have been signed by k.
func (k *Key) fits(h Header, issuer string) bool {
	return k != nil && k.jws.Fits(h.Algorithm, h.KeyID) && k.vouchesFor(issuer)
}

// verifies reports whether signature is k's over signed.
func (k *Key) verifies(signed string, signature []byte) bool {
	return k != nil && k.jws.Verifies(signed, signature)
}

// offered reports whether k is among the keys that a verifier would try for a
// header. A header without kid may fit many keys; those beyond maxTries are not
// tried, and so not offered.
func offered(keys []*Key, h Header, issuer string, k *Key) bool {
	fitting := 0
	for _, other := range keys {
		if !other.fits(h, issuer) {
			continue
		}
		if fitting++; other == k || fitting >= maxTries {
			return other == k
		}
	}
	return false
}

func newKey(alg, kid string, material any, insecureSize bool) (*Key, error) {
	k, err := jws.NewKey(alg, kid, material, insecureSize)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKeyMaterial, err)
	}
	return &Key{jws: k}, nil
}
