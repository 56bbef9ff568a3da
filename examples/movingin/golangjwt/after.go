// Package golangjwt is where who comes from golang-jwt by hand arrives.
package golangjwt

import (
	"fmt"
	"net/http"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// Account is what tokens say besides the registered claims.
type Account struct {
	Company int `json:"company"`
}

// New returns the API.
func New(secret []byte) (http.Handler, error) {
	key, err := claims.NewKey("HS256", "", secret)
	if err != nil {
		return nil, err
	}
	keys, err := claims.NewKeySet(key)
	if err != nil {
		return nil, err
	}
	verify, err := claims.NewVerifier[Account](claims.Config{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: keys,
		Dialect: claims.Dialect{AccessType: "JWT", PartyMember: "role"},
	})
	if err != nil {
		return nil, err
	}
	guard, mux := middleware.New(verify, middleware.Config{}), http.NewServeMux()
	mux.Handle("GET /me", guard.Handler(http.HandlerFunc(me)))
	mux.Handle("GET /admin", guard.Only("admin").Handler(http.HandlerFunc(me)))
	return mux, nil
}

func me(w http.ResponseWriter, r *http.Request) {
	caller := claims.MustFromContext[Account](r.Context())
	fmt.Fprintln(w, caller.Subject, caller.Party, caller.App.Company)
}
