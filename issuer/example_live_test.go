package issuer_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// A logout that guards see at once, and not when the access token expires.
func ExampleNewSessionVerifier() {
	keys, err := signing.NewSchedule(newKey(time.Time{}))
	if err != nil {
		log.Fatal(err)
	}
	store := issuer.NewMemoryStore()
	tokens, err := issuer.New(issuer.Config[Account]{Issuer: "https://id.example", Audience: []string{"api"}, Keys: keys, Store: store})
	if err != nil {
		log.Fatal(err)
	}
	verify, err := claims.NewVerifier[Account](claims.Config{Issuer: "https://id.example", Audience: []string{"api"}, Keys: tokens.KeySet()})
	if err != nil {
		log.Fatal(err)
	}
	live, err := issuer.NewSessionVerifier(issuer.SessionVerifierConfig[Account]{Verifier: verify, Store: store}) // ask the store for every request
	if err != nil {
		log.Fatal(err)
	}
	_ = middleware.New(live, middleware.Config{})

	ctx := context.Background()
	pair, err := tokens.Issue(ctx, claims.Claims[Account]{Subject: "alice"})
	if err != nil {
		log.Fatal(err)
	}
	_, before := live.Verify(ctx, pair.AccessToken)
	if err := tokens.Revoke(ctx, pair.RefreshToken); err != nil {
		log.Fatal(err)
	}
	_, after := live.Verify(ctx, pair.AccessToken)
	fmt.Println(before, "|", after)
	// Output: <nil> | claims: invalid token: its session has ended
}
