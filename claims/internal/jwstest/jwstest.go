// Package jwstest reads the keys that public test vectors bring, and checks
// tokens of any payload as a verifier of claims would. It is for tests alone.
package jwstest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
)

// JWK is as much of RFC 7517 as the vectors need. Unlike package jwks it takes
// secrets, and points that are on no curve: what is wrong with a key is for the
// code under test to find.
type JWK struct {
	Kty, Kid, Alg, Use, Crv string
	K, N, E, X, Y           string
	KeyOps                  []string `json:"key_ops"`
	Keys                    []JWK
}

// Material returns the public key or secret.
func (k JWK) Material() (any, error) {
	switch {
	case k.Use != "" && k.Use != "sig":
		return nil, errors.New("use is not sig")
	case k.KeyOps != nil && !slices.Contains(k.KeyOps, "verify"):
		return nil, errors.New("key_ops has no verify")
	}
	switch k.Kty {
	case "oct":
		return unb64(k.K), nil
	case "RSA":
		e := new(big.Int).SetBytes(unb64(k.E))
		return &rsa.PublicKey{N: new(big.Int).SetBytes(unb64(k.N)), E: int(e.Int64())}, nil
	case "EC":
		curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[k.Crv]
		if curve == nil {
			return nil, errors.New("unknown curve")
		}
		//lint:ignore SA1019 vectors bring points that are not on the curve
		return &ecdsa.PublicKey{Curve: curve, X: new(big.Int).SetBytes(unb64(k.X)), Y: new(big.Int).SetBytes(unb64(k.Y))}, nil
	case "OKP":
		return ed25519.PublicKey(unb64(k.X)), nil
	}
	return nil, errors.New("unknown kty")
}

// Verify checks token under one key, with the parts and in the order of a
// verifier of claims. The key's own alg decides, and if it has none the header's.
func Verify(token string, k JWK) error {
	material, err := k.Material()
	if err != nil {
		return err
	}
	alg := k.Alg
	if alg == "" {
		alg = headerAlg(token)
	}
	key, err := jws.NewKey(alg, k.Kid, material, false)
	if err != nil {
		return err
	}
	head, payload, signature, err := jws.Split(token, 16<<10)
	if err != nil {
		return err
	}
	h, err := jws.ReadHeader(head)
	if err != nil {
		return err
	}
	sig, err := jws.Decode(signature, nil)
	if err != nil {
		return err
	}
	if _, err := jws.Decode(payload, nil); err != nil {
		return err
	}
	if !key.Fits(h.Algorithm, h.KeyID) || !key.Verifies(token[:len(head)+1+len(payload)], sig) {
		return errors.New("the signature is not this key's")
	}
	return nil
}

// headerAlg is what a header says, read leniently: the code under test must not
// need help.
func headerAlg(token string) string {
	head, _, _ := strings.Cut(token, ".")
	var h struct{ Alg string }
	_ = json.Unmarshal(unb64(head), &h)
	return h.Alg
}

func unb64(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}
