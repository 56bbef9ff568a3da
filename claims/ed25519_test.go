package claims_test

import (
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims"
)

// TestEd25519 reads tokens of both names of one algorithm under keys of either
// name. Since RFC 9864 (October 2025) alg is "Ed25519" in tokens of oidc-provider
// 9.13 if it is asked, jose 6.2, jwx 3.4 and joserfc 1.7, and in every JWK that
// WebCrypto exports; EdDSA is deprecated and still what most write.
func TestEd25519(t *testing.T) {
	private := pairs()["EdDSA"].private
	public := pairs()["EdDSA"].public
	for _, keyAlg := range []string{"EdDSA", "Ed25519"} {
		k := must(claims.NewKey(keyAlg, "k", public))
		if k.Algorithm() != "EdDSA" {
			t.Errorf("key of %s is for %s", keyAlg, k.Algorithm())
		}
		for _, alg := range []string{"EdDSA", "Ed25519"} {
			for _, kid := range []string{``, `"kid":"k",`} {
				asked := &countingKeys{keys: []*claims.Key{k}}
				for _, set := range []claims.KeySet{setOf(k), asked} {
					v := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: set}))
					accepted(t, v, token("EdDSA", private, `{`+kid+`"alg":"`+alg+`","typ":"at+jwt"}`, goodPayload))
				}
				if asked.asked[0].Algorithm != "EdDSA" {
					t.Errorf("a key set was asked for %s", asked.asked[0].Algorithm)
				}
			}
		}
	}
	v := verifierOf(keyOf("EdDSA", ""))
	// Neither of them, nor a curve that the older name also stood for.
	for _, alg := range []string{"ed25519", "ED25519", "Ed448", "eddsa", "Ed25519ph"} {
		refused(t, v, token("EdDSA", private, `{"alg":"`+alg+`","typ":"at+jwt"}`, goodPayload), claims.ErrAlgorithm)
	}
	// A key of another algorithm stays one: a name is no way around its binding.
	refused(t, verifierOf(keyOf("HS256", "")), token("EdDSA", private, `{"alg":"Ed25519","typ":"at+jwt"}`, goodPayload), claims.ErrUnknownKey)
	if _, err := claims.NewKeySet(must(claims.NewKey("EdDSA", "k", public)), must(claims.NewKey("Ed25519", "k", public))); !errors.Is(err, claims.ErrKeyMaterial) {
		t.Errorf("one key under both names: %v", err)
	}
	for _, material := range []any{private, []byte("0123456789abcdef0123456789abcdef"), pairs()["ES256"].public} {
		if _, err := claims.NewKey("Ed25519", "", material); !errors.Is(err, claims.ErrKeyMaterial) {
			t.Errorf("%T: %v", material, err)
		}
	}
}

// TestEd25519Written shows that an Encoder writes the name that it is given.
func TestEd25519Written(t *testing.T) {
	for _, alg := range []string{"EdDSA", "Ed25519"} {
		c := claims.Claims[struct{}]{Use: claims.Access, Issuer: "iss1", Subject: "alice", Audience: []string{"api"}, Expiry: moment.Add(100e9)}
		input := encode(t, claims.Dialect{}, claims.Header{Algorithm: alg}, c)
		if head, _ := decoded(t, input); head != `{"alg":"`+alg+`","typ":"at+jwt"}` {
			t.Errorf("header %s", head)
		}
		s := signed(t, input, pairs()["EdDSA"].private.(ed25519.PrivateKey))
		accepted(t, verifierOf(keyOf("EdDSA", "")), s)
	}
}
