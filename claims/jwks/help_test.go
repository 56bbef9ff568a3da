package jwks_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

type object = map[string]any

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwkOf writes a public key as a JWK, with more members that may replace its own.
func jwkOf(public crypto.PublicKey, kid string, more object) object {
	o := object{}
	if kid != "" {
		o["kid"] = kid
	}
	switch k := public.(type) {
	case *rsa.PublicKey:
		o["kty"], o["n"], o["e"] = "RSA", b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		half := len(point) / 2
		o["kty"], o["crv"], o["x"], o["y"] = "EC", k.Params().Name, b64(point[1:1+half]), b64(point[1+half:])
	case ed25519.PublicKey:
		o["kty"], o["crv"], o["x"] = "OKP", "Ed25519", b64(k)
	}
	maps.Copy(o, more)
	return o
}

func setOf(keys ...any) string {
	text, err := json.Marshal(object{"keys": keys})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// ed returns the same key for the same seed.
func ed(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func edJWK(seed byte, kid string) object { return jwkOf(ed(seed).Public(), kid, nil) }

var rsaKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	return [2]*rsa.PrivateKey{newRSA(2048), newRSA(2048)}
})

func newRSA(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

func newEC(curve elliptic.Curve) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

// keyServer is an http.RoundTripper without sockets.
type keyServer struct {
	doc     atomic.Pointer[string]
	err     atomic.Pointer[error]
	header  http.Header
	latency time.Duration // half of it before the document is read

	mu     sync.Mutex
	starts []time.Time
}

func newKeyServer(doc string) *keyServer {
	s := new(keyServer)
	s.serve(doc)
	return s
}

func (s *keyServer) serve(doc string) { s.doc.Store(&doc); s.err.Store(nil) }
func (s *keyServer) fail(err error)   { s.err.Store(&err) }

func (s *keyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.starts = append(s.starts, time.Now())
	s.mu.Unlock()
	if err := pause(r.Context(), s.latency/2); err != nil {
		return nil, err
	}
	doc, fault := *s.doc.Load(), s.err.Load()
	if err := pause(r.Context(), s.latency/2); err != nil {
		return nil, err
	}
	if fault != nil {
		return nil, *fault
	}
	return &http.Response{StatusCode: 200, Header: s.header, Body: io.NopCloser(bytes.NewReader([]byte(doc))), Request: r}, nil
}

func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *keyServer) fetches() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.starts)
}

var (
	errDown = errors.New("test: key server is down")
	silent  = slog.New(slog.DiscardHandler)
)

// follow starts a Set that fetches from s.
func (s *keyServer) follow(t testing.TB, c jwks.Config) *jwks.Set {
	t.Helper()
	set, err := jwks.New(s.config(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	return set
}

func (s *keyServer) config(c jwks.Config) jwks.Config {
	if c.Issuer == "" {
		c.URL = "https://id.example/jwks"
	}
	c.Client = &http.Client{Transport: s}
	if c.Logger == nil {
		c.Logger = silent
	}
	return c
}

func header(kid string) claims.Header { return claims.Header{Algorithm: "EdDSA", KeyID: kid} }

// offered fails the test unless set offers exactly n keys for h.
func offered(t testing.TB, set claims.KeySet, h claims.Header, n int) []*claims.Key {
	t.Helper()
	keys, err := set.Keys(t.Context(), h)
	if err != nil || len(keys) != n {
		t.Fatalf("%+v: got %v, %v, want %d keys", h, keys, err, n)
	}
	return keys
}

func unavailable(t testing.TB, set claims.KeySet, h claims.Header) {
	t.Helper()
	if keys, err := set.Keys(t.Context(), h); keys != nil || !errors.Is(err, jwks.ErrUnavailable) || errors.Is(err, claims.ErrInvalid) {
		t.Fatalf("%+v: got %v, %v, want ErrUnavailable", h, keys, err)
	}
}
