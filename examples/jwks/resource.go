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
	least := f.Duration("min-interval", time.Second, "least time between two fetches, whatever asks for them")
	if err := f.Parse(args); err != nil {
		return err
	}
	handler, stop, err := newResource(jwks.Config{URL: *url, Refresh: *refresh, MinInterval: *least})
	if err != nil {
		return fmt.Errorf("-jwks, -refresh, -min-interval: %w", err)
	}
	defer stop()
	return serve(ctx, *addr, handler)
}

// newResource also returns what ends the fetching of keys.
func newResource(c jwks.Config) (handler http.Handler, stop func(), err error) {
	keys, err := jwks.New(c)
	if err != nil {
		return nil, nil, err
	}
	verify, err := claims.NewVerifier[struct{}](claims.Config{Issuer: issuerName, Audience: []string{audience}, Keys: keys})
	if err != nil {
		keys.Close()
		return nil, nil, err
	}
	guard := middleware.New(verify, middleware.Config{})
	mux := http.NewServeMux()
	mux.Handle("GET /me", guard.Handler(http.HandlerFunc(me)))
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		if err := keys.Ready(r.Context()); err != nil {
			http.Error(w, "keys are out of reach", http.StatusServiceUnavailable)
		}
	})
	return mux, keys.Close, nil
}

func me(w http.ResponseWriter, r *http.Request) {
	caller := claims.MustFromContext[struct{}](r.Context())
	fmt.Fprintln(w, "hello,", caller.Subject)
}
