package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
	"github.com/gatehouse-go/gatehouse/middleware"
)

func runResource(ctx context.Context, args []string) error {
	f := flags("resource")
	url := f.String("jwks", "http://127.0.0.1:8081/jwks.json", "where the issuer publishes its keys")
	addr := f.String("addr", "127.0.0.1:8082", "address to listen on")
	refresh := f.Duration("refresh", 5*time.Second, "how often the keys are fetched")
	if err := f.Parse(args); err != nil {
		return err
	}
	keys, err := jwks.New(jwks.Config{URL: *url, Refresh: *refresh})
	if err != nil {
		return err
	}
	defer keys.Close()
	verify, err := claims.NewVerifier[struct{}](claims.Config{Issuer: issuerName, Audience: []string{audience}, Keys: keys})
	if err != nil {
		return err
	}
	guard := middleware.New(verify, middleware.Config{})
	mux := http.NewServeMux()
	mux.Handle("GET /me", guard.Handler(http.HandlerFunc(me)))
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		if err := keys.Ready(r.Context()); err != nil {
			http.Error(w, "keys are out of reach", http.StatusServiceUnavailable)
		}
	})
	return serve(ctx, *addr, mux)
}

func me(w http.ResponseWriter, r *http.Request) {
	caller := claims.MustFromContext[struct{}](r.Context())
	fmt.Fprintln(w, "hello,", caller.Subject)
}
