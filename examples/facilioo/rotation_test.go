package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// next runs the command that rotates.
func next(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run(t.Context(), append([]string{"next"}, args...), &out, &errs); status != 0 {
		t.Fatalf("next %v: %d %s", args, status, &errs)
	}
	return strings.TrimSpace(strings.TrimPrefix(out.String(), "wrote "))
}

// TestRotation changes the key three times, with one command each time, while
// the server and one that verifies by files go on: no request fails.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, public := filepath.Join(t.TempDir(), "keys"), filepath.Join(t.TempDir(), "public.pem")
		next(t, "-keys", dir, "-public", public, "-in", "0s")
		keys, err := signing.LoadSchedule(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		config, _ := office(t)
		config.Keys, config.Lead, config.AccessLife, config.RefreshLife = keys, time.Minute, time.Minute, 2*time.Minute
		c := mounted(t, config)
		files, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{public}, PEMAlgorithm: "RS256"})
		if err != nil {
			t.Fatal(err)
		}
		handler, err := NewResource(ResourceConfig{Keys: files, Parties: []claims.Party{PropertyManagementCompany}})
		if err != nil {
			t.Fatal(err)
		}
		second := inProcess(t, handler)

		c.login("manager@example.com", "secret-of-manager")
		signed := map[string]bool{}
		for minute := range 15 {
			if minute%5 == 1 {
				next(t, "-keys", dir, "-public", public, "-in", "90s")
			}
			for range 6 { // tokens of this moment and those that expire in the next
				second.access = c.access
				c.expect(200, "GET", "/api/accounts", "")
				second.expect(200, "GET", "/api/buildings", "")
				time.Sleep(9 * time.Second)
			}
			if got := c.renew(); got.status != 200 {
				t.Fatalf("minute %d: refresh %d %s", minute, got.status, got.body)
			}
			signed[signer(t, keys, c.access)] = true
		}
		if len(signed) != 4 {
			t.Errorf("%d keys have signed", len(signed))
		}
		time.Sleep(5 * time.Minute)
		set := c.expect(200, "GET", "/api/auth/jwks.json", "")
		if n := strings.Count(set.body, `"kty":"RSA"`); n != 1 {
			t.Errorf("%d keys in the set, after the last token of the others has expired", n)
		}

		// A key that is taken away neither signs nor verifies, here and there.
		c.login("manager@example.com", "secret-of-manager")
		stolen := c.access
		all, err := filepath.Glob(filepath.Join(dir, "*.pem"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(all[len(all)-1]); err != nil {
			t.Fatal(err)
		}
		next(t, "-keys", dir, "-public", public, "-in", "0s")
		time.Sleep(11 * time.Second)
		second.access = stolen
		c.expect(401, "GET", "/api/accounts", "")
		second.expect(401, "GET", "/api/buildings", "")
		c.login("manager@example.com", "secret-of-manager")
		second.access = c.access
		c.expect(200, "GET", "/api/accounts", "")
		second.expect(200, "GET", "/api/buildings", "")
	})
}

// signer finds the key that signed a token, with nothing but what is published.
func signer(t *testing.T, keys *signing.Schedule, token string) string {
	t.Helper()
	for _, key := range keys.Keys() {
		one, err := claims.NewKey("RS256", "", key.Public())
		if err != nil {
			t.Fatal(err)
		}
		set, err := claims.NewKeySet(one)
		if err != nil {
			t.Fatal(err)
		}
		verify, err := claims.NewVerifier[struct{}](claims.Config{Issuer: issuerName, Audience: []string{audience}, Dialect: dialect("partyType"), Keys: set})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verify.Verify(context.Background(), token); err == nil {
			return key.ID()
		}
	}
	t.Fatal("no key of the schedule has signed the token")
	return ""
}

// TestPublishedKeys reads the public halves in every form, and lets in by each.
func TestPublishedKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	for _, in := range []string{"0s", "1h", "2h"} {
		next(t, "-keys", dir, "-in", in)
	}
	for _, glued := range []bool{false, true} {
		args := []string{"-user", manager, "-keys", dir, "-lead", "1s"}
		if glued {
			args = append(args, "-glued-keys")
		}
		c := &client{t: t, base: start(t, args...)}
		published := c.expect(200, "GET", "/api/auth/keys.pem", "")
		same(t, "type", published.header.Get("Content-Type")+"; "+published.header.Get("Cache-Control"), "application/x-pem-file; public, max-age=300")
		if got := strings.Contains(published.body, "-----END RSA PUBLIC KEY----------BEGIN RSA PUBLIC KEY-----\n"); got != glued {
			t.Errorf("glued is %v: %s", glued, published.body)
		}
		if block, rest := pem.Decode([]byte(published.body)); !glued && (block == nil || len(rest) == 0) {
			t.Error("package pem can't read it")
		}
		if keys, err := claims.ParsePEM([]byte(published.body), "RS256"); err != nil || len(keys) != 3 {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		if strings.Contains(published.body, "PRIVATE") {
			t.Fatal("a private key is published")
		}
		set := c.expect(200, "GET", "/api/auth/jwks.json", "")
		var in struct{ Keys []struct{ D *string } }
		if err := json.Unmarshal([]byte(set.body), &in); err != nil || len(in.Keys) != 1 || in.Keys[0].D != nil {
			t.Errorf("%v: %s", err, set.body) // those to come are not in it before -lead
		}
		c.login("manager@example.com", "secret-of-manager")
		for name, text := range map[string]string{"public.pem": published.body, "public.jwks": set.body} {
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			second := &client{t: t, base: start(t, "resource", "-keys", path), access: c.access}
			same(t, name, second.expect(200, "GET", "/api/whoami", "").body, `{"accountId":1,"companyId":7,"partyType":2}`+"\n")
			same(t, name, second.expect(200, "GET", "/api/buildings", "").body, `[{"id":107,"companyId":7}]`+"\n")
		}
	}
}

// TestResource is the second server beside the first: it goes by party type, and
// takes nothing but access tokens.
func TestResource(t *testing.T) {
	config, _ := office(t)
	c := mounted(t, config)
	path := filepath.Join(t.TempDir(), "public.pem")
	if err := os.WriteFile(path, []byte(c.do("GET", "/api/auth/keys.pem", "").body), 0o644); err != nil {
		t.Fatal(err)
	}
	second := &client{t: t, base: start(t, "resource", "-keys", path, "-party", "Contractor", "-party", "1")}
	for _, row := range []struct {
		email, password string
		buildings       int
	}{{"manager@example.com", "secret-of-manager", 403}, {"contractor@example.com", "secret-of-contractor", 200}, {"admin@example.com", "secret-of-admin", 200}} {
		c.login(row.email, row.password)
		second.access = c.access
		second.expect(200, "GET", "/api/whoami", "")
		second.expect(row.buildings, "GET", "/api/buildings", "")
	}
	second.access = c.refresh
	second.expect(401, "GET", "/api/whoami", "")
	second.access = ""
	second.expect(401, "GET", "/api/buildings", "")
	second.expect(404, "GET", "/api/accounts", "")
	if _, err := NewResource(ResourceConfig{}); err == nil || !strings.Contains(err.Error(), "Parties") || !strings.Contains(err.Error(), "Keys") {
		t.Errorf("the zero value: %v", err)
	}
}

// TestNext writes keys that nobody else can read, and no two of one time.
func TestNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "keys")
		path := next(t, "-keys", dir)
		if want := filepath.Join(dir, "20000103T000000Z.pem"); path != want {
			t.Errorf("%s, not %s", path, want)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if status := run(t.Context(), []string{"next", "-keys", dir}, io.Discard, io.Discard); status != 2 {
			t.Errorf("a second key of the same time: %d", status)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Error("the key was replaced")
		}
	})
}

// keyDirs makes directories of keys, and a Replacer that puts them into a
// command line.
func keyDirs(t *testing.T) *strings.Replacer {
	t.Helper()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	later := time.Now().UTC().Add(time.Hour).Format("20060102T150405Z") + ".pem"
	keys, open, notYet := keyDir(t, "20200101T000000Z.pem"), keyDir(t, "20200101T000000Z.pem"), keyDir(t, later)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"EMPTY", "FOREIGN"} {
		if err := os.MkdirAll(at(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	foreign := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(at("FOREIGN"), "20200101T000000Z.pem"), foreign, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(open, "20200101T000000Z.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("KEYS", keys, "EMPTY", at("EMPTY"), "FOREIGN", at("FOREIGN"), "LATER", notYet, "OPEN", open)
}
