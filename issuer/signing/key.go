package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-go/gatehouse/claims"
)

// Key is one key that signs, from a time on. It never changes and may be shared.
// No fmt verb and no logger prints its material. The zero Key signs nothing, and no
// schedule takes it.
type Key struct {
	from   time.Time
	public *claims.Key      // the half that verifies
	half   crypto.PublicKey // the same as the caller knows it; nil for a secret
	jwk    []byte           // what is published; nil for a secret
	// sign is a closure, and it alone holds the material: fmt looks into every
	// field, exported or not, but never into a func.
	sign   func(input string) ([]byte, error)
	signed headers
}

// NewKey returns a key that signs with signer from a time on; the zero time says
// that it always has. The algorithm is one of those of [claims.NewKey] but HS256,
// HS384 and HS512, and signer's public key must fit it. The id is the RFC 7638
// thumbprint of the public key.
//
// Any crypto.Signer will do, also one that asks a key management service. What
// such a signer returns is verified before it is used. If it panics, that is an
// error.
//
// The key signs once to prove itself. It is an error if signer fails, or if its
// signature does not verify under signer.Public().
func NewKey(alg string, signer crypto.Signer, from time.Time) (*Key, error) {
	public, err := publicOf(signer)
	if err != nil {
		return nil, fmt.Errorf("signing: %s key: %w", alg, err)
	}
	_, kid := publish(alg, public)
	verifies, err := claims.NewKey(alg, kid, public)
	if err != nil {
		return nil, fmt.Errorf("signing: key does not fit: %w", err)
	}
	alg = verifies.Algorithm() // the name by which verifiers know it
	jwk, _ := publish(alg, public)
	sign, err := signature(alg, signer, public)
	if err != nil {
		return nil, fmt.Errorf("signing: %s key %s: %w", alg, kid, err)
	}
	k := &Key{from: from, public: verifies, half: public, jwk: jwk, sign: sign}
	if err := k.prove(public); err != nil {
		return nil, err
	}
	return k, nil
}

// NewSecret returns an HMAC key (HS256, HS384 or HS512) that signs from a time
// on; the zero time says that it always has. The secret must be at least as
// long as the hash, RFC 7518 §3.2, and is never published. kid is its id in
// headers; if it is "", headers have none.
//
// A program that can verify with a secret can also sign with it. Use it for
// refresh tokens, or where issuer and resource server are one program.
func NewSecret(alg, kid string, secret []byte, from time.Time) (*Key, error) {
	method, ok := jwt.GetSigningMethod(alg).(*jwt.SigningMethodHMAC)
	if !ok {
		return nil, fmt.Errorf("signing: algorithm %q takes no secret: use HS256, HS384 or HS512, or NewKey", alg)
	}
	verifies, err := claims.NewKey(alg, kid, secret)
	if err != nil {
		return nil, fmt.Errorf("signing: secret does not fit: %w", err)
	}
	return &Key{from: from, public: verifies, sign: authentication(method.Hash, secret)}, nil
}

// ID returns the kid, "" if the key has none.
func (k *Key) ID() string {
	if k.public == nil {
		return ""
	}
	return k.public.ID()
}

// Algorithm returns the one algorithm that the key signs with.
func (k *Key) Algorithm() string {
	if k.public == nil {
		return ""
	}
	return k.public.Algorithm()
}

// From returns when the key begins to sign.
func (k *Key) From() time.Time { return k.from }

// Public returns the half that may be published, for other forms than JWKS: an
// *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey, which must not be
// changed. It is nil for a secret.
func (k *Key) Public() crypto.PublicKey { return k.half }

// String names the key without its material.
func (k *Key) String() string { return fmt.Sprintf("signing %s key %q", k.Algorithm(), k.ID()) }

// GoString is String, so that %#v prints no secret either.
func (k *Key) GoString() string { return k.String() }

// prove signs once and verifies the signature.
func (k *Key) prove(public crypto.PublicKey) error {
	const input = "gatehouse.proves"
	sig, err := k.sign(input)
	if err == nil {
		err = jwt.GetSigningMethod(k.Algorithm()).Verify(input, sig, public)
	}
	if err != nil {
		return fmt.Errorf("signing: %v does not sign: %w", k, err)
	}
	return nil
}

// publicOf returns signer's public key in the one form that its type has.
func publicOf(signer crypto.Signer) (public crypto.PublicKey, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the signer's Public panics")
		}
	}()
	if signer == nil {
		return nil, errors.New("signer is missing")
	}
	// For these types publish knows a JWK. A key of any other would be published as
	// an empty one.
	switch public := signer.Public().(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		return public, nil
	default:
		return nil, fmt.Errorf("the signer's Public() is a %T, not *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey", public)
	}
}
