package signing_test

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// TestEphemeral: each schedule has a secret of its own, verifies what it signed, and
// publishes nothing.
func TestEphemeral(t *testing.T) {
	one, other := signing.NewEphemeral(), signing.NewEphemeral()
	encoder, err := claims.NewEncoder[struct{}](claims.Dialect{InsecureNoExpiry: true})
	if err != nil {
		t.Fatal(err)
	}
	token, err := one.Sign(t.Context(), func(h claims.Header) (string, error) {
		return encoder.Encode(h, &claims.Claims[struct{}]{Use: claims.Access, Issuer: "i", Subject: "alice", Audience: []string{"a"}})
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []*signing.Schedule{one, other} {
		verify, err := claims.NewVerifier[struct{}](claims.Config{Issuer: "i", Audience: []string{"a"}, Keys: s.KeySet(signing.Window{}), Dialect: claims.Dialect{InsecureNoExpiry: true}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verify.Verify(t.Context(), token); (err == nil) != (i == 0) {
			t.Errorf("schedule %d: %v", i, err)
		}
	}
	if k := one.Keys(); len(k) != 1 || k[0].Algorithm() != "HS256" {
		t.Errorf("keys %v", k)
	}
}
