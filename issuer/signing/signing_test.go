package signing_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// always is the time from which keys have always signed.
var always time.Time

func newEd25519(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private
}

func edKey(t testing.TB, from time.Time) *signing.Key {
	t.Helper()
	key, err := signing.NewKey("EdDSA", newEd25519(t), from)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func schedule(t testing.TB, keys ...*signing.Key) *signing.Schedule {
	t.Helper()
	s, err := signing.NewSchedule(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// encoder writes tokens in the default dialect.
func encoder(t testing.TB) *claims.Encoder[struct{}] {
	t.Helper()
	e, err := claims.NewEncoder[struct{}](claims.Dialect{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// mint has a schedule sign an access token that is valid for an hour.
func mint(t testing.TB, s *signing.Schedule) (string, error) {
	t.Helper()
	encode := encoder(t)
	return s.Sign(t.Context(), func(h claims.Header) (string, error) {
		return encode.Encode(h, &claims.Claims[struct{}]{
			Use: claims.Access, Issuer: "https://id.example", Audience: []string{"api"},
			Subject: "worker", Expiry: time.Now().Add(time.Hour),
		})
	})
}

func mustMint(t testing.TB, s *signing.Schedule) string {
	t.Helper()
	token, err := mint(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// verifier returns what a resource server has for tokens of mint.
func verifier(t testing.TB, keys claims.KeySet) *claims.Verifier[struct{}] {
	t.Helper()
	v, err := claims.NewVerifier[struct{}](claims.Config{Issuer: "https://id.example", Audience: []string{"api"}, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// keyID returns the kid in a token's header.
func keyID(t testing.TB, token string) string {
	t.Helper()
	segment, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		t.Fatal(err)
	}
	var header struct {
		KeyID string `json:"kid"`
	}
	if err := json.Unmarshal(text, &header); err != nil {
		t.Fatal(err)
	}
	return header.KeyID
}
