package jwks_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// certificate holds ed(seed) between two times, both from now on.
func certificate(t *testing.T, seed byte, from, until time.Duration) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(until)}
	der, err := x509.CreateCertificate(nil, template, template, ed(seed).Public(), ed(seed))
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

const (
	day   = 24 * time.Hour
	never = 1000 * day
)

func TestCertificates(t *testing.T) {
	kidless := claims.Header{Algorithm: "EdDSA"}
	t.Run("a key is offered from NotBefore to NotAfter, however long ago the file was read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "k.pem")
			write(t, path, certificate(t, 1, -time.Hour, time.Hour)+pemOf(ed(2).Public())+certificate(t, 3, time.Minute, never))
			// The files are looked at once, so the dates count without it.
			files, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{path}, Interval: day, Logger: silent})
			if err != nil {
				t.Fatal(err)
			}
			before := offered(t, files, kidless, 2)
			time.Sleep(time.Minute - time.Nanosecond)
			offered(t, files, header("some"), 2)
			time.Sleep(time.Nanosecond)
			offered(t, files, kidless, 3)
			offered(t, files, header("some"), 3)
			time.Sleep(59 * time.Minute)
			offered(t, files, kidless, 3)
			time.Sleep(time.Nanosecond)
			if after := offered(t, files, kidless, 2); after[0] != before[1] {
				t.Error("the expired key is still offered")
			}
			if n := files.Stats().Reads; n != 1 {
				t.Errorf("%d reads", n)
			}
		})
	})
	t.Run("also if the files can't be read at that time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "k.pem")
			write(t, path, certificate(t, 1, 0, time.Hour)+pemOf(ed(2).Public()))
			files := openFiles(t, path)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			offered(t, files, kidless, 2)
			time.Sleep(time.Second)
			offered(t, files, kidless, 1)
		})
	})
	t.Run("an expired one alone is an outage, and ends with its successor", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "a.crt"), certificate(t, 1, 0, time.Hour))
			files := openFiles(t, dir)
			offered(t, files, kidless, 1)
			time.Sleep(time.Hour + time.Second)
			unavailable(t, files, kidless)
			unavailable(t, files, header("some"))
			if err := files.Ready(t.Context()); !errors.Is(err, jwks.ErrUnavailable) {
				t.Errorf("Ready: %v", err)
			}
			if s := files.Stats(); !s.Stale || s.Err == nil {
				t.Errorf("%+v", s)
			}
			if _, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{dir}, Logger: silent}); err == nil {
				t.Error("a process that starts now takes it")
			}
			write(t, filepath.Join(dir, "b.crt"), certificate(t, 2, 0, never))
			time.Sleep(10 * time.Second)
			offered(t, files, kidless, 1)
			if s := files.Stats(); s.Stale || s.Err != nil || s.Keys != 1 || s.Skipped != 1 {
				t.Errorf("%+v", s)
			}
			time.Sleep(30 * day)
			offered(t, files, kidless, 1)
			offered(t, openFiles(t, dir), kidless, 1)
		})
	})
	t.Run("one that is not valid yet is not taken in place of a good one before its time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "k.pem")
			write(t, path, certificate(t, 1, 0, never))
			files := openFiles(t, path)
			first := offered(t, files, kidless, 1)
			write(t, path, certificate(t, 2, time.Hour, never))
			if _, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{path}, Logger: silent}); err == nil {
				t.Error("a process that starts now takes it")
			}
			time.Sleep(time.Hour - time.Second)
			if now := offered(t, files, kidless, 1); now[0] != first[0] || files.Stats().Err == nil {
				t.Error("it was taken")
			}
			time.Sleep(10 * time.Second)
			if now := offered(t, files, kidless, 1); now[0] == first[0] || files.Stats().Err != nil {
				t.Error("it was not taken")
			}
		})
	})
	t.Run("the log tells of it once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			path := filepath.Join(t.TempDir(), "k.pem")
			write(t, path, pemOf(ed(2).Public())+certificate(t, 1, 0, time.Hour))
			files, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{path}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			for range 1000 {
				time.Sleep(10 * time.Second)
				if _, err := files.Keys(t.Context(), kidless); err != nil {
					t.Fatal(err)
				}
			}
			if s := log.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, path+": line 4: ") {
				t.Errorf("want one line that names the place, got %s", s)
			}
			if s := files.Stats(); s.Keys != 1 || s.Skipped != 1 || s.Err != nil {
				t.Errorf("%+v", s)
			}
		})
	})
	t.Run("KY-20 a certificate next to what is no key", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for _, bad := range []string{"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
				path := filepath.Join(t.TempDir(), "k.pem")
				write(t, path, certificate(t, 1, 0, never)+bad)
				if _, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{path}, Logger: silent}); err == nil {
					t.Errorf("%s: no error", bad)
				}
			}
		})
	})
}
