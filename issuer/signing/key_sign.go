package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"slices"
	"sync"

	"github.com/golang-jwt/jwt/v5"
)

// signature returns the function that signs with signer: through golang-jwt for
// the standard library's own keys, through Signer.Sign for all others. Each of its
// signatures is a JWS signature (RFC 7518 §3), not yet encoded.
func signature(alg string, signer crypto.Signer, public crypto.PublicKey) (func(string) ([]byte, error), error) {
	method := jwt.GetSigningMethod(alg)
	if method == nil {
		return nil, fmt.Errorf("algorithm %q is not supported", alg)
	}
	switch key := signer.(type) {
	case ed25519.PrivateKey:
		if len(key) != ed25519.PrivateKeySize {
			return nil, fmt.Errorf("the private key has %d bytes, not %d", len(key), ed25519.PrivateKeySize)
		}
		// The caller may clear its slice. In an interface once, it is not put into
		// a new one for each signature.
		material := any(slices.Clone(key))
		return func(input string) ([]byte, error) { return method.Sign(input, material) }, nil
	case *rsa.PrivateKey:
		if err := key.Validate(); err != nil {
			return nil, err
		}
		return func(input string) ([]byte, error) { return method.Sign(input, key) }, nil
	case *ecdsa.PrivateKey:
		return func(input string) ([]byte, error) { return method.Sign(input, key) }, nil
	}
	convert, err := conversion(method)
	if err != nil {
		return nil, err
	}
	return func(input string) ([]byte, error) {
		sig, err := convert(signer, input)
		if err != nil {
			return nil, err
		}
		// A service may have rotated its key behind our back, or err. A token that
		// nobody can verify would log its owner out, so it is not handed out.
		if err := method.Verify(input, sig, public); err != nil {
			return nil, fmt.Errorf("what the signer signed does not verify: %w", err)
		}
		return sig, nil
	}, nil
}

// authentication returns the function that signs with a secret, RFC 7518 §3.2.
// It is not golang-jwt's, which hashes the secret again for each signature: more
// than half of the cost of one.
func authentication(h crypto.Hash, secret []byte) func(string) ([]byte, error) {
	secret = slices.Clone(secret)
	// A hash is not safe for concurrent use, so each signature borrows one. Reset
	// brings back the state after the secret was hashed.
	keyed := sync.Pool{New: func() any { return hmac.New(h.New, secret) }}
	return func(input string) ([]byte, error) {
		mac := keyed.Get().(hash.Hash)
		defer keyed.Put(mac)
		mac.Reset()
		mac.Write([]byte(input)) // never fails
		return mac.Sum(nil), nil
	}
}

// converter makes a JWS signature with a crypto.Signer.
type converter func(signer crypto.Signer, input string) ([]byte, error)

// conversion returns how signatures of a method are made: RFC 7518 §3.3 to §3.5,
// RFC 8037 §3.1.
func conversion(method jwt.SigningMethod) (converter, error) {
	switch m := method.(type) {
	case *jwt.SigningMethodRSA:
		return digesting(m.Hash, m.Hash), nil
	case *jwt.SigningMethodRSAPSS:
		return digesting(m.Hash, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: m.Hash}), nil
	case *jwt.SigningMethodECDSA:
		// crypto.Signer returns ASN.1, a token has R and S side by side (RFC 7518
		// §3.4).
		der := digesting(m.Hash, m.Hash)
		return func(signer crypto.Signer, input string) ([]byte, error) {
			sig, err := der(signer, input)
			if err != nil {
				return nil, err
			}
			return concatenated(sig, m.KeySize)
		}, nil
	case *jwt.SigningMethodEd25519:
		return func(signer crypto.Signer, input string) ([]byte, error) {
			return guarded(signer, []byte(input), crypto.Hash(0)) // Ed25519 hashes by itself
		}, nil
	}
	return nil, fmt.Errorf("algorithm %q is not supported", method.Alg())
}

func digesting(hash crypto.Hash, opts crypto.SignerOpts) converter {
	return func(signer crypto.Signer, input string) ([]byte, error) {
		h := hash.New()
		h.Write([]byte(input))
		return guarded(signer, h.Sum(nil), opts)
	}
}

// guarded is signer.Sign, with a panic as an error.
func guarded(signer crypto.Signer, message []byte, opts crypto.SignerOpts) (sig []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			sig, err = nil, errors.New("the signer panicked")
		}
	}()
	return signer.Sign(rand.Reader, message, opts)
}

// concatenated turns an ASN.1 ECDSA signature into R||S of size bytes each.
func concatenated(der []byte, size int) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &sig)
	if err != nil || len(rest) > 0 {
		return nil, errors.New("the signer's ECDSA signature is not ASN.1")
	}
	for _, n := range []*big.Int{sig.R, sig.S} {
		if n.Sign() <= 0 || n.BitLen() > 8*size { // FillBytes would panic
			return nil, errors.New("the signer's ECDSA signature is out of range")
		}
	}
	out := make([]byte, 2*size)
	sig.R.FillBytes(out[:size])
	sig.S.FillBytes(out[size:])
	return out, nil
}
