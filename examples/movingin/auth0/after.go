// Package auth0 is where who comes from auth0's go-jwt-middleware arrives.
package auth0

import (
	"fmt"
	"net/http"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// Account is what tokens say besides the registered claims.
type Account struct {
	Company int `json:"https://api.example/company"`
}

// New returns the API. It needs the issuer as its tokens write it: Auth0's ends with a slash.
func New(issuer, audience string) (http.Handler, error) {
	keys, err := jwks.New(jwks.Config{Issuer: issuer, Algorithms: []string{"RS256"}})
	if err != nil {
		return nil, err
	}
	verify, err := claims.NewVerifier[Account](claims.Config{
		Issuer: issuer, Audience: []string{audience}, Keys: keys,
		Dialect: claims.Dialect{AccessType: "JWT"}, // leave out if the API uses the RFC 9068 profile
	})
	if err != nil {
		return nil, err
	}
	guard, mux := middleware.New(verify, middleware.Config{}), http.NewServeMux()
	mux.Handle("GET /me", guard.Handler(http.HandlerFunc(me)))
	mux.Handle("GET /orders", guard.Scope("read:orders").Handler(http.HandlerFunc(me)))
	return mux, nil
}

func me(w http.ResponseWriter, r *http.Request) {
	caller := claims.MustFromContext[Account](r.Context())
	fmt.Fprintln(w, caller.Subject, caller.App.Company)
}
