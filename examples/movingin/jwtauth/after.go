// Package jwtauth is where who comes from jwtauth arrives.
package jwtauth

import (
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// Account is what tokens say besides the registered claims.
type Account struct {
	Company int `json:"company"`
}

// New returns the API.
func New(keys claims.KeySet) (http.Handler, error) {
	verify, err := claims.NewVerifier[Account](claims.Config{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: keys,
		Dialect: claims.Dialect{AccessType: "JWT"},
	})
	if err != nil {
		return nil, err
	}
	guard := middleware.New(verify, middleware.Config{})
	r := chi.NewRouter()
	r.Group(func(r chi.Router) {
		r.Use(guard.Handler)
		r.Get("/me", me)
	})
	return r, nil
}

func me(w http.ResponseWriter, r *http.Request) {
	caller := claims.MustFromContext[Account](r.Context())
	fmt.Fprintln(w, caller.Subject, caller.App.Company)
}
