package issuer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// maxToken is how long a token may get: servers read 8 to 16 KiB of header
// lines, and proxies in front of them as little as 8.
const maxToken = 7 << 10

// mint writes and signs the pair of e's generation, or of it the access token
// alone. That lives no longer than the session would without a refresh.
func (s *Issuer[T]) mint(ctx context.Context, e *session, c *claims.Claims[T], now time.Time, both bool) (Pair, error) {
	access := claims.Claims[T]{
		Use: claims.Access, Issuer: s.config.Issuer, Subject: e.subject, Audience: s.config.Audience,
		IssuedAt: now, Expiry: earlier(now.Add(s.config.AccessLife), e.expiry),
		ID: s.ids.access(e.id, e.accessGeneration()), Session: e.id,
		Party: c.Party, Scope: c.Scope, App: c.App,
	}
	refresh := claims.Claims[T]{
		Use: claims.Refresh, Issuer: s.config.Issuer, Subject: e.subject, Audience: s.config.Audience,
		IssuedAt: e.rotated, Expiry: e.expiry,
		ID: s.ids.refresh(e.id, e.generation), Session: e.id, AccessID: access.ID,
	}
	if slices.Contains(s.config.Dialect.Members, "nbf") {
		access.NotBefore, refresh.NotBefore = access.IssuedAt, refresh.IssuedAt
	}
	p := Pair{ExpiresIn: access.Expiry.Sub(now), Scope: strings.Join(c.Scope, " "), Session: e.id}
	var err error
	if p.AccessToken, err = s.token(ctx, s.config.Keys, &access); err != nil {
		return Pair{}, fmt.Errorf("issuer: access token: %w", err)
	}
	if !both {
		return p, nil
	}
	refreshKeys := s.config.RefreshKeys
	if refreshKeys == nil {
		refreshKeys = s.config.Keys
	}
	if p.RefreshToken, err = s.token(ctx, refreshKeys, &refresh); err != nil {
		return Pair{}, fmt.Errorf("issuer: refresh token: %w", err)
	}
	return p, nil
}

// token writes one token, and has it signed by the key that signs now, by the
// machine's clock: whoever verifies has no other for the schedule.
func (s *Issuer[T]) token(ctx context.Context, keys *signing.Schedule, c *claims.Claims[T]) (string, error) {
	token, err := keys.Sign(ctx, func(h claims.Header) (string, error) {
		if s.config.NoKeyID {
			h.KeyID = ""
		}
		return s.encoder.Encode(h, c)
	})
	if err == nil && len(token) > maxToken {
		return "", fmt.Errorf("it would have %d bytes, more than %d: shorten Scope or App", len(token), maxToken)
	}
	return token, err
}

// onlyGranted refuses claims that are the issuer's to set.
func onlyGranted[T any](c *claims.Claims[T]) error {
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"Issuer", c.Issuer != ""}, {"Audience", len(c.Audience) > 0}, {"Expiry", !c.Expiry.IsZero()},
		{"NotBefore", !c.NotBefore.IsZero()}, {"IssuedAt", !c.IssuedAt.IsZero()}, {"ID", c.ID != ""},
		{"Session", c.Session != ""}, {"Use", c.Use != ""}, {"AccessID", c.AccessID != ""},
	} {
		if field.set {
			return fmt.Errorf("issuer: Claims.%s is set, which is the issuer's to set", field.name)
		}
	}
	return nil
}
