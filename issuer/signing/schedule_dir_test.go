package signing_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// writeKey writes a private key as LoadSchedule reads it.
func writeKey(t testing.TB, dir, name string, private crypto.PrivateKey) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, name), block, 0o600); err != nil {
		t.Fatal(err)
	}
}

// keyDir returns an empty directory for keys, whatever the umask is.
func keyDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// open is as long as the keys of these tests are offered, before and after they
// sign.
var open = signing.Window{Lead: 24 * time.Hour, Hold: 24 * time.Hour}

func fromDir(t *testing.T, dir string) *signing.Schedule {
	t.Helper()
	schedule, err := signing.LoadSchedule(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return schedule
}

func TestLoadScheduleFollowsItsDirectory(t *testing.T) {
	dir := keyDir(t)
	synctest.Test(t, func(t *testing.T) {
		first := time.Now().UTC()
		writeKey(t, dir, first.Format("20060102T150405Z")+".pem", newEd25519(t))
		keys := fromDir(t, dir)
		verify := verifier(t, keys.KeySet(open))
		opens := func(token string) bool { _, err := verify.Verify(t.Context(), token); return err == nil }

		before := mustMint(t, keys)
		if !opens(before) {
			t.Fatal("the only key's token does not open")
		}
		next := first.Add(time.Minute).Format("20060102T150405Z") + ".pem"
		writeKey(t, dir, next, newEd25519(t))
		time.Sleep(time.Minute)
		after := mustMint(t, keys)
		if keyID(t, before) == keyID(t, after) {
			t.Error("the next key does not sign, a minute after it should")
		}
		if !opens(before) || !opens(after) {
			t.Error("after the rotation a token of either key should open")
		}
		// What is wrong later changes nothing.
		if err := os.WriteFile(filepath.Join(dir, "notes.pem"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if keyID(t, mustMint(t, keys)) != keyID(t, after) || !opens(before) {
			t.Error("a bad file changed the keys")
		}
		// A withdrawn key stops within the interval, though its token is remembered.
		if err := errors.Join(os.Remove(filepath.Join(dir, "notes.pem")), os.Remove(filepath.Join(dir, next))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if keyID(t, mustMint(t, keys)) != keyID(t, before) {
			t.Error("the key before does not sign again")
		}
		if opens(after) {
			t.Error("a withdrawn key still verifies")
		}
	})
}

// TestLastKeyWithdrawn removes the only key's file. What it signed is not
// refused as a bad token, which would log everybody out, but can't be verified.
func TestLastKeyWithdrawn(t *testing.T) {
	dir := keyDir(t)
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(dir, "19990101T000000Z.pem")
		writeKey(t, dir, filepath.Base(path), newEd25519(t))
		var log strings.Builder
		keys, err := signing.LoadSchedule(dir, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		verify := verifier(t, keys.KeySet(open))
		token := mustMint(t, keys)
		if _, err := verify.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		jwks := func() int {
			w := httptest.NewRecorder()
			keys.JWKS(open).ServeHTTP(w, httptest.NewRequest("GET", "/jwks.json", nil))
			return w.Code
		}
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			time.Sleep(10 * time.Second)
			if c, err := verify.Verify(t.Context(), token); err == nil || errors.Is(err, claims.ErrInvalid) || c != nil {
				t.Errorf("verified: %v, %v", c, err)
			}
			if _, err := mint(t, keys); err == nil {
				t.Error("a key that was withdrawn signs")
			}
			if left := keys.Keys(); left == nil || len(left) > 0 {
				t.Errorf("keys: %v", left)
			}
			if code := jwks(); code != 503 {
				t.Errorf("key set: %d", code)
			}
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("logged %d times: %s", n, log.String())
		}
		if err := errors.Join(os.Rename(path+".away", path), keys.Reload()); err != nil {
			t.Fatal(err)
		}
		if _, err := verify.Verify(t.Context(), token); err != nil {
			t.Error(err)
		}
		if code := jwks(); code != 200 {
			t.Errorf("key set: %d", code)
		}
	})
}

func TestLoadScheduleKeepsKeys(t *testing.T) {
	dir := keyDir(t)
	writeKey(t, dir, "20260101T000000Z.pem", newEd25519(t))
	schedule := fromDir(t, dir)
	offered := func() *claims.Key {
		keys, err := schedule.KeySet(open).Keys(t.Context(), claims.Header{Algorithm: "EdDSA"})
		if err != nil || len(keys) != 1 {
			t.Fatalf("%v, %v", keys, err)
		}
		return keys[0]
	}
	before := offered()
	if err := schedule.Reload(); err != nil {
		t.Fatal(err)
	}
	if offered() != before {
		t.Error("a key that did not change became another, which makes verifiers forget its tokens")
	}
	if err := schedule.Replace(); err == nil {
		t.Error("Replace succeeded on a schedule that has a directory")
	}
}

// TestAlgorithmsOfADirectory puts a key of another algorithm beside the first, as an
// operator of facilioo did. What start refuses, a later look refuses too.
func TestAlgorithmsOfADirectory(t *testing.T) {
	rsaKey, err1 := rsa.GenerateKey(rand.Reader, 2048)
	other, err2 := rsa.GenerateKey(rand.Reader, 2048)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		allowed []string
		suffix  string
		key     crypto.PrivateKey
		taken   bool
	}{
		{nil, "", newEd25519(t), true},
		{[]string{"RS256"}, "", newEd25519(t), false},
		{[]string{"RS256"}, ".PS256", other, false},
		{[]string{"RS256", "PS256"}, ".PS256", other, true},
		{[]string{"RS256", "EdDSA"}, "", newEd25519(t), true},
		{[]string{"RS256", "Ed25519"}, "", newEd25519(t), true},
		{[]string{"RS256", "ed25519"}, "", newEd25519(t), false},
		{[]string{"RS256", ""}, "", newEd25519(t), false},
	} {
		t.Run(fmt.Sprintf("%q%s %T", row.allowed, row.suffix, row.key), func(t *testing.T) {
			dir := keyDir(t)
			synctest.Test(t, func(t *testing.T) {
				first := time.Now().UTC()
				writeKey(t, dir, first.Format("20060102T150405Z")+".pem", rsaKey)
				var log bytes.Buffer
				load := func() (*signing.Schedule, error) {
					return signing.LoadSchedule(dir, slog.New(slog.NewTextHandler(&log, nil)), row.allowed...)
				}
				keys, err := load()
				if err != nil {
					t.Fatal(err)
				}
				before := keys.Keys()
				// By its time, this key signs as soon as it is read.
				writeKey(t, dir, first.Add(time.Second).Format("20060102T150405Z")+row.suffix+".pem", row.key)
				time.Sleep(time.Minute)
				mustMint(t, keys)
				time.Sleep(time.Minute)
				mustMint(t, keys) // looks again: logged once
				after := keys.Keys()
				if taken := len(after) == 2; taken != row.taken || !taken && !slices.Equal(after, before) {
					t.Errorf("%v, then %v", before, after)
				}
				lines := 1
				if row.taken {
					lines = 0
				}
				if n := strings.Count(log.String(), "keys stay as they were"); n != lines {
					t.Errorf("logged %d times, want %d", n, lines)
				}
				if err := keys.Reload(); (err == nil) != row.taken {
					t.Errorf("Reload: %v", err)
				}
				if _, err := load(); (err == nil) != row.taken {
					t.Errorf("start: %v", err)
				}
			})
		})
	}
}

func TestLoadScheduleReadsEveryType(t *testing.T) {
	rsaKey, err1 := rsa.GenerateKey(rand.Reader, 2048)
	ecKey, err2 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for name, private := range map[string]crypto.PrivateKey{
		"20260101T000000Z.pem":       rsaKey,
		"20260101T000001Z.PS512.pem": rsaKey,
		"20260101T000002Z.pem":       ecKey,
		"20260101T000003Z.EdDSA.pem": newEd25519(t),
	} {
		dir := keyDir(t)
		writeKey(t, dir, name, private)
		if _, err := mint(t, fromDir(t, dir)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoadScheduleRefuses(t *testing.T) {
	good := newEd25519(t)
	for _, row := range []struct {
		name    string
		arrange func(t *testing.T, dir string)
		says    string
	}{
		{"an empty directory", func(*testing.T, string) {}, "at least one key"},
		{"no time in the name", func(t *testing.T, dir string) { writeKey(t, dir, "key.pem", good) }, "key.pem"},
		{"another algorithm's key", func(t *testing.T, dir string) { writeKey(t, dir, "20260101T000000Z.RS256.pem", good) }, "RS256"},
		{"a small RSA key", func(t *testing.T, dir string) {
			small, err := rsa.GenerateKey(rand.Reader, 1024)
			if err != nil {
				t.Skip("this Go makes no small keys: set GODEBUG=rsa1024min=0")
			}
			writeKey(t, dir, "20260101T000000Z.pem", small)
		}, "1024 bits"},
		{"half written", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "20260101T000000Z.pem"), []byte("-----BEGIN PRIVATE KEY-----\nMC4"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "no PEM block"},
		{"two keys of one time", func(t *testing.T, dir string) {
			writeKey(t, dir, "20260101T000000Z.pem", good)
			writeKey(t, dir, "20260101T000000Z.EdDSA.pem", newEd25519(t))
		}, "both sign from"},
		{"a directory for a file", func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, "20260101T000000Z.pem"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "regular"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := keyDir(t)
			row.arrange(t, dir)
			// The text is the point here: it must name what is to be mended.
			if _, err := signing.LoadSchedule(dir, nil); err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("error %v does not say %q", err, row.says)
			}
		})
	}
	if _, err := signing.LoadSchedule(filepath.Join(t.TempDir(), "missing"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
}

// FuzzKeyFile feeds a key directory anything: it is refused, or signs.
func FuzzKeyFile(f *testing.F) {
	der, err := x509.MarshalPKCS8PrivateKey(newEd25519(f))
	if err != nil {
		f.Fatal(err)
	}
	good := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	f.Add("20260101T000000Z", good)
	f.Add("20260101T000000Z.EdDSA", good)
	f.Add("20260101T000000Z", append(good, good...))
	f.Add("x", []byte("-----BEGIN PRIVATE KEY-----"))
	dir := keyDir(f)
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		if strings.ContainsAny(name, "/\x00") || len(name) > 100 {
			return
		}
		path := filepath.Join(dir, name+".pem")
		if os.WriteFile(path, content, 0o600) != nil {
			return
		}
		defer os.Remove(path)
		schedule, err := signing.LoadSchedule(dir, slog.New(slog.DiscardHandler))
		if (err == nil) == (schedule == nil) {
			t.Errorf("schedule %v and error %v", schedule, err)
		}
	})
}
