package claims_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/golang-jwt/jwt/v5"
)

// TestWhatGolangJWTAccepts is why tokens are not read by golang-jwt, whose
// signing methods check the signatures: each token here is one that its parser
// accepts as of v5.3.1, in the way it is mostly used, and we refuse. A row that
// fails because golang-jwt has become stricter may go.
func TestWhatGolangJWTAccepts(t *testing.T) {
	secret := pairs()["HS256"].private.([]byte)
	hs := func(header, payload string) string { return token("HS256", secret, header, payload) }
	const header = `{"alg":"HS256","typ":"at+jwt"}`
	with := func(more string) string { return strings.TrimSuffix(goodPayload, "}") + "," + more + "}" }
	good, full := hs(header, goodPayload), tokenOf("HS384", goodPayload)
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", good[len(good)-1])
	stray := good[:len(good)-1] + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last|1:last|1+1]

	registered := func() jwt.Claims { return new(jwt.RegisteredClaims) }
	loose := func() jwt.Claims { return jwt.MapClaims{} }
	for _, row := range []struct {
		name, token string
		claims      func() jwt.Claims
		options     []jwt.ParserOption
		reason      error
	}{
		{"an unknown crit", hs(`{"alg":"HS256","typ":"at+jwt","crit":["x"],"x":1}`, goodPayload), registered, nil, claims.ErrHeader},
		{"an empty crit", hs(`{"alg":"HS256","typ":"at+jwt","crit":[]}`, goodPayload), registered, nil, claims.ErrHeader},
		{"b64:false", hs(`{"alg":"HS256","typ":"at+jwt","crit":["b64"],"b64":false}`, goodPayload), registered, nil, claims.ErrHeader},
		{"SUB over sub", hs(header, `{"iss":"iss1","sub":"  ","SUB":"admin","aud":"api","exp":1700000100}`), registered, nil, claims.ErrSubject},
		{"EXP over exp", hs(header, `{"iss":"iss1","sub":"alice","aud":"api","exp":1600000000,"EXP":1700000100}`), registered, nil, claims.ErrExpired},
		{"a member twice", hs(header, with(`"sub":"admin"`)), registered, nil, claims.ErrDuplicate},
		{"stray bits in the signature", stray, registered, nil, claims.ErrBase64},
		{"a line break in the signature", good + "\n", registered, nil, claims.ErrBase64},
		{"a line break, strictly", full + "\n", registered, []jwt.ParserOption{jwt.WithStrictDecoding()}, claims.ErrBase64},
		{"no exp", hs(header, `{"iss":"iss1","sub":"alice","aud":"api"}`), registered, nil, claims.ErrMissing},
		{"exp:0", hs(header, `{"iss":"iss1","sub":"alice","aud":"api","exp":0}`), loose, nil, claims.ErrExpired},
		{"a quoted exp", hs(header, `{"iss":"iss1","sub":"alice","aud":"api","exp":"1700000100"}`), registered, nil, claims.ErrMemberType},
		{"nbf:1e300", hs(header, with(`"nbf":1e300`)), registered, nil, claims.ErrDate},
		{"payload null", hs(header, `null`), registered, nil, claims.ErrSyntax},
		{"any typ", hs(`{"alg":"HS256","typ":"dpop+jwt"}`, goodPayload), registered, nil, claims.ErrType},
		{"cty", hs(`{"alg":"HS256","typ":"at+jwt","cty":"JWT"}`, goodPayload), registered, nil, claims.ErrHeader},
		{"zip", hs(`{"alg":"HS256","typ":"at+jwt","zip":"DEF"}`, goodPayload), registered, nil, claims.ErrHeader},
		{"iat in the future", hs(header, with(`"iat":1700003600`)), registered, nil, claims.ErrNotYet},
		{"milliseconds an hour ago", hs(header, `{"iss":"iss1","sub":"alice","aud":"api","exp":1699996400000}`), registered, nil, claims.ErrDate},
		{"a refresh token", hs(`{"alg":"HS256","typ":"rt+jwt"}`, goodPayload), registered, nil, claims.ErrType},
		{"an object as sub", hs(header, `{"iss":"iss1","sub":{"id":1},"aud":"api","exp":1700000100}`), loose, nil, claims.ErrMemberType},
		{"256 KiB of claims", hs(header, with(`"x":"`+strings.Repeat("x", 256<<10)+`"`)), registered, nil, claims.ErrTooLarge},
		{"what follows the object", hs(header, goodPayload+`{"sub":"admin"}`), loose, []jwt.ParserOption{jwt.WithJSONNumber()}, claims.ErrSyntax},
		{"invalid UTF-8", hs(header, with(`"x":"`+"\xff"+`"`)), registered, nil, claims.ErrSyntax},
	} {
		t.Run(row.name, func(t *testing.T) {
			options := append(row.options, jwt.WithTimeFunc(func() time.Time { return moment }))
			_, err := jwt.ParseWithClaims(row.token, row.claims(), func(*jwt.Token) (any, error) { return secret, nil }, options...)
			// On some machines 1e300 does not wrap.
			if err != nil && row.name != "nbf:1e300" {
				t.Errorf("golang-jwt refuses it: %v", err)
			}
			refused(t, verifierOf(keyOf("HS256", ""), keyOf("HS384", "")), row.token, row.reason)
		})
	}
	t.Run("a secret of no or one byte", func(t *testing.T) {
		for _, secret := range []string{"", "x"} {
			s := token("HS256", []byte(secret), header, goodPayload)
			if _, err := jwt.Parse(s, func(*jwt.Token) (any, error) { return []byte(secret), nil }, jwt.WithTimeFunc(func() time.Time { return moment })); err != nil {
				t.Errorf("golang-jwt refuses it: %v", err)
			}
			if _, err := claims.NewKey("HS256", "", []byte(secret)); !errors.Is(err, claims.ErrKeyMaterial) {
				t.Errorf("%q: %v", secret, err)
			}
		}
	})
	t.Run("ES384 by a P-256 key", func(t *testing.T) {
		key := pairs()["ES256"]
		s := ecdsaToken("ES384", key.private.(*ecdsa.PrivateKey))
		if _, err := jwt.Parse(s, func(*jwt.Token) (any, error) { return key.public, nil }, jwt.WithTimeFunc(func() time.Time { return moment })); err != nil {
			t.Errorf("golang-jwt refuses it: %v", err)
		}
		if _, err := claims.NewKey("ES384", "", key.public); !errors.Is(err, claims.ErrKeyMaterial) {
			t.Errorf("NewKey: %v", err)
		}
		refused(t, verifierOf(keyOf("ES256", "")), s, claims.ErrUnknownKey)
	})
	t.Run("a PSS salt of another length", func(t *testing.T) {
		key := pairs()["PS256"]
		input := b64(`{"alg":"PS256","typ":"at+jwt"}`) + "." + b64(goodPayload)
		hash := sha256.Sum256([]byte(input))
		s := input + "." + b64(pss(key.private.(*rsa.PrivateKey), hash[:], 20))
		if _, err := jwt.Parse(s, func(*jwt.Token) (any, error) { return key.public, nil }, jwt.WithTimeFunc(func() time.Time { return moment })); err != nil {
			t.Errorf("golang-jwt refuses it: %v", err)
		}
		refused(t, verifierOf(keyOf("PS256", "")), s, claims.ErrSignature)
	})
}
