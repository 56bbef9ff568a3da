package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// The names by which issuer and resource server know each other.
const (
	issuerName = "https://id.example"
	audience   = "api"
)

func runIssuer(ctx context.Context, args []string) error {
	f := flags("issuer")
	dir := f.String("keys", "keys", "directory of private keys; the first is made if there is none")
	addr := f.String("addr", "127.0.0.1:8081", "address to listen on")
	lead := f.Duration("lead", 10*time.Second, "how long before it signs a key is published")
	life := f.Duration("access-ttl", time.Minute, "how long an access token is valid")
	if err := f.Parse(args); err != nil {
		return err
	}
	if err := firstKey(*dir); err != nil {
		return err
	}
	keys, err := signing.LoadSchedule(*dir, nil)
	if err != nil {
		return err
	}
	tokens, err := issuer.New(issuer.Config[struct{}]{
		Issuer: issuerName, Audience: []string{audience},
		Keys: keys, Lead: *lead, AccessLife: *life, RefreshLife: 10 * *life, Store: issuer.NewMemoryStore(),
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /jwks.json", tokens.JWKS())
	mux.Handle("POST /token", tokens.LoginHandler(anybody))
	mux.Handle("POST /refresh", tokens.RefreshHandler())
	return serve(ctx, *addr, mux)
}

// anybody gets a token here, because this is about keys. Yours asks for a
// password: see ../quickstart.
func anybody(r *http.Request) (claims.Claims[struct{}], error) {
	return claims.Claims[struct{}]{Subject: "anybody"}, nil
}

// firstKey makes sure that there is a key to begin with.
func firstKey(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return nil
	}
	_, err = writeKey(dir, "EdDSA", time.Now())
	return err
}
