package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// TenantKeys follows the keys that a tenant publishes. A tenant out of reach
// keeps nobody else out: its keys are then fetched later. Close the set when the
// server ends.
func TenantKeys(issuer string, logger *slog.Logger) (*jwks.Set, error) {
	return jwks.New(jwks.Config{
		URL:        strings.TrimSuffix(issuer, "/") + "/.well-known/jwks.json",
		Algorithms: []string{"RS256"}, StartEmpty: true, Logger: logger,
	})
}

// announcement is how clients learn where to log in.
func (t Tenant) announcement() string {
	domain := t.Issuer
	if u, err := url.Parse(t.Issuer); err == nil && u.Host != "" {
		domain = u.Host
	}
	return fmt.Sprintf("%s domain=%s audience=%s clientid=%s", auth0, domain, t.Audience, t.ClientID)
}

// tenantVerifier checks a tenant's access tokens. Each of the tenant's APIs has
// one of two profiles: Auth0's own, whose header says JWT, and that of RFC 9068,
// whose header says at+jwt.
// It is not joined (claims.Join) with the verifier of our own tokens: a foreign
// token may log in and open nothing else, and one of ours may not log in.
type tenantVerifier struct {
	users    []string
	profiles [2]*claims.Verifier[struct{}]
}

func (t Tenant) verifier() (*tenantVerifier, error) {
	v := &tenantVerifier{users: t.Users}
	for i, dialect := range []claims.Dialect{{AccessType: "JWT", AbsentType: true}, {}} {
		var err error
		v.profiles[i], err = claims.NewVerifier[struct{}](claims.Config{
			Issuer: t.Issuer, Audience: []string{t.Audience}, Keys: t.Keys, Dialect: dialect,
		})
		if err != nil {
			return nil, fmt.Errorf("Auth0: %w", err)
		}
	}
	return v, nil
}

// subject returns whose token it is. Its error matches claims.ErrInvalid if the
// token is bad, or good and of somebody who may not log in; any other error says
// that it could not be checked.
func (v *tenantVerifier) subject(ctx context.Context, token string) (string, error) {
	c, err := v.profiles[0].Verify(ctx, token)
	if errors.Is(err, claims.ErrInvalid) {
		// The types exclude each other, so at most one profile accepts a token, and
		// the other refuses it before it asks for a key.
		c, err = v.profiles[1].Verify(ctx, token)
	}
	switch {
	case err != nil:
		return "", err
	case !slices.Contains(v.users, c.Subject):
		return "", claims.ErrInvalid
	}
	return c.Subject, nil
}
