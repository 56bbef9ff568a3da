package jwks_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// Whatever a document says, what is offered is well-formed and asymmetric, no
// two keys have the same name, and reading it again gives the same objects.
func FuzzSet(f *testing.F) {
	f.Add(setOf(edJWK(1, "one"), edJWK(1, "one"), edJWK(2, "one"), edJWK(3, "")))
	f.Add(setOf(jwkOf(rsaKeys()[0].Public(), "r", object{"use": "sig", "key_ops": []string{"verify"}, "alg": "PS256"})))
	f.Add(`{"keys":[{"kty":"EC","crv":"P-256","kid":"kid-ec-sign","x":"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY","y":"UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw"}]}`)
	f.Add(`{"keys":[{"kty":"oct","k":"AAAA"},null,7,{"kty":"RSA","n":"AA","e":"AQAB"}],"x":[[[[]]]]}`)
	f.Fuzz(func(t *testing.T, doc string) {
		first, second, err := jwks.ReadTwice([]byte(doc), 100)
		if err != nil {
			if len(first) > 0 {
				t.Error("keys in spite of", err)
			}
			return
		}
		if len(first) == 0 || len(first) > 100 || !slices.Equal(first, second) {
			t.Errorf("%v, then %v", first, second)
		}
		seen := make(map[string]bool)
		for _, k := range first {
			if len(k.ID()) > 256 || strings.HasPrefix(k.Algorithm(), "HS") {
				t.Error(k)
			}
			if name := k.Algorithm() + " " + k.ID(); k.ID() != "" && seen[name] {
				t.Errorf("two keys are %q", name)
			} else {
				seen[name] = true
			}
		}
	})
}
