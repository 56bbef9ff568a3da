package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-go/gatehouse/claims"
)

// A world is what all contenders have in common: keys and tokens, in files of a
// directory, so that every process has the same.
type world struct {
	dir   string
	short bool

	items  int                  // how many items the memory that grows from now on is for
	before uint64               // the heap then
	others func() time.Duration // CPU time that a server used for us; may be nil
}

const (
	issuerName = "https://id.example/"
	audience   = "api"
	subject    = "alice"
)

// app is the application's own part of a token.
type app struct {
	Company int    `json:"company"`
	Filler  string `json:"filler,omitempty"`
}

func newWorld(dir string, short bool) *world {
	return &world{dir: dir, short: short}
}

// file returns what a file of the world contains, which is made first if it is
// not there.
func (w *world) file(name string, content func() ([]byte, error)) ([]byte, error) {
	path := filepath.Join(w.dir, name)
	b, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if b, err = content(); err != nil {
		return nil, err
	}
	return b, os.WriteFile(path, b, 0o600)
}

// A pair is a private key and what verifies with it, both as golang-jwt and
// most peers take them.
type pair struct {
	alg             string
	private, public any
}

// pair returns the n-th key of an algorithm.
func (w *world) pair(alg string, n int) (pair, error) {
	b, err := w.file(alg+"."+strconv.Itoa(n)+".key", func() ([]byte, error) { return newKey(alg) })
	if err != nil {
		return pair{}, err
	}
	if alg == "HS256" {
		return pair{alg, b, b}, nil
	}
	private, err := x509.ParsePKCS8PrivateKey(b)
	if err != nil {
		return pair{}, err
	}
	return pair{alg, private, private.(crypto.Signer).Public()}, nil
}

func newKey(alg string) ([]byte, error) {
	var private any
	var err error
	switch alg {
	case "RS256":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case "HS256":
		secret := make([]byte, 32)
		_, err = rand.Read(secret)
		return secret, err
	default:
		return nil, fmt.Errorf("no key for %q", alg)
	}
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(private)
}

// sign makes one token: what a small system would write.
func (p pair) sign(kid string, id int, more jwt.MapClaims) (string, error) {
	said := jwt.MapClaims{
		"iss": issuerName, "sub": subject, "aud": audience, "jti": "0b9a4ac2-" + strconv.Itoa(id),
		"iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(12 * time.Hour).Unix(),
		"party": "Admin", "company": 7,
	}
	for name, value := range more {
		said[name] = value
	}
	t := jwt.NewWithClaims(jwt.GetSigningMethod(p.alg), said)
	t.Header["typ"] = "at+jwt"
	if kid != "" {
		t.Header["kid"] = kid
	}
	return t.SignedString(p.private)
}

// tokens returns n different tokens of the first key of an algorithm.
func (w *world) tokens(alg string, n int) ([]string, error) {
	p, err := w.pair(alg, 0)
	if err != nil {
		return nil, err
	}
	b, err := w.file(fmt.Sprintf("%s.%d.tokens", alg, n), func() ([]byte, error) {
		all := make([]string, n)
		err := parallel(n, func(i int) (err error) {
			all[i], err = p.sign("k", i, nil)
			return err
		})
		return []byte(strings.Join(all, "\n")), err
	})
	return strings.Split(string(bytes.TrimSpace(b)), "\n"), err
}

// parallel does n things on all processors.
func parallel(n int, do func(i int) error) error {
	workers := runtime.GOMAXPROCS(0)
	failed := make([]error, workers)
	var all sync.WaitGroup
	for k := range workers {
		all.Go(func() {
			for i := k; i < n && failed[k] == nil; i += workers {
				failed[k] = do(i)
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// verifier returns a gatehouse verifier for the first key of an algorithm.
func (w *world) verifier(alg string, remember int) (*claims.Verifier[app], error) {
	p, err := w.pair(alg, 0)
	if err != nil {
		return nil, err
	}
	key, err := claims.NewKey(alg, "k", p.public)
	if err != nil {
		return nil, err
	}
	keys, err := claims.NewKeySet(key)
	if err != nil {
		return nil, err
	}
	return verifierOf(keys, remember)
}

func verifierOf(keys claims.KeySet, remember int) (*claims.Verifier[app], error) {
	return claims.NewVerifier[app](claims.Config{Issuer: issuerName, Audience: []string{audience}, Keys: keys, Remember: remember})
}

// measure does it n times, after a little that is not measured, since the
// caches were others' meanwhile.
func (w *world) measure(do op, n int) (usage, error) {
	if err := do(n/8 + 1); err != nil {
		return usage{}, err
	}
	var foreign time.Duration
	if w.others != nil {
		foreign = w.others()
	}
	before, begin := used(), time.Now()
	err := do(n)
	wall, spent := time.Since(begin), cpu()-before.CPU
	u := used().minus(before)
	u.CPU, u.Wall = spent, wall
	if w.others != nil {
		u.CPU += w.others() - foreign
	}
	return u, err
}

// weigh says that what is kept from now on is kept for so many items.
func (w *world) weigh(items int) { w.items, w.before = items, heap() }

// kept is how many bytes are kept for each item.
func (w *world) kept() float64 {
	if w.items == 0 {
		return 0
	}
	return (float64(heap()) - float64(w.before)) / float64(w.items)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
