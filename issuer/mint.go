package issuer

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// maxToken is how long a token may get: servers read 8 to 16 KiB of header lines, and
// proxies in front of them may read only 8.
const maxToken = 7 << 10

// mint writes and signs the pair of a session's generation, or only its access token.
// No access token lives longer than the session would without a refresh.
func (i *Issuer[T]) mint(ctx context.Context, session *session, c *claims.Claims[T], now time.Time, both bool) (Pair, error) {
	access := claims.Claims[T]{
		Use: claims.Access, Issuer: i.config.Issuer, Subject: session.subject, Audience: i.config.Audience,
		IssuedAt: now, Expiry: earlier(now.Add(i.config.AccessLife), session.expiry),
		ID: i.ids.newAccess(session.id, session.accessGeneration()), Session: session.id,
		Party: c.Party, Scope: c.Scope, App: c.App,
	}
	// The refresh token is dated by the begin of its generation, not by now, and its id
	// is not random. So a repeat within Grace hands out the same successor as the first
	// answer, which may have been lost: same id, same dates. Two that differ would be
	// two live successors of one token.
	refresh := claims.Claims[T]{
		Use: claims.Refresh, Issuer: i.config.Issuer, Subject: session.subject, Audience: i.config.refreshAudience(),
		IssuedAt: session.rotated, Expiry: session.expiry,
		ID: i.ids.refresh(session.id, session.generation), Session: session.id, AccessID: access.ID,
	}
	if slices.Contains(i.config.Dialect.Members, "nbf") {
		access.NotBefore, refresh.NotBefore = access.IssuedAt, refresh.IssuedAt
	}
	p := Pair{ExpiresIn: access.Expiry.Sub(now), Scope: strings.Join(c.Scope, " "), Session: session.id}
	var err error
	if p.AccessToken, err = i.token(ctx, i.config.Keys, &access); err != nil {
		return Pair{}, fmt.Errorf("issuer: access token: %w", err)
	}
	if !both {
		return p, nil
	}
	keys := i.config.RefreshKeys
	if keys == nil {
		keys = i.config.Keys
	}
	if p.RefreshToken, err = i.token(ctx, keys, &refresh); err != nil {
		return Pair{}, fmt.Errorf("issuer: refresh token: %w", err)
	}
	return p, nil
}

// token writes one token and has it signed. The key is the one that signs now by the
// machine's clock, because verifiers have no other clock for the schedule.
func (i *Issuer[T]) token(ctx context.Context, keys *signing.Schedule, c *claims.Claims[T]) (string, error) {
	token, err := keys.Sign(ctx, func(h claims.Header) (string, error) {
		if i.config.NoKeyID {
			h.KeyID = ""
		}
		return i.encoder.Encode(h, c)
	})
	if err == nil && len(token) > maxToken {
		return "", fmt.Errorf("it would have %d bytes, more than %d: shorten Scope or App", len(token), maxToken)
	}
	return token, err
}

// onlyGranted refuses claims in which a field is set that is the issuer's to set.
// Those are all but the four that Issue takes, so a claim that is added later is
// refused until Issue grants it.
func onlyGranted[T any](c *claims.Claims[T]) error {
	var none T
	rest := *c
	rest.Subject, rest.Party, rest.Scope, rest.App = "", "", nil, none
	fields := reflect.ValueOf(rest)
	for i := range fields.NumField() {
		field := fields.Field(i)
		isZero := field.IsZero()
		switch value := field.Interface().(type) {
		case time.Time: // its zero may have a location
			isZero = value.IsZero()
		case []string:
			isZero = len(value) == 0
		}
		if !isZero {
			return fmt.Errorf("issuer: Claims.%s is set, which is the issuer's to set", fields.Type().Field(i).Name)
		}
	}
	return nil
}
