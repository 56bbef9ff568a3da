package signing_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

func newKey(from time.Time) *signing.Key {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	key, err := signing.NewKey("EdDSA", private, from)
	if err != nil {
		log.Fatal(err)
	}
	return key
}

// A service mints a token for its own call of another, which verifies it as any
// access token: no session, no refresh. The audience is that other service alone.
func ExampleSchedule_Sign() {
	keys, err := signing.NewSchedule(newKey(time.Time{}))
	if err != nil {
		log.Fatal(err)
	}
	encode, err := claims.NewEncoder[struct{}](claims.Dialect{})
	if err != nil {
		log.Fatal(err)
	}
	const life = 5 * time.Minute
	ctx := context.Background()
	now := time.Now()
	token, err := keys.Sign(ctx, func(h claims.Header) (string, error) {
		return encode.Encode(h, &claims.Claims[struct{}]{
			Use: claims.Access, Issuer: "https://id.example", Audience: []string{"https://billing.example"},
			Subject: "report-worker", Scope: []string{"invoices:read"},
			IssuedAt: now, Expiry: now.Add(life), ID: rand.Text(),
		})
	})
	if err != nil {
		log.Fatal(err)
	}

	// In the other service. Where it is another process, the keys come from JWKS.
	verify, err := claims.NewVerifier[struct{}](claims.Config{
		Issuer: "https://id.example", Audience: []string{"https://billing.example"},
		Keys: keys.KeySet(signing.Window{Lead: 24 * time.Hour, Hold: life + 5*time.Minute}),
	})
	if err != nil {
		log.Fatal(err)
	}
	c, err := verify.Verify(ctx, token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Subject, c.Scope)
	// Output: report-worker [invoices:read]
}

// Confirmation is what the token in a link says: the address to be confirmed.
type Confirmation struct {
	Email string `json:"email"`
}

// confirmation is the dialect of such tokens. A type of their own keeps them out
// of the API, and access tokens out of the confirmation (RFC 8725 §3.11, §3.12).
var confirmation = claims.Dialect{AccessType: "confirm-email+jwt"}

// A link that confirms an address, for a day. It has a type and an audience of
// its own, so that nobody comes in with it. It may be used more than once; what
// may be used only once is in package recovery.
func ExampleSchedule_Sign_link() {
	keys, err := signing.NewSchedule(newKey(time.Time{}))
	if err != nil {
		log.Fatal(err)
	}
	encode, err := claims.NewEncoder[Confirmation](confirmation)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	token, err := keys.Sign(ctx, func(h claims.Header) (string, error) {
		return encode.Encode(h, &claims.Claims[Confirmation]{
			Use: claims.Access, Issuer: "https://id.example", Audience: []string{"https://id.example/confirm"},
			Subject: "alice", Expiry: time.Now().Add(24 * time.Hour), App: Confirmation{"alice@new.example"},
		})
	})
	if err != nil {
		log.Fatal(err)
	}
	// After the # a browser keeps it out of the logs of servers: a script posts it.
	_ = "https://id.example/confirm#" + token

	keySet := keys.KeySet(signing.Window{Hold: 24*time.Hour + 5*time.Minute})
	confirm, err := claims.NewVerifier[Confirmation](claims.Config{
		Issuer: "https://id.example", Audience: []string{"https://id.example/confirm"}, Keys: keySet, Dialect: confirmation,
	})
	if err != nil {
		log.Fatal(err)
	}
	c, err := confirm.Verify(ctx, token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Subject, "has", c.App.Email)

	// The API, even if its audience were the same.
	api, err := claims.NewVerifier[struct{}](claims.Config{
		Issuer: "https://id.example", Audience: []string{"https://id.example/confirm"}, Keys: keySet,
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = api.Verify(ctx, token)
	fmt.Println("opens the API:", !errors.Is(err, claims.ErrInvalid))
	// Output:
	// alice has alice@new.example
	// opens the API: false
}

// A link whose token has the type and the audience of access tokens is one: with
// what came by mail the API can be called. Give each kind a type of its own.
func ExampleSchedule_Sign_incorrect() {
	keys, err := signing.NewSchedule(newKey(time.Time{}))
	if err != nil {
		log.Fatal(err)
	}
	encode, err := claims.NewEncoder[Confirmation](claims.Dialect{}) // the type of access tokens
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	token, err := keys.Sign(ctx, func(h claims.Header) (string, error) {
		return encode.Encode(h, &claims.Claims[Confirmation]{
			Use: claims.Access, Issuer: "https://id.example", Audience: []string{"api"}, // the API's
			Subject: "alice", Expiry: time.Now().Add(24 * time.Hour), App: Confirmation{"alice@new.example"},
		})
	})
	if err != nil {
		log.Fatal(err)
	}
	api, err := claims.NewVerifier[struct{}](claims.Config{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: keys.KeySet(signing.Window{}),
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = api.Verify(ctx, token)
	fmt.Println("opens the API:", err == nil)
	// Output: opens the API: true
}

// A schedule has a key that signs and one that will. Machines that load the same
// two change over at the same moment, and verifiers have had the second for Lead
// by then.
func ExampleNewSchedule() {
	now := time.Now()
	keys, err := signing.NewSchedule(
		newKey(now.Add(-30*24*time.Hour)),
		newKey(now.Add(12*time.Hour)),
	)
	if err != nil {
		log.Fatal(err)
	}
	published := keys.JWKS(signing.Window{Lead: 24 * time.Hour, Hold: time.Hour})
	w := httptest.NewRecorder()
	published.ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(set.Keys), "keys,", w.Header().Get("Cache-Control"))
	// Output: 2 keys, public, max-age=300
}

// Keys in a directory, such as 20261201T000000Z.ES256.pem. To rotate, put the next
// one there; to withdraw one, remove it.
func ExampleLoadSchedule() {
	keys, err := signing.LoadSchedule("/etc/gatehouse/keys", nil)
	if err != nil {
		log.Fatal(err) // says which file is wrong, and how to mend it
	}
	for _, key := range keys.Keys() {
		fmt.Println(key, "from", key.From())
	}
}
