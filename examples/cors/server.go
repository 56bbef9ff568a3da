package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rs/cors"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// newAPI returns the API for pages of these origins.
func newAPI(origins []string) (http.Handler, error) {
	allow, err := newCORS(origins)
	if err != nil {
		return nil, err
	}
	limit, routes, err := newRoutes()
	if err != nil {
		return nil, err
	}
	// CORS is outermost. A preflight carries no token and asks for nothing, so it
	// must reach neither guard nor limit; and a script can read the status and
	// headers of a refusal only if CORS has marked that answer as well.
	return allow(limit(routes)), nil
}

// newCORS allows scripts of these origins to call the API with a token.
func newCORS(origins []string) (func(http.Handler) http.Handler, error) {
	if len(origins) == 0 { // package cors would allow every origin
		return nil, errors.New("no origin may use this API")
	}
	for _, origin := range origins {
		// A wildcard would let in whoever gets a page onto one of its hosts.
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || strings.Contains(origin, "*") || u.Scheme+"://"+u.Host != origin || u.Scheme != "https" && u.Scheme != "http" {
			return nil, fmt.Errorf("%q is not an origin such as https://app.example", origin)
		}
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{"GET", "POST"},
		// What scripts may send. Authorization must be named: "*" does not cover it.
		AllowedHeaders: []string{"Authorization", "Content-Type"},
		// What scripts may read, of what guards and limits say.
		ExposedHeaders: []string{"WWW-Authenticate", "Retry-After", "RateLimit", "RateLimit-Policy"},
		MaxAge:         600, // seconds for which a browser need not ask again
		// The token comes in a header, so cookies need not: AllowCredentials stays false.
	}).Handler, nil
}

// newRoutes returns a limit for all routes, and the routes with their guards.
func newRoutes() (limit func(http.Handler) http.Handler, routes http.Handler, err error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	key, err := signing.NewKey("EdDSA", private, time.Time{})
	if err != nil {
		return nil, nil, err
	}
	keys, err := signing.NewSchedule(key)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := issuer.New(issuer.Config[struct{}]{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: keys, RefreshKeys: signing.NewEphemeral(), Store: issuer.NewMemoryStore(),
	})
	if err != nil {
		return nil, nil, err
	}
	verify, err := claims.NewVerifier[struct{}](claims.Config{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: tokens.KeySet(),
	})
	if err != nil {
		return nil, nil, err
	}
	perAddress, err := ratelimit.New(ratelimit.Config{Name: "Default", Limit: ratelimit.Per(20, time.Minute), Key: ratelimit.RemoteIP})
	if err != nil {
		return nil, nil, err
	}
	guard, mux := middleware.New(verify, middleware.Config{}), http.NewServeMux()
	mux.Handle("POST /login", tokens.LoginHandler(login))
	mux.Handle("GET /me", guard.Handler(http.HandlerFunc(me)))
	mux.Handle("GET /reports", guard.Scope("reports").Handler(http.HandlerFunc(me)))
	return perAddress.Handler, http.MaxBytesHandler(mux, 64<<10), nil
}

// login believes everybody; examples/quickstart has passwords.
func login(r *http.Request) (claims.Claims[struct{}], error) {
	in, err := issuer.ReadBody(r, "user") // a form or JSON
	if err == nil && in["user"] == "" {
		err = issuer.ErrRefused
	}
	return claims.Claims[struct{}]{Subject: in["user"]}, err
}

func me(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, claims.MustFromContext[struct{}](r.Context()).Subject)
}
