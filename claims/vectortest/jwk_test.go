package vectortest_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"math/big"
	"slices"
)

// jwk is as much of RFC 7517 as the vectors need.
type jwk struct {
	Kty, Kid, Alg, Use, Crv string
	K, N, E, X, Y           string
	KeyOps                  []string `json:"key_ops"`
	Keys                    []jwk
}

// material returns the public key or secret.
func (k jwk) material() (any, error) {
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

// algorithm returns the key's alg, or the usual one of its type.
func (k jwk) algorithm(otherwise string) string {
	if k.Alg != "" {
		return k.Alg
	}
	return otherwise
}

func unb64(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}
