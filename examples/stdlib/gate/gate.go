// Package gate is what the examples stdlib, chi, gin and echo have in common:
// everything that is the same on every mux. How it is mounted is in their
// packages server.
package gate

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

// Settings are what differs between starts. Zero values stand for defaults.
type Settings struct {
	AccessLife time.Duration // of access tokens; 15 minutes if 0
	Upstream   *url.URL      // of the service behind the gate; if nil there is none, and /service answers 502
	Logger     *slog.Logger  // slog.Default if nil
}

// Gate holds the pieces that a server mounts.
type Gate struct {
	Tokens     *issuer.Issuer[Account]
	Guard      *middleware.Guard[Account]
	LoginLimit func(http.Handler) http.Handler

	Login   http.Handler // answers with a pair of tokens
	Events  http.Handler // a stream of server-sent events
	Socket  http.Handler // a connection that is taken over
	Service http.Handler // another server, behind this one

	closing chan struct{}
	close   func()
}

// New returns a gate with keys and sessions of its own. A real server loads its
// keys, and keeps sessions in a store that outlives it.
func New(s Settings) (*Gate, error) {
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
		Keys: keys, Store: issuer.NewMemoryStore(), AccessLife: s.AccessLife, Logger: s.Logger,
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
		Name: "Login", Limit: ratelimit.Per(5, time.Minute), Key: ratelimit.RemoteIP, Quiet: true, Logger: s.Logger,
	})
	if err != nil {
		return nil, err
	}
	g := &Gate{Tokens: tokens, Guard: middleware.New(verify, middleware.Config{Logger: s.Logger}), LoginLimit: limit.Handler}
	g.closing = make(chan struct{})
	g.close = sync.OnceFunc(func() { close(g.closing) })
	g.Login = tokens.LoginHandler(authenticate)
	g.Events = http.HandlerFunc(g.events)
	g.Socket = http.HandlerFunc(g.socket)
	g.Service = newProxy(s.Upstream, s.Logger)
	return g, nil
}

// Close ends all streams; http.Server.Shutdown would wait for them.
func (g *Gate) Close() { g.close() }
