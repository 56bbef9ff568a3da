package middleware_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/golang-jwt/jwt/v5"
)

// TestTokens sends a sample of bad tokens all the way: through Handler, with a
// real verifier. What tokens are bad is the business of package claims.
func TestTokens(t *testing.T) {
	g := middleware.New(realVerifier(t), middleware.Config{Logger: quiet})
	good := token(t, goodHeader, goodPayload(""))
	payload := goodPayload("")
	header := func(members string) string { return token(t, `{"typ":"at+jwt","kid":"k1",`+members+`}`, payload) }
	claim := func(from, to string) string {
		changed := strings.Replace(payload, from, to, 1)
		if changed == payload {
			t.Fatalf("%s is not in %s", from, payload)
		}
		return token(t, goodHeader, changed)
	}
	maced := func(key []byte) string {
		text := encoded(`{"alg":"HS256","kid":"k1","typ":"at+jwt"}`, payload)
		m := hmac.New(sha256.New, key)
		m.Write([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
	}
	der, err := x509.MarshalPKIXPublicKey(&signingKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	ps256 := encoded(`{"alg":"PS256","kid":"k1","typ":"at+jwt"}`, payload)
	pss, err := jwt.SigningMethodPS256.Sign(ps256, signingKey())
	if err != nil {
		t.Fatal(err)
	}
	part := strings.Split(good, ".")
	other := strings.Split(claim(`"u1"`, `"u2"`), ".")
	rows := map[string]string{
		"JW-01 alg none":              encoded(`{"alg":"none","typ":"at+jwt"}`, payload) + ".",
		"JW-02 alg nOnE":              encoded(`{"alg":"nOnE","kid":"k1","typ":"at+jwt"}`, payload) + ".AA",
		"JW-03 no alg":                token(t, `{"kid":"k1","typ":"at+jwt"}`, payload),
		"JW-04 HMAC with the PEM":     maced(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"JW-04 HMAC with the DER":     maced(der),
		"JW-06 HMAC with nothing":     maced(nil),
		"JW-07 alg rs256":             header(`"alg":"rs256"`),
		"JW-08 same key, PS256":       ps256 + "." + base64.RawURLEncoding.EncodeToString(pss),
		"JW-14 jwk":                   token(t, `{"alg":"RS256","typ":"at+jwt","kid":"k9","jwk":{"kty":"RSA"}}`, payload),
		"JW-17 kid is a path":         token(t, `{"alg":"RS256","typ":"at+jwt","kid":"../../../../dev/null"}`, payload),
		"JW-18 kid is SQL":            token(t, `{"alg":"RS256","typ":"at+jwt","kid":"x' UNION SELECT 'AAAA';--"}`, payload),
		"JW-22 crit":                  header(`"alg":"RS256","crit":["x"],"x":1`),
		"JW-24 b64":                   header(`"alg":"RS256","crit":["b64"],"b64":false`),
		"JW-25 two kids":              header(`"alg":"RS256","kid":"k2"`),
		"JW-29 padding":               good + "==",
		"JW-30 one segment":           part[0],
		"JW-30 two segments":          part[0] + "." + part[1],
		"JW-30 four segments":         good + ".AA",
		"JW-30 empty payload":         part[0] + ".." + part[2],
		"JW-31 JSON serialization":    `{"payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `"}`,
		"JW-39 another's signature":   part[0] + "." + part[1] + "." + other[2],
		"JW-40 signature cut":         good[:len(good)-4],
		"JW-44 dpop+jwt":              token(t, `{"alg":"RS256","kid":"k1","typ":"dpop+jwt"}`, payload),
		"CL-03 no exp":                token(t, goodHeader, `{"iss":"https://id.example","sub":"u1","aud":"api"}`),
		"CL-05 exp in quotes":         token(t, goodHeader, `{"iss":"https://id.example","sub":"u1","aud":"api","exp":"99999999999"}`),
		"CL-15 aud in capitals":       claim(`"api"`, `"API"`),
		"CL-17 iss with a slash":      claim(`id.example`, `id.example/`),
		"CL-18 blank sub":             claim(`"u1"`, `"  "`),
		"CL-19 two subs":              claim(`"sub"`, `"sub":"admin","sub"`),
		"CL-25 payload is an array":   token(t, goodHeader, `[]`),
		"CL-32 RF-03 a refresh token": token(t, `{"alg":"RS256","kid":"k1","typ":"rt+jwt"}`, payload),
	}
	for name, value := range rows {
		t.Run(name, func(t *testing.T) {
			refused(t, g.Handler, bearer("Bearer "+value), 401, invalid)
			refused(t, g.Optional, bearer("Bearer "+value), 401, invalid)
		})
	}
	admitted(t, g.Handler, bearer("Bearer "+good), "u1")
}
