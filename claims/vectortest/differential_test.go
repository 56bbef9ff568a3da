package vectortest_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
)

// signer is one algorithm with its two halves.
type signer struct {
	alg             string
	private, public any
}

func signers(t *testing.T) []signer {
	t.Helper()
	rsaKey, err1 := rsa.GenerateKey(crand.Reader, 2048)
	ecKey, err2 := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	edPublic, edPrivate, err3 := ed25519.GenerateKey(crand.Reader)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			t.Fatal(err)
		}
	}
	secret := bytes.Repeat([]byte("k"), 64)
	return []signer{
		{"HS256", secret, secret}, {"HS512", secret, secret}, {"RS256", rsaKey, &rsaKey.PublicKey},
		{"PS256", rsaKey, &rsaKey.PublicKey}, {"ES256", ecKey, &ecKey.PublicKey}, {"EdDSA", edPrivate, edPublic},
	}
}

// TestDifferential is JW-46: whatever our verifier accepts, jwx and go-jose
// accept too, with the same payload.
func TestDifferential(t *testing.T) {
	r := rand.New(rand.NewPCG(46, 46))
	pick := func(options ...string) string { return options[r.IntN(len(options))] }
	accepted, refused := 0, 0
	all := signers(t)
	verifiers := make(map[string]*claims.Verifier[map[string]any])
	for _, s := range all {
		key, err := claims.NewKey(s.alg, "k", s.public)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := claims.NewKeySet(key)
		if err != nil {
			t.Fatal(err)
		}
		v, err := claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		verifiers[s.alg] = v
	}
	exp := time.Now().Add(time.Hour).Unix()
	for range 3000 {
		s := all[r.IntN(len(all))]
		alg := s.alg
		if r.IntN(20) == 0 {
			alg = all[r.IntN(len(all))].alg
		}
		header := `{"alg":"` + alg + `"` + pick(`,"typ":"at+jwt"`, `,"typ":"at+jwt"`, `,"typ":"AT+JWT"`, ``) +
			pick(``, ``, `,"kid":"k"`, `,"kid":"x"`, `,"x":{"a":[1,2]}`, `,"crit":["x"],"x":1`, `,"b64":false`, `,"alg":"none"`, `,"ALG":"none"`, `,"jku":"http://127.0.0.1:1"`) + pick(``, ``, ` `) + `}`
		payload := fmt.Sprintf(`{"iss":"iss1","sub":%s,"aud":%s,"exp":%d%s}%s`, pick(`"alice"`, `"\u0061"`, `"ä"`, `"\ud834\udd1e"`, `"\ud834"`, `5`),
			pick(`"api"`, `["b","api"]`, `"API"`), exp, pick(``, `,"x":1`, `,"SUB":"root"`, `,"sub":"root"`, `,"nbf":1.5`, `,"x":[{"y":null}]`), pick(``, ``, ``, `{}`, `#`, "\n"))
		input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
		sig, err := jwt.GetSigningMethod(s.alg).Sign(input, s.private)
		if err != nil {
			t.Fatal(err)
		}
		token := []byte(input + "." + base64.RawURLEncoding.EncodeToString(sig))
		switch r.IntN(8) { // one change, mostly none
		case 0:
			token[r.IntN(len(token))] ^= 1 << r.IntN(7)
		case 1:
			at := r.IntN(len(token) + 1)
			token = bytes.Join([][]byte{token[:at], token[at:]}, []byte(pick("\n", "=", ".", "A", " ")))
		}
		c, err := verifiers[s.alg].Verify(context.Background(), string(token))
		if err != nil {
			refused++
			continue
		}
		accepted++
		agree(t, s, string(token), c)
	}
	if accepted < 200 || refused < 200 {
		t.Errorf("%d accepted, %d refused: the test has lost its balance", accepted, refused)
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
}

func agree(t *testing.T, s signer, token string, c *claims.Claims[map[string]any]) {
	t.Helper()
	alg, ok := jwa.LookupSignatureAlgorithm(s.alg)
	if !ok {
		t.Fatalf("jwx does not know %s", s.alg)
	}
	byJWX, err := jws.Verify([]byte(token), jws.WithKey(alg, s.public), jws.WithCompact())
	if err != nil {
		t.Errorf("jwx refuses %s: %v", token, err)
		return
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(s.alg)})
	if err != nil {
		t.Errorf("go-jose can't read %s: %v", token, err)
		return
	}
	byJose, err := parsed.Verify(s.public)
	if err != nil {
		t.Errorf("go-jose refuses %s: %v", token, err)
		return
	}
	if !bytes.Equal(byJWX, byJose) || string(byJose) != string(unb64(strings.Split(token, ".")[1])) {
		t.Errorf("payloads differ: %q, %q", byJWX, byJose)
	}
	var plain struct{ Iss, Sub string }
	if err := json.Unmarshal(byJose, &plain); err != nil || plain.Iss != c.Issuer {
		t.Errorf("%s: %+v, %v", token, plain, err)
	}
}

func unb64(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}
