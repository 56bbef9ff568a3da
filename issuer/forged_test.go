package issuer_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// TestGenuineSignaturesOverWrongClaims signs with the issuer's own key what the
// issuer would never write, as another program that shares the key may.
func TestGenuineSignaturesOverWrongClaims(t *testing.T) {
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	key, err := signing.NewKey("EdDSA", private, always)
	if err != nil {
		t.Fatal(err)
	}
	tokens := newIssuer(t, issuer.Config[account]{Keys: schedule(t, key)})
	encoder, err := claims.NewEncoder[account](claims.Dialect{})
	if err != nil {
		t.Fatal(err)
	}
	pair := issue(t, tokens, "alice")
	good := claims.Claims[account]{Use: claims.Refresh, Issuer: "https://id.example", Audience: []string{"https://id.example"}, Subject: "alice",
		ID: pair.Session + ".1", IssuedAt: time.Now(), Expiry: time.Now().Add(time.Hour)}
	sign := func(change func(*claims.Claims[account])) string {
		c := good
		change(&c)
		input, err := encoder.Encode(claims.Header{Algorithm: "EdDSA", KeyID: key.ID()}, &c)
		if err != nil {
			t.Fatal(err)
		}
		return input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(input)))
	}
	t.Run("RF-14 of another subject or session, and the owner's lives on", func(t *testing.T) {
		for name, change := range map[string]func(*claims.Claims[account]){
			"subject": func(c *claims.Claims[account]) { c.Subject = "mallory" },
			"session": func(c *claims.Claims[account]) { c.ID = "AAAAAAAAAAAAAAAAAAAAAA.1" },
			"no id":   func(c *claims.Claims[account]) { c.ID = "" },
			"form":    func(c *claims.Claims[account]) { c.ID = pair.Session + ".01" },
			"use":     func(c *claims.Claims[account]) { c.Use, c.Audience = claims.Access, []string{"api"} },
			"aud":     func(c *claims.Claims[account]) { c.Audience = []string{"api"} },
		} {
			if got, err := tokens.Refresh(t.Context(), sign(change)); err == nil || got != (issuer.Pair{}) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
			if name == "use" {
				continue // it is a genuine access token then, which Revoke heeds
			}
			if err := tokens.Revoke(t.Context(), sign(change)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	refresh(t, tokens, sign(func(*claims.Claims[account]) {}))
}
