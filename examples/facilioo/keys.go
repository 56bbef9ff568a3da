package main

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"

	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// publicPEM serves the public halves of all keys in the form in which the
// system's documents print them.
func (s *server) publicPEM(w http.ResponseWriter, r *http.Request) {
	text, err := bundle(s.config.Keys.Keys(), s.config.GluedKeys)
	if s.failed(w, r, err) {
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(text) // an error means that the client has gone
}

// bundle writes public halves as PKCS #1 blocks, in the order in which they
// sign. The documents print them glued: END and BEGIN in one line, which some
// parsers can't read, and some clients expect.
func bundle(keys []*signing.Key, glued bool) ([]byte, error) {
	if len(keys) == 0 {
		return nil, errors.New("facilioo: there are no keys to publish")
	}
	var text []byte
	for _, key := range keys {
		public, ok := key.Public().(*rsa.PublicKey)
		if !ok {
			return nil, fmt.Errorf("facilioo: %v: this system's keys are RSA keys", key)
		}
		if glued {
			text = bytes.TrimSuffix(text, []byte("\n"))
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(public)})...)
	}
	return text, nil
}
