package main

import (
	"crypto/ed25519"
	"encoding/hex"

	"golang.org/x/crypto/blake2b"
)

// proof is what a client presents at a login.
type proof struct {
	key       ed25519.PublicKey
	signature []byte
}

// readProof decodes a key and a signature, 64 and 128 hexadecimal digits.
func readProof(key, signature string) (p proof, ok bool) {
	var err1, err2 error
	p.key, err1 = hex.DecodeString(key)
	p.signature, err2 = hex.DecodeString(signature)
	return p, err1 == nil && err2 == nil && len(p.key) == ed25519.PublicKeySize && len(p.signature) == ed25519.SignatureSize
}

// of reports whether p proves that the holder of its key signed a text: the
// BLAKE2b-256 digest of it, or that with the lowest bit of the last byte set, as
// the Iroha libraries sign. A digest that has the bit anyway has one form.
func (p proof) of(text string) bool {
	digest := blake2b.Sum256([]byte(text))
	if ed25519.Verify(p.key, digest[:], p.signature) {
		return true
	}
	digest[len(digest)-1] |= 1
	return ed25519.Verify(p.key, digest[:], p.signature)
}
