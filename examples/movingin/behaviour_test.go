package movingin_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/examples/movingin/auth0"
	"github.com/gatehouse-go/gatehouse/examples/movingin/echojwt"
	"github.com/gatehouse-go/gatehouse/examples/movingin/ginjwt"
	"github.com/gatehouse-go/gatehouse/examples/movingin/golangjwt"
	"github.com/gatehouse-go/gatehouse/examples/movingin/httprate"
	"github.com/gatehouse-go/gatehouse/examples/movingin/jwtauth"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

// good are claims as they are in tokens that are out there.
func good() jwt.MapClaims {
	return jwt.MapClaims{
		"iss": "https://id.example", "aud": "api", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix(),
		"role": "admin", "company": 7, "scope": "read:orders", "https://api.example/company": 7,
	}
}

// sign does what the libraries before did: golang-jwt writes typ JWT, as all do.
func sign(t *testing.T, method jwt.SigningMethod, key any, c jwt.MapClaims, header ...string) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	for i := 0; i+1 < len(header); i += 2 {
		token.Header[header[i]] = header[i+1]
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func get(t *testing.T, h http.Handler, path, token string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func secrets(t *testing.T) claims.KeySet {
	t.Helper()
	key, err1 := claims.NewKey("HS256", "", secret)
	keys, err2 := claims.NewKeySet(key)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestTokensThatAreOutThere: the good ones work on, and what the pages say of
// the others is true.
func TestTokensThatAreOutThere(t *testing.T) {
	byHand, err1 := golangjwt.New(secret)
	chi, err2 := jwtauth.New(secrets(t))
	echo, err3 := echojwt.New(secrets(t))
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	for _, server := range []struct {
		name, path string
		handler    http.Handler
		want       string
	}{
		{"golangjwt", "/me", byHand, "alice admin 7\n"},
		{"golangjwt admin", "/admin", byHand, "alice admin 7\n"},
		{"jwtauth", "/me", chi, "alice 7\n"},
		{"echojwt", "/api/me", echo, "alice\n"},
	} {
		t.Run(server.name, func(t *testing.T) {
			if w := get(t, server.handler, server.path, sign(t, jwt.SigningMethodHS256, secret, good())); w.Code != 200 || w.Body.String() != server.want {
				t.Errorf("a good token: %d %q", w.Code, w.Body)
			}
			if w := get(t, server.handler, server.path, ""); w.Code != 401 || w.Header().Get("WWW-Authenticate") != `Bearer realm="api"` {
				t.Errorf("no token: %d %q", w.Code, w.Header())
			}
			for _, member := range []string{"exp", "iss", "aud"} {
				c := good()
				delete(c, member)
				refused(t, get(t, server.handler, server.path, sign(t, jwt.SigningMethodHS256, secret, c)), "no "+member)
			}
			refused(t, get(t, server.handler, server.path, sign(t, jwt.SigningMethodHS256, secret, good(), "crit", "x")), "crit")
			refused(t, get(t, server.handler, server.path, sign(t, jwt.SigningMethodHS256, secret, good(), "typ", "rt+jwt")), "a refresh token")
			refused(t, get(t, server.handler, server.path, sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good())), "alg none")
		})
	}
	user := good()
	user["role"] = "user"
	if w := get(t, byHand, "/admin", sign(t, jwt.SigningMethodHS256, secret, user)); w.Code != 403 {
		t.Errorf("another role: %d", w.Code)
	}
	if _, err := golangjwt.New(secret[:31]); err == nil {
		t.Error("a short secret was accepted")
	}
}

func refused(t *testing.T, w *httptest.ResponseRecorder, what string) {
	t.Helper()
	if w.Code != 401 || !strings.Contains(w.Header().Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("%s: %d %q", what, w.Code, w.Header().Get("WWW-Authenticate"))
	}
}

// TestAuth0 has an identity provider of its own.
func TestAuth0(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var issuer string
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			json.NewEncoder(w).Encode(map[string]string{"issuer": issuer, "jwks_uri": issuer + "keys"})
		case "/keys":
			fmt.Fprintf(w, `{"keys":[{"kty":"RSA","kid":"k1","alg":"RS256","use":"sig","n":%q,"e":"AQAB"}]}`, base64.RawURLEncoding.EncodeToString(key.N.Bytes()))
		}
	}))
	defer provider.Close()
	issuer = provider.URL + "/"
	api, err := auth0.New(issuer, "api")
	if err != nil {
		t.Fatal(err)
	}
	c := good()
	c["iss"] = issuer
	if w := get(t, api, "/orders", sign(t, jwt.SigningMethodRS256, key, c, "kid", "k1")); w.Code != 200 || w.Body.String() != "alice 7\n" {
		t.Errorf("a good token: %d %q", w.Code, w.Body)
	}
	delete(c, "scope")
	token := sign(t, jwt.SigningMethodRS256, key, c, "kid", "k1")
	if w := get(t, api, "/orders", token); w.Code != 403 || !strings.Contains(w.Header().Get("WWW-Authenticate"), `scope="read:orders"`) {
		t.Errorf("no scope: %d %q", w.Code, w.Header())
	}
	if w := get(t, api, "/me", token); w.Code != 200 {
		t.Errorf("no scope needed: %d", w.Code)
	}
	if w := get(t, api, "/me", ""); w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("no token: %d", w.Code)
	}
}

// TestGinJWT logs in, looks, refreshes, and logs out.
func TestGinJWT(t *testing.T) {
	api, err := ginjwt.New(secret, func(name, password string) (claims.Party, bool) {
		return claims.Party(name), password == "right"
	})
	if err != nil {
		t.Fatal(err)
	}
	var pair struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	post := func(path string, want int, form ...string) {
		t.Helper()
		values := url.Values{}
		for i := 0; i+1 < len(form); i += 2 {
			values.Set(form[i], form[i+1])
		}
		r := httptest.NewRequestWithContext(t.Context(), "POST", path, strings.NewReader(values.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code != want {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		if body, _ := io.ReadAll(w.Body); want == 200 && len(body) > 0 && json.Unmarshal(body, &pair) != nil {
			t.Fatalf("%s: %s", path, body)
		}
	}
	post("/login", 400, "username", "admin", "password", "wrong")
	post("/login", 200, "username", "user", "password", "right")
	if w := get(t, api, "/admin/me", pair.Access); w.Code != 403 || strings.Contains(w.Body.String(), "user\n") {
		t.Errorf("another party: %d %q", w.Code, w.Body)
	}
	post("/login", 200, "username", "admin", "password", "right")
	if w := get(t, api, "/admin/me", pair.Access); w.Code != 200 || w.Body.String() != "admin\n" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	post("/refresh", 400, "grant_type", "refresh_token", "refresh_token", pair.Access)
	post("/refresh", 200, "grant_type", "refresh_token", "refresh_token", pair.Refresh)
	post("/logout", 200, "token", pair.Refresh)
	post("/refresh", 400, "grant_type", "refresh_token", "refresh_token", pair.Refresh)
}

// TestHTTPRate: a client that writes X-Forwarded-For himself gets no more.
func TestHTTPRate(t *testing.T) {
	nobody := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	api, err := httprate.New(nobody, nobody)
	if err != nil {
		t.Fatal(err)
	}
	post := func(peer, forwarded string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/login", nil)
		r.RemoteAddr = peer + ":1000"
		r.Header.Set("X-Forwarded-For", forwarded)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		return w
	}
	for n := range 5 {
		if w := post("192.0.2.1", fmt.Sprintf("198.51.100.%d", n)); w.Code != 200 || w.Header().Get("X-RateLimit-Limit") != "" {
			t.Errorf("%d: %d %q", n, w.Code, w.Header())
		}
	}
	if w := post("192.0.2.1", "198.51.100.99"); w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("the sixth: %d %q", w.Code, w.Header())
	}
	if w := post("10.1.2.3", "192.0.2.1"); w.Code != 429 {
		t.Errorf("the same client by way of our proxy: %d", w.Code)
	}
	if w := post("10.1.2.3", "192.0.2.2"); w.Code != 200 {
		t.Errorf("another client by way of our proxy: %d", w.Code)
	}
	if w := get(t, api, "/", ""); w.Code != 200 || w.Header().Get("X-RateLimit-Limit") != "100" {
		t.Errorf("elsewhere: %d %q", w.Code, w.Header())
	}
}
