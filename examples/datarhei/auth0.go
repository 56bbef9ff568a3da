package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// tenant is an Auth0 tenant whose users may log in.
type tenant struct {
	issuer, audience, clientID string
	users                      []string
}

// check finds what is missing: a tenant without an audience would let in tokens
// that were made for other applications, one without users everybody.
func (t tenant) check() error {
	given := t.issuer + t.audience + t.clientID + strings.Join(t.users, "")
	switch {
	case given == "" && t.users == nil:
		return nil
	case t.issuer == "":
		return errors.New("-auth0-issuer: is needed with the other -auth0 flags")
	case t.audience == "":
		return errors.New("-auth0-audience: is needed with -auth0-issuer")
	case len(t.users) == 0 || slices.Contains(t.users, ""):
		return errors.New("-auth0-users: names of users are needed with -auth0-issuer")
	}
	return nil
}

func (t tenant) configured() bool { return t.issuer != "" }

// announcement is how clients learn where to log in.
func (t tenant) announcement() string {
	domain := t.issuer
	if u, err := url.Parse(t.issuer); err == nil {
		domain = u.Host
	}
	return fmt.Sprintf("auth0 domain=%s audience=%s clientid=%s", domain, t.audience, t.clientID)
}

// verifier checks tokens of the tenant, with the keys that it publishes. A tenant
// out of reach keeps nobody else out: its keys are then fetched later.
// It is not joined (claims.Join) with the verifier of our own tokens: a foreign
// token may log in and open nothing else, and one of ours may not log in.
func (t tenant) verifier(logger *slog.Logger) (*claims.Verifier[struct{}], *jwks.Set, error) {
	config := jwks.Config{
		URL:        strings.TrimSuffix(t.issuer, "/") + "/.well-known/jwks.json",
		Algorithms: []string{"RS256"}, Logger: logger,
	}
	keys, err := jwks.New(config)
	if err != nil {
		config.StartEmpty = true
		keys, err = jwks.New(config)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("-auth0-issuer: %w", err)
	}
	v, err := claims.NewVerifier[struct{}](claims.Config{
		Issuer: t.issuer, Audience: []string{t.audience}, Keys: keys,
		Dialect: claims.Dialect{AccessType: "JWT", AbsentType: true},
	})
	if err != nil {
		keys.Close()
	}
	return v, keys, err
}

func (t tenant) allows(subject string) bool { return slices.Contains(t.users, subject) }
