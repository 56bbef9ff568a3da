package claims_test

import (
	"context"

	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/golang-jwt/jwt/v5"
)

// algorithms are all that keys can be bound to.
var algorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
	"ES256", "ES384", "ES512", "EdDSA",
}

// moment is when the tests with fixed dates take place.
var moment = time.Unix(1700000000, 0)

const goodPayload = `{"iss":"iss1","sub":"alice","aud":"api","exp":1700000100}`

// pair is what signs and what verifies.
type pair struct{ private, public any }

// pairs makes one pair for each family and size, once for all tests.
var pairs = sync.OnceValue(func() map[string]pair {
	secret := []byte(strings.Repeat("a secret of 64 bytes and no less", 2))
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	all := map[string]pair{"EdDSA": {edPrivate, edPublic}}
	for alg, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		key := must(ecdsa.GenerateKey(curve, rand.Reader))
		all[alg] = pair{key, &key.PublicKey}
	}
	for _, size := range []string{"256", "384", "512"} {
		all["HS"+size] = pair{secret, secret}
		all["RS"+size] = pair{rsaKey, &rsaKey.PublicKey}
		all["PS"+size] = pair{rsaKey, &rsaKey.PublicKey}
	}
	return all
})

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// b64 is base64url without padding.
func b64[S ~string | ~[]byte](s S) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// token signs header and payload, whatever they are, by a method and key.
func token(alg string, private any, header, payload string) string {
	input := b64(header) + "." + b64(payload)
	return input + "." + b64(must(jwt.GetSigningMethod(alg).Sign(input, private)))
}

// tokenOf is token with the test's key of alg and no kid.
func tokenOf(alg, payload string) string {
	return token(alg, pairs()[alg].private, `{"alg":"`+alg+`","typ":"at+jwt"}`, payload)
}

func keyOf(alg, kid string) *claims.Key { return must(claims.NewKey(alg, kid, pairs()[alg].public)) }

func setOf(keys ...*claims.Key) claims.KeySet { return must(claims.NewKeySet(keys...)) }

// verifierOf checks iss1's tokens for api, signed with any of keys.
func verifierOf(keys ...*claims.Key) *claims.Verifier[map[string]any] {
	return must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keys...)}))
}

func verifyAt[T any](v *claims.Verifier[T], token string) (*claims.Claims[T], error) {
	return v.VerifyAt(context.Background(), token, moment)
}

// countingKeys offers what it is told to, and writes down what it was asked.
type countingKeys struct {
	keys  []*claims.Key
	err   error
	asked []claims.Header
}

func (c *countingKeys) Keys(_ context.Context, h claims.Header) ([]*claims.Key, error) {
	c.asked = append(c.asked, h)
	return c.keys, c.err
}

func unb64(s string) []byte { return must(base64.RawURLEncoding.DecodeString(s)) }
