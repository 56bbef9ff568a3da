package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
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
	if *life < time.Second || *lead < time.Second {
		return errors.New("-lead and -access-ttl: want at least 1s")
	}
	handler, keys, err := newIssuer(*dir, *lead, *life)
	if err != nil {
		return err
	}
	go reloadAtHangup(ctx, keys)
	return serve(ctx, *addr, handler)
}

// newIssuer also returns its keys. They follow the directory by themselves: the
// first use of a key that comes ten seconds after the last look looks again.
func newIssuer(dir string, lead, life time.Duration) (http.Handler, *signing.Schedule, error) {
	if err := firstKey(dir); err != nil {
		return nil, nil, err
	}
	keys, err := signing.LoadSchedule(dir, nil)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := issuer.New(issuer.Config[struct{}]{
		Issuer: issuerName, Audience: []string{audience}, Keys: keys, Lead: lead,
		// With a secret of their own for refresh tokens, keys in the directory are
		// published no longer than access tokens need them.
		RefreshKeys: signing.NewEphemeral(),
		AccessLife:  life, RefreshLife: 10 * life, Store: issuer.NewMemoryStore(),
	})
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /jwks.json", tokens.JWKS())
	mux.Handle("POST /token", tokens.LoginHandler(anybody))
	mux.Handle("POST /refresh", tokens.RefreshHandler())
	return mux, keys, nil
}

// reloadAtHangup is for operators who don't want to wait those ten seconds.
func reloadAtHangup(ctx context.Context, keys *signing.Schedule) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-hangup:
			if err := keys.Reload(); err != nil { // the keys stay as they were
				slog.Error("jwks: the directory of keys was not read", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// anybody gets a token here, because this is about keys. Yours asks for a
// password: see examples/quickstart.
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
