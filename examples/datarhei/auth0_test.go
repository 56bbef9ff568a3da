package main

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var b64 = base64.RawURLEncoding

// fakeTenant publishes a key and signs with it.
type fakeTenant struct {
	*httptest.Server
	key *rsa.PrivateKey
}

func newTenant(t *testing.T) *fakeTenant {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	set := fmt.Sprintf(`{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"one","n":%q,"e":%q}]}`,
		b64.EncodeToString(key.N.Bytes()), b64.EncodeToString(big.NewInt(int64(key.E)).Bytes()))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, set)
	})
	tenant := &fakeTenant{httptest.NewServer(mux), key}
	t.Cleanup(tenant.Close)
	return tenant
}

// token makes a token as the tenant does, from the text of its claims.
func (f *fakeTenant) token(key *rsa.PrivateKey, claims string) string {
	return typed(`"typ":"JWT",`, key, claims)
}

// typed makes a token with this typ, or without one.
func typed(typ string, key *rsa.PrivateKey, claims string) string {
	input := b64.EncodeToString([]byte(`{"alg":"RS256",`+typ+`"kid":"one"}`)) + "." + b64.EncodeToString([]byte(claims))
	digest := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return input + "." + b64.EncodeToString(signature)
}

func (f *fakeTenant) claims(audience, subject string, life time.Duration) string {
	return fmt.Sprintf(`{"iss":"%s/","sub":"%s","aud":["%s","https://tenant.example/userinfo"],"iat":%d,"exp":%d,"azp":"client","scope":"openid"}`,
		f.URL, subject, audience, time.Now().Unix(), time.Now().Add(life).Unix())
}

// flags are those of a server that knows the tenant.
func (f *fakeTenant) flags(more ...string) []string {
	return append([]string{"-auth0-issuer", f.URL + "/", "-auth0-audience", "https://core.example/", "-auth0-client-id", "abc",
		"-auth0-users", "auth0|alice,auth0|bob"}, more...)
}

func (f *fakeTenant) announcement() string {
	return "auth0 domain=" + strings.TrimPrefix(f.URL, "http://") + " audience=https://core.example/ clientid=abc"
}

func TestAuth0(t *testing.T) {
	tenant := newTenant(t)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, base: start(t, tenant.flags("-first-auth", "localjwt", "-auth-limit", "1000")...)}
	same(t, "announcement", golden(c.do("GET", "/api", "")), head+`{"app":"datarhei-core","auths":["localjwt","`+tenant.announcement()+`"],"version":{"number":"16.0.0"}}`)
	login := func(token, body string) reply {
		c.access = token
		got := c.do("POST", "/api/login", body)
		c.take(got)
		return got
	}
	claims := tenant.claims("https://core.example/", "auth0|bob", time.Hour)
	good := tenant.token(tenant.key, claims)
	for _, body := range []string{"", `{"username":"","password":""}`, `{"username":"admin"}`, "{}", "no JSON"} {
		same(t, "login beside "+body, golden(login(good, body)), pairs)
	}
	if says := segment(t, c.access, 1); !strings.Contains(says, `"iss":"datarhei-core"`) || !strings.Contains(says, `"sub":"auth0|bob"`) {
		t.Error(says)
	}
	c.expect(200, "GET", "/api/v3/log", "")
	if got := c.renew(); got.status != 200 {
		t.Errorf("refresh: %d", got.status)
	}
	ours, refresh := c.access, c.refresh
	for name, typ := range map[string]string{"RFC 9068": `"typ":"at+jwt",`, "RFC 9068, as a media type": `"typ":"application/at+jwt",`, "none": ""} {
		same(t, "profile "+name, golden(login(typed(typ, tenant.key, claims), "")), pairs)
	}

	wrong := unauthorized(`Bearer realm="api"`, "Invalid authorization credentials: invalid token")
	public, _, _ := strings.Cut(good, ".")
	confused := strings.Replace(good, public, b64.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT","kid":"one"}`)), 1)
	confused = confused[:strings.LastIndexByte(confused, '.')]
	mac := hmac.New(sha256.New, tenant.key.N.Bytes())
	mac.Write([]byte(confused))
	bad := map[string]string{
		"another audience":   tenant.token(tenant.key, tenant.claims("https://other.example/", "auth0|bob", time.Hour)),
		"a user not allowed": tenant.token(tenant.key, tenant.claims("https://core.example/", "auth0|eve", time.Hour)),
		"expired":            tenant.token(tenant.key, tenant.claims("https://core.example/", "auth0|bob", -time.Hour)),
		"another's key":      tenant.token(other, claims),
		"another issuer":     tenant.token(tenant.key, strings.Replace(claims, tenant.URL, "https://x.example", 1)),
		"HMAC by public key": confused + "." + b64.EncodeToString(mac.Sum(nil)),
		"another type":       typed(`"typ":"dpop+jwt",`, tenant.key, claims),
		"at+jwt by another":  typed(`"typ":"at+jwt",`, other, claims),
		"at+jwt for another": typed(`"typ":"at+jwt",`, tenant.key, tenant.claims("https://other.example/", "auth0|bob", time.Hour)),
		"our own access":     ours,
		"our own refresh":    refresh,
		"nothing that it is": "nonsense",
	}
	for name, token := range bad {
		same(t, name, golden(login(token, "")), wrong)
		// Whatever stands beside it, a name and a password decide.
		same(t, name+" beside the password", golden(login(token, `{"username":"admin","password":"datarhei"}`)), pairs)
		same(t, name+" beside a guess", golden(login(token, `{"username":"admin","password":"guess"}`)), wrongPassword)
	}
	same(t, "a good one beside a guess", golden(login(good, `{"username":"admin","password":"guess"}`)), wrongPassword)
	if login(good, `{"username":"admin","password":"datarhei"}`); !strings.Contains(segment(t, c.access, 1), `"sub":"admin"`) {
		t.Errorf("beside the password: %s", segment(t, c.access, 1))
	}
	c.access = good
	same(t, "a foreign token opens nothing", golden(c.do("GET", "/api/v3/log", "")), invalid)
}

func TestAuth0OutOfReach(t *testing.T) {
	tenant := newTenant(t)
	token := tenant.token(tenant.key, tenant.claims("https://core.example/", "auth0|bob", time.Hour))
	tenant.Close()
	c := &client{t: t, base: start(t, tenant.flags()...), access: token}
	same(t, "login", golden(c.do("POST", "/api/login", "")), "Service Unavailable\nCache-Control: no-store\nContent-Type: application/json\nRetry-After: 5\n"+
		`{"code":503,"message":"Service Unavailable","details":[]}`)
	if got := c.login("admin", "datarhei"); got.status != 200 {
		t.Errorf("the password: %d", got.status)
	}
}

// TestWithoutAuth0 sends a token to a server that knows no tenant.
func TestWithoutAuth0(t *testing.T) {
	tenant := newTenant(t)
	c := &client{t: t, base: start(t), access: tenant.token(tenant.key, tenant.claims("core", "bob", time.Hour))}
	same(t, "a token alone", golden(c.do("POST", "/api/login", "")), nothing)
	same(t, "beside the password", golden(c.do("POST", "/api/login", `{"username":"admin","password":"datarhei"}`)), pairs)
}
