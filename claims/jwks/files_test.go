package jwks_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

func pemOf(keys ...crypto.PublicKey) string {
	var b strings.Builder
	for _, k := range keys {
		der, err := x509.MarshalPKIXPublicKey(k)
		if err != nil {
			panic(err)
		}
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	return b.String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func openFiles(t *testing.T, paths ...string) *jwks.FileSet {
	t.Helper()
	set, err := jwks.NewFiles(jwks.FilesConfig{Paths: paths, Logger: silent})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestFiles(t *testing.T) {
	one, two := ed(1).Public(), newEC(elliptic.P256()).Public()
	t.Run("a directory", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "a.pem"), pemOf(one, two))
		write(t, filepath.Join(dir, "b.json"), setOf(edJWK(2, "k"), object{"kty": "oct", "kid": "o", "k": "AAAA"}))
		write(t, filepath.Join(dir, "c.JWKS"), setOf(edJWK(3, "l"), jwkOf(rsaKeys()[0].Public(), "m", nil)))
		write(t, filepath.Join(dir, ".d.pem"), "not read")
		write(t, filepath.Join(dir, "README.md"), "not read")
		write(t, filepath.Join(dir, "more.pem", "e.pem"), "not read")
		set := openFiles(t, dir)
		if got, want := names(t, set), []string{"RS256 m", "ES256", "EdDSA", "EdDSA k", "EdDSA l"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		// A PEM key has no kid, and fits every one.
		if keys := offered(t, set, header("k"), 2); keys[0].ID() != "k" {
			t.Errorf("got %v", keys)
		}
		offered(t, set, header("unknown"), 1)
		if s := set.Stats(); s.Keys != 5 || s.Skipped != 1 || s.Reads != 1 || s.Stale {
			t.Errorf("%+v", s)
		}
	})
	t.Run("PEMAlgorithm", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "public")
		write(t, path, pemOf(rsaKeys()[0].Public()))
		set, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{path}, PEMAlgorithm: "PS256"})
		if err != nil {
			t.Fatal(err)
		}
		if got := names(t, set); !slices.Equal(got, []string{"PS256"}) {
			t.Errorf("got %q", got)
		}
	})
	private, err := x509.MarshalPKCS8PrivateKey(ed(1))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"KY-20 private key":           string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		"KY-20 encrypted private key": string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: private})),
		"KY-20 10 MiB":                pemOf(one) + strings.Repeat("\n", 10<<20),
		"KY-20 cut off":               pemOf(one, two)[:150],
		"KY-16 RSA 1024":              pemOf(newRSA(1024).Public()),
		"empty":                       "",
		"too many keys":               strings.Repeat(pemOf(one), 101),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "k.pem")
			write(t, path, text)
			_, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{path}, Logger: silent})
			if err == nil || strings.Contains(err.Error(), b64(private)[10:30]) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		dir := t.TempDir()
		if _, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{filepath.Join(dir, "k.pem")}, Logger: silent}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
		if _, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{dir}, Logger: silent}); err == nil {
			t.Error("an empty directory is a set")
		}
	})
}

func TestFilesChange(t *testing.T) {
	const interval = 10 * time.Second
	t.Run("a key is added and removed, the others stay the same", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			bundle, set := filepath.Join(dir, "a.pem"), filepath.Join(dir, "b.json")
			write(t, bundle, pemOf(ed(1).Public()))
			write(t, set, setOf(edJWK(2, "two")))
			files := openFiles(t, dir)
			before := offered(t, files, header("two"), 2)
			write(t, bundle, pemOf(ed(3).Public(), ed(1).Public()))
			offered(t, files, header("two"), 2) // not looked at yet
			time.Sleep(interval)
			after := offered(t, files, header("two"), 3)
			if after[0] != before[0] || after[2] != before[1] {
				t.Errorf("%v became %v", before, after)
			}
			if err := os.Remove(set); err != nil {
				t.Fatal(err)
			}
			time.Sleep(interval)
			if last := offered(t, files, header("two"), 2); last[1] != before[1] {
				t.Errorf("%v became %v", before, last)
			}
		})
	})
	t.Run("symbolic links are swapped, as Kubernetes does", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			swap := func(version string) {
				link := filepath.Join(dir, "..tmp")
				if err := errors.Join(os.Symlink(version, link), os.Rename(link, filepath.Join(dir, "..data"))); err != nil {
					t.Fatal(err)
				}
			}
			write(t, filepath.Join(dir, "..1", "k.json"), setOf(edJWK(1, "one")))
			write(t, filepath.Join(dir, "..2", "k.json"), setOf(edJWK(2, "two")))
			swap("..1")
			if err := os.Symlink(filepath.Join("..data", "k.json"), filepath.Join(dir, "k.json")); err != nil {
				t.Fatal(err)
			}
			files := openFiles(t, dir)
			offered(t, files, header("one"), 1)
			swap("..2")
			time.Sleep(interval)
			offered(t, files, header("one"), 0)
			offered(t, files, header("two"), 1)
		})
	})
	t.Run("what is half written keeps the last good set, until MaxStale", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			path, other := filepath.Join(dir, "k.json"), filepath.Join(dir, "l.pem")
			write(t, path, setOf(edJWK(1, "one")))
			write(t, other, pemOf(newEC(elliptic.P256()).Public()))
			files := openFiles(t, dir)
			key := offered(t, files, header("one"), 1)
			next := setOf(edJWK(2, "two"))
			for _, n := range []int{0, 1, 20, len(next) - 1} {
				write(t, path, next[:n])
				write(t, other, pemOf(ed(7).Public())) // good, but all change together
				time.Sleep(interval)
				offered(t, files, header("one"), 1)
				offered(t, files, header("two"), 0)
			}
			if s := files.Stats(); s.Err == nil || s.Stale || s.Failures != 4 {
				t.Errorf("%+v", s)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			time.Sleep(23 * time.Hour)
			offered(t, files, header("one"), 1)
			time.Sleep(time.Hour)
			unavailable(t, files, header("one"))
			if err := files.Ready(t.Context()); !errors.Is(err, jwks.ErrUnavailable) {
				t.Errorf("Ready: %v", err)
			}
			write(t, path, setOf(edJWK(1, "one")))
			time.Sleep(interval)
			if again := offered(t, files, header("one"), 1); again[0] != key[0] {
				t.Error("the key came back as another object")
			}
		})
	})
	t.Run("after days without a question nobody is turned away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "k.json")
			write(t, path, setOf(edJWK(1, "one")))
			files := openFiles(t, path)
			time.Sleep(72 * time.Hour)
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() { offered(t, files, header("one"), 1) })
			}
			all.Wait()
			if s := files.Stats(); s.Reads != 2 {
				t.Errorf("%d reads, want 2", s.Reads)
			}
		})
	})
	t.Run("KY-23 files that change while they are read are not taken", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "k.json")
		write(t, path, setOf(edJWK(1, "one")))
		files := openFiles(t, path)
		write(t, path, setOf(edJWK(2, "two")))
		files.LookWhile(func() { write(t, path, setOf(edJWK(3, "three"))) }) // whole, but another
		offered(t, files, header("one"), 1)
		if s := files.Stats(); s.Err == nil || s.Failures != 1 {
			t.Errorf("%+v", s)
		}
		files.LookWhile(func() {
			if err := os.RemoveAll(path); err != nil {
				t.Error(err)
			}
		})
		offered(t, files, header("one"), 1)
		if s := files.Stats(); !errors.Is(s.Err, fs.ErrNotExist) || s.Failures != 2 {
			t.Errorf("%+v", s)
		}
		write(t, path, setOf(edJWK(2, "two")))
		files.LookWhile(func() {}) // they stand still
		offered(t, files, header("one"), 0)
		offered(t, files, header("two"), 1)
	})
	t.Run("KY-23 readers see one set or the other", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "k.json")
		sets := []string{setOf(edJWK(1, "a"), edJWK(2, "a2")), setOf(edJWK(3, "b"), edJWK(4, "b2"))}
		write(t, path, sets[0])
		files := openFiles(t, path)
		var written atomic.Bool
		var all sync.WaitGroup
		all.Go(func() {
			for !written.Load() {
				files.LookWhile(func() {}) // much more often than an Interval allows
				runtime.Gosched()
			}
		})
		for range 4 {
			all.Go(func() {
				for !written.Load() {
					keys, err := files.Keys(t.Context(), claims.Header{Algorithm: "EdDSA"})
					if err != nil || len(keys) != 2 || keys[0].ID()+"2" != keys[1].ID() {
						t.Errorf("got %v, %v", keys, err)
						return
					}
					runtime.Gosched()
				}
			})
		}
		for i := 1; i < 200; i++ {
			write(t, path, sets[i%2]) // in place: sometimes empty, sometimes half
		}
		written.Store(true)
		all.Wait()
	})
}
