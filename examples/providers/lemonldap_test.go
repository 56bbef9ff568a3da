package providers_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/examples/providers"
)

const lemonldapPackages = "liblemonldap-ng-portal-perl libplack-perl libstring-random-perl libmime-tools-perl " +
	"libemail-sender-perl libconvert-pem-perl"

// startLemonLDAP starts a portal of LemonLDAP::NG with a configuration of its own,
// and returns its issuer and a function that rotates its key by its own script.
func startLemonLDAP(t *testing.T) (issuer string, rotate func()) {
	t.Helper()
	const share = "/usr/share/lemonldap-ng"
	portal := share + "/portal/htdocs/index.psgi"
	_, missing := os.Stat(portal)
	plackup, err := exec.LookPath("plackup")
	if missing != nil || err != nil {
		const advice = "LemonLDAP::NG is missing: apt-get install --no-install-recommends " + lemonldapPackages
		if os.Getenv("GATEHOUSE_REQUIRE_SERVERS") != "" {
			t.Fatal(advice)
		}
		t.Skip(advice)
	}

	dir := t.TempDir()
	folder := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	store := func(name string) map[string]any {
		return map[string]any{"Directory": folder(name), "LockDirectory": folder(name + "/lock"),
			"generateModule": "Lemonldap::NG::Common::Apache::Session::Generate::SHA256"}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	issuer = fmt.Sprintf("http://127.0.0.1:%d/", port) // it ends with a slash, as "portal" does

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	party := map[string]any{
		"oidcRPMetaDataOptionsClientSecret": "secret", "oidcRPMetaDataOptionsRedirectUris": "http://127.0.0.1/callback",
		"oidcRPMetaDataOptionsAccessTokenJWT": 1, "oidcRPMetaDataOptionsAccessTokenSignAlg": "RS256",
		"oidcRPMetaDataOptionsIDTokenSignAlg": "RS256", "oidcRPMetaDataOptionsBypassConsent": 1,
		"oidcRPMetaDataOptionsRefreshToken": 1,
	}
	one, two := maps.Clone(party), maps.Clone(party)
	one["oidcRPMetaDataOptionsClientID"], two["oidcRPMetaDataOptionsClientID"] = "one", "two"
	conf, err := json.Marshal(map[string]any{
		"cfgNum": 1, "cfgAuthor": "test", "cfgDate": "1", "cfgVersion": "2.16.1", "key": rand.Text(),
		"portal": issuer, "domain": "127.0.0.1", "cookieName": "lemonldap", "securedCookie": 0, "timeout": 3600,
		"authentication": "Demo", "userDB": "Same", "passwordDB": "Null", "registerDB": "Null",
		"captcha":               "::Auth::Null", // the usual one wants ImageMagick, and is asked nothing here
		"portalDisplayRegister": 0, "portalDisplayResetPassword": 0,
		"locationRules": map[string]any{"127.0.0.1": map[string]any{"default": "deny"}},
		"whatToTrace":   "_whatToTrace", "macros": map[string]any{"_whatToTrace": "$_user"},
		"demoExportedVars": map[string]any{"cn": "cn", "mail": "mail", "uid": "uid"},
		"globalStorage":    "Apache::Session::File", "globalStorageOptions": store("sessions"),
		"persistentStorage": "Apache::Session::File", "persistentStorageOptions": store("psessions"),
		"localSessionStorage": "Cache::FileCache", "localSessionStorageOptions": map[string]any{
			"namespace": "sessions", "default_expires_in": 600, "cache_root": folder("cache"), "cache_depth": 3},
		"issuerDBOpenIDConnectActivation": 1, "oidcServiceAllowAuthorizationCodeFlow": 1,
		"oidcServiceKeyIdSig":        "first",
		"oidcServicePrivateKeySig":   string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
		"oidcServicePublicKeySig":    string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		"oidcRPMetaDataOptions":      map[string]any{"one": one, "two": two},
		"oidcRPMetaDataExportedVars": map[string]any{"one": map[string]any{"email": "mail"}, "two": map[string]any{"email": "mail"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ini := filepath.Join(dir, "lemonldap-ng.ini")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(folder("conf"), "lmConf-1.json"), string(conf))
	write(ini, strings.Join([]string{"[all]", "logLevel=warn", "logger=Lemonldap::NG::Common::Logger::Std", "checkTime=1",
		"[configuration]", "type=File", "dirName=" + folder("conf"),
		"[portal]", "staticPrefix=/static", "templateDir=" + share + "/portal/templates", "languages=en", ""}, "\n"))

	environment := append(os.Environ(), "LLNG_DEFAULTCONFFILE="+ini)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(plackup, "-E", "deployment", "-o", "127.0.0.1", "-p", fmt.Sprint(port), portal)
	c.Env, c.Stdout, c.Stderr = environment, log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		log.Close()
		if said, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("LemonLDAP::NG said: %s", said)
		}
	})
	poll(t, "LemonLDAP::NG doesn't start", func() bool {
		resp, err := http.Get(issuer + ".well-known/openid-configuration")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return issuer, func() {
		t.Helper()
		c := exec.Command(share + "/bin/rotateOidcKeys")
		c.Env = environment
		if said, err := c.CombinedOutput(); err != nil {
			t.Fatalf("rotateOidcKeys: %v: %s", err, said)
		}
	}
}

// poll waits for what happens in another process.
func poll(t *testing.T, otherwise string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(otherwise)
		}
	}
}

func TestLemonLDAP(t *testing.T) {
	t.Parallel()
	issuer, rotate := startLemonLDAP(t)
	c := func(id string) *client {
		return &client{issuer: issuer, id: id, secret: "secret", redirect: "http://127.0.0.1/callback", scope: "openid email",
			fill: map[string]string{"user": "dwho", "password": "dwho"}}
	}
	one := c("one")
	got := one.login(t)
	s := newServer(t, quick(providers.LemonLDAP(issuer, "one")))
	s.must(t, "access token", got.Access, 200)
	s.must(t, "ID token", got.ID, 401)
	s.must(t, "refresh token", got.Refresh, 401)
	again := one.refresh(t, got.Refresh)
	s.must(t, "access token after a refresh", again.Access, 200)
	s.must(t, "ID token after a refresh", again.ID, 401)
	s.must(t, "another client's access token", c("two").login(t).Access, 401)

	// Its script exchanges the key; the portal looks once a second.
	rotate()
	next := got
	poll(t, "no rotation", func() bool {
		next = one.login(t)
		return member(t, next.Access, "kid") != member(t, got.Access, "kid")
	})
	s.must(t, "new key", next.Access, 200)
	s.must(t, "withdrawn key", got.Access, 401)
}
