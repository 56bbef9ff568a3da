package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func runNext(_ context.Context, args []string) error {
	f := flags("next")
	dir := f.String("keys", "keys", "directory of private keys")
	alg := f.String("alg", "EdDSA", "EdDSA, ES256, or RS256")
	in := f.Duration("in", 24*time.Hour, "when it begins to sign: not before all verifiers have fetched it")
	if err := f.Parse(args); err != nil {
		return err
	}
	path, err := writeKey(*dir, *alg, time.Now().Add(*in))
	if err != nil {
		return err
	}
	fmt.Println("wrote", path)
	return nil
}

// writeKey writes a new private key, as signing.LoadSchedule reads it: readable
// by nobody else, and under its name only when it is whole.
func writeKey(dir, alg string, from time.Time) (path string, err error) {
	private, err := newPrivate(alg)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	name := fmt.Sprintf("%s.%s.pem", from.UTC().Format("20060102T150405Z"), alg)
	path = filepath.Join(dir, name)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("%s exists already", path)
	}
	draft, err := os.CreateTemp(dir, ".key-*") // with mode 0600
	if err != nil {
		return "", err
	}
	defer os.Remove(draft.Name())
	err = errors.Join(
		pem.Encode(draft, &pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		draft.Sync(), draft.Close(),
	)
	if err != nil {
		return "", err
	}
	return path, os.Rename(draft.Name(), path)
}

func newPrivate(alg string) (crypto.Signer, error) {
	switch alg {
	case "EdDSA":
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "RS256":
		return rsa.GenerateKey(rand.Reader, 3072)
	}
	return nil, fmt.Errorf("-alg is %q, not EdDSA, ES256 or RS256", alg)
}
