package issuer_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
)

// Log out everywhere: after the password was changed, and not before.
func ExampleIssuer_RevokeAll() {
	tokens, ctx := newTokens(), context.Background()
	phone, _ := tokens.Issue(ctx, claims.Claims[Account]{Subject: "alice"})
	laptop, _ := tokens.Issue(ctx, claims.Claims[Account]{Subject: "alice"})

	if err := tokens.RevokeAll(ctx, "alice"); err != nil {
		fmt.Println("some sessions may live on:", err) // answer 503, and do it again
	}
	for _, pair := range []issuer.Pair{phone, laptop} {
		_, err := tokens.Refresh(ctx, pair.RefreshToken)
		fmt.Println(errors.Is(err, issuer.ErrGrant), err)
	}
	// Output:
	// true issuer: invalid grant: the session has ended
	// true issuer: invalid grant: the session has ended
}

// A page that lists alice's devices, with a button to log out each but the one
// that she is looking from.
func ExampleIssuer_Sessions() {
	tokens, ctx := newTokens(), context.Background()
	verify, err := claims.NewVerifier[Account](claims.Config{Issuer: "https://id.example", Audience: []string{"api"}, Keys: tokens.KeySet()})
	if err != nil {
		panic(err)
	}
	alice := claims.Claims[Account]{Subject: "alice"}
	here, _ := tokens.Issue(issuer.WithLabel(ctx, "laptop"), alice) // LoginHandler takes the User-Agent
	tokens.Issue(issuer.WithLabel(ctx, "phone"), alice)

	caller, err := verify.Verify(ctx, here.AccessToken) // behind a guard: claims.FromContext
	if err != nil {
		panic(err)
	}
	sessions, err := tokens.Sessions(ctx, caller.Subject)
	if err != nil {
		fmt.Println(err) // the list may lack some
	}
	var button string
	for _, s := range sessions {
		fmt.Printf("%s, this one: %v\n", s.Label, s.ID == tokens.SessionOf(caller))
		if s.ID != tokens.SessionOf(caller) {
			button = s.ID
		}
	}

	// The button sends an ID. It is looked for among the sessions of the caller,
	// so that nobody ends those of others.
	err = tokens.RevokeSession(ctx, caller.Subject, button)
	fmt.Println("log out the other:", err)
	sessions, _ = tokens.Sessions(ctx, caller.Subject)
	fmt.Println(len(sessions), "left")
	// Unordered output:
	// laptop, this one: true
	// phone, this one: false
	// log out the other: <nil>
	// 1 left
}
