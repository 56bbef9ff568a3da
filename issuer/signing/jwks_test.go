package signing_test

import (
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// jwks fetches what a schedule publishes.
func jwks(t testing.TB, keys *signing.Schedule, window signing.Window) (kids []string, body string, h http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	keys.JWKS(window).ServeHTTP(w, httptest.NewRequest("GET", "/jwks", nil))
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || w.Code != 200 || set.Keys == nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	for _, k := range set.Keys {
		kids = append(kids, k["kid"])
		for name := range k {
			if !strings.Contains(" kty use alg kid n e crv x y ", " "+name+" ") {
				t.Errorf("the key set has a member %q", name)
			}
		}
		if k["use"] != "sig" || k["alg"] == "" || !slices.Contains([]string{"RSA", "EC", "OKP"}, k["kty"]) {
			t.Errorf("published as %v", k)
		}
	}
	return kids, w.Body.String(), w.Header()
}

func TestJWKS(t *testing.T) {
	var keys []*signing.Key
	for i, alg := range asymmetric {
		signer := privateKey(t, alg)
		if _, isRSA := signer.(*rsa.PrivateKey); isRSA {
			if alg != "RS256" { // one id for one key
				continue
			}
		}
		key, err := signing.NewKey(alg, signer, time.Now().Add(time.Duration(-i)*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	secret, err := signing.NewSecret("HS256", "hidden", make([]byte, 32), time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	all := schedule(t, append(keys, secret)...)
	kids, body, h := jwks(t, all, open)
	var want []string
	for _, k := range keys { // all but the secret, the one that signs first
		want = append(want, k.ID())
	}
	if !slices.Equal(kids, want) {
		t.Errorf("published %v, want %v: %s", kids, want, body)
	}
	if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Cache-Control") != "public, max-age=300" || h.Get("Content-Type") != "application/jwk-set+json" || h.Get("ETag") == "" {
		t.Errorf("headers: %v", h)
	}
	again := httptest.NewRequest("GET", "/jwks", nil)
	again.Header.Set("If-None-Match", h.Get("ETag"))
	w := httptest.NewRecorder()
	all.JWKS(open).ServeHTTP(w, again)
	if w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("with its ETag: %d", w.Code)
	}
	w = httptest.NewRecorder()
	all.JWKS(open).ServeHTTP(w, httptest.NewRequest("POST", "/jwks", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d %v", w.Code, w.Header())
	}
}
