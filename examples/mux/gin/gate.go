package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// settings are what differs between starts. Zero values stand for defaults.
type settings struct {
	accessLife time.Duration // of access tokens; 15 minutes if 0
	upstream   *url.URL      // of the service behind the gate; if nil there is none, and /service answers 502
	logger     *slog.Logger  // slog.Default if nil
}

// gate holds the pieces that routes mounts.
type gate struct {
	guard      *middleware.Guard[Account]
	loginLimit func(http.Handler) http.Handler
	login      http.Handler // answers with a pair of tokens
	service    http.Handler // another server, behind this one

	closing chan struct{}
	close   func() // ends all streams; http.Server.Shutdown would wait for them
}

// newGate returns a gate with keys and sessions of its own. A real server loads
// its keys, and keeps sessions in a store that outlives it.
func newGate(s settings) (*gate, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := signing.NewKey("EdDSA", private, time.Time{})
	if err != nil {
		return nil, err
	}
	keys, err := signing.NewSchedule(key)
	if err != nil {
		return nil, err
	}
	tokens, err := issuer.New(issuer.Config[Account]{
		Issuer: "https://id.example", Audience: []string{"api"},
		Keys: keys, RefreshKeys: signing.NewEphemeral(), Store: issuer.NewMemoryStore(), AccessLife: s.accessLife, Logger: s.logger,
	})
	if err != nil {
		return nil, err
	}
	verify, err := claims.NewVerifier[Account](claims.Config{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: tokens.KeySet(),
	})
	if err != nil {
		return nil, err
	}
	limit, err := ratelimit.New(ratelimit.Config{
		Name: "Login", Limit: ratelimit.Per(5, time.Minute), Key: ratelimit.RemoteIP, Quiet: true, Logger: s.logger,
	})
	if err != nil {
		return nil, err
	}
	closing := make(chan struct{})
	return &gate{
		guard:      middleware.New(verify, middleware.Config{Logger: s.logger}),
		loginLimit: limit.Handler,
		login:      tokens.LoginHandler(authenticate),
		service:    newProxy(s.upstream, s.logger),
		closing:    closing,
		close:      sync.OnceFunc(func() { close(closing) }),
	}, nil
}
