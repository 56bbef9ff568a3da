package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// Key is one key that checks signatures, bound to one algorithm and, if it has
// one, to an id. The zero Key verifies nothing.
type Key struct {
	ID        string
	Algorithm string
	Method    jwt.SigningMethod
	// Material returns *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey or
	// []byte. It is a closure so that no fmt verb can print the key: fmt skips
	// String methods of unexported fields, but never looks inside a func.
	Material func() any
}

// Fits reports whether a token with this header may have been signed by k. A
// key without id fits every kid, a header without kid every key of its
// algorithm.
func (k *Key) Fits(alg, kid string) bool {
	return k.Algorithm == alg && (k.ID == "" || kid == "" || k.ID == kid)
}

// Verifies reports whether signature is k's over signed.
func (k *Key) Verifies(signed string, signature []byte) bool {
	return k.Method != nil && k.Method.Verify(signed, signature, k.Material()) == nil
}

// NewKey binds material to an algorithm and a kid. What fits is said by
// claims.NewKey and, with insecureSize, by claims.NewKeyOfInsecureSize.
func NewKey(alg, kid string, material any, insecureSize bool) (Key, error) {
	name := Canonical(alg)
	a, ok := algorithms[name]
	if !ok {
		return Key{}, fmt.Errorf("algorithm %s is not supported", strict.Quoted(alg))
	}
	if len(kid) > MaxKeyID {
		return Key{}, fmt.Errorf("kid is longer than %d bytes", MaxKeyID)
	}
	material, err := a.fit(material, insecureSize)
	if err != nil {
		return Key{}, fmt.Errorf("%s key %s: %w", alg, strict.Quoted(kid), err)
	}
	return Key{ID: kid, Algorithm: name, Method: a.method, Material: func() any { return material }}, nil
}

// Supported reports whether keys can be bound to an algorithm, under either of
// its names.
func Supported(alg string) bool {
	_, ok := algorithms[Canonical(alg)]
	return ok
}

// Canonical returns the one name under which this module compares an algorithm.
// RFC 9864 §2.2 gave EdDSA with the curve Ed25519 the name Ed25519, and deprecated
// the older one. Both name the same signatures under the same keys: Ed25519 is the
// only curve that has ever been supported here. So a key of either name verifies
// tokens of both, and no key set has to know that there are two.
func Canonical(alg string) string {
	if alg == "Ed25519" {
		return "EdDSA"
	}
	return alg
}

// algorithm ties a signature method to the keys that fit it.
type algorithm struct {
	method jwt.SigningMethod
	// fit returns the material as the method wants it, or why it doesn't fit.
	fit func(material any, insecureSize bool) (any, error)
}

var algorithms = map[string]algorithm{
	"HS256": {jwt.SigningMethodHS256, secretOf(32)},
	"HS384": {jwt.SigningMethodHS384, secretOf(48)},
	"HS512": {jwt.SigningMethodHS512, secretOf(64)},
	"RS256": {jwt.SigningMethodRS256, fitRSA},
	"RS384": {jwt.SigningMethodRS384, fitRSA},
	"RS512": {jwt.SigningMethodRS512, fitRSA},
	"PS256": {strictPSS(jwt.SigningMethodPS256), fitRSA},
	"PS384": {strictPSS(jwt.SigningMethodPS384), fitRSA},
	"PS512": {strictPSS(jwt.SigningMethodPS512), fitRSA},
	"ES256": {jwt.SigningMethodES256, pointOn("P-256")},
	"ES384": {jwt.SigningMethodES384, pointOn("P-384")},
	"ES512": {jwt.SigningMethodES512, pointOn("P-521")},
	"EdDSA": {jwt.SigningMethodEdDSA, fitEd25519},
}

// strictPSS is m with a salt exactly as long as the hash, as RFC 7518 §3.5
// demands; the original accepts salts of any length.
func strictPSS(m *jwt.SigningMethodRSAPSS) *jwt.SigningMethodRSAPSS {
	exact := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	return &jwt.SigningMethodRSAPSS{SigningMethodRSA: m.SigningMethodRSA, Options: exact, VerifyOptions: exact}
}

func secretOf(size int) func(any, bool) (any, error) {
	return func(material any, insecureSize bool) (any, error) {
		secret, ok := material.([]byte)
		switch {
		case !ok:
			return nil, wrongType("[]byte", material)
		case len(secret) == 0:
			return nil, fmt.Errorf("the secret is empty")
		case len(secret) < size && !insecureSize:
			return nil, fmt.Errorf("the secret has %d bytes, the hash %d (RFC 7518 §3.2)", len(secret), size)
		}
		return append([]byte(nil), secret...), nil
	}
}

func fitRSA(material any, insecureSize bool) (any, error) {
	key, ok := material.(*rsa.PublicKey)
	if !ok || key == nil || key.N == nil {
		return nil, wrongType("*rsa.PublicKey", material)
	}
	least := 2048
	if insecureSize {
		least = 1024
	}
	switch bits := key.N.BitLen(); {
	case bits < least || bits > 16384:
		return nil, fmt.Errorf("the modulus has %d bits, at least %d are needed (RFC 7518 §3.3) and 16384 at most", bits, least)
	case key.E < 3 || key.E&1 == 0 || key.E > math.MaxInt32:
		return nil, fmt.Errorf("the exponent %d is not an odd number from 3 to 2^31-1", key.E)
	case key.N.Sign() < 0 || key.N.Bit(0) == 0:
		return nil, fmt.Errorf("the modulus is negative or even")
	}
	// A key object of our own, so that what crypto/rsa precomputes for it is
	// computed once and nobody else can change it.
	return &rsa.PublicKey{N: new(big.Int).Set(key.N), E: key.E}, nil
}

func pointOn(curve string) func(any, bool) (any, error) {
	return func(material any, _ bool) (any, error) {
		key, ok := material.(*ecdsa.PublicKey)
		if !ok || key == nil || *key == (ecdsa.PublicKey{Curve: key.Curve}) || key.Curve == nil {
			return nil, wrongType("*ecdsa.PublicKey of a curve and a point", material)
		}
		if name := key.Curve.Params().Name; name != curve {
			return nil, fmt.Errorf("the key is on %s, not on %s (RFC 7518 §3.4)", name, curve)
		}
		point, err := key.Bytes() // fails unless the point is on the curve
		if err != nil {
			return nil, fmt.Errorf("the point is not on %s", curve)
		}
		return ecdsa.ParseUncompressedPublicKey(key.Curve, point)
	}
}

func fitEd25519(material any, _ bool) (any, error) {
	key, ok := material.(ed25519.PublicKey)
	if !ok {
		return nil, wrongType("ed25519.PublicKey", material)
	}
	if len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("the key has %d bytes, not %d", len(key), ed25519.PublicKeySize)
	}
	if smallOrder(key) {
		return nil, fmt.Errorf("the key is a point of small order, under which anybody can sign")
	}
	return append(ed25519.PublicKey(nil), key...), nil
}

// smallOrder reports whether key encodes a point whose order divides 8, in any
// spelling: RFC 8032 lets them verify, and one signature can then hold for many
// messages. The y of such a point is 0, 1, -1 or one of two numbers more.
func smallOrder(key ed25519.PublicKey) bool {
	y := append([]byte(nil), key...)
	y[31] &= 0x7f // without the sign of x
	return slices.Contains(smallOrderY, hex.EncodeToString(y))
}

var smallOrderY = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p-1
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p, which is 0
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p+1, which is 1
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
}

func wrongType(want string, material any) error {
	if _, private := material.(crypto.Signer); private {
		return fmt.Errorf("a private key (%T) was given where a public one belongs: pass its Public()", material)
	}
	return fmt.Errorf("got %T, want %s", material, want)
}
