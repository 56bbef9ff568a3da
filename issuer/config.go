package issuer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// Config says what an [Issuer] writes, with which keys, and how long it lasts.
// Issuer, Audience, Keys and Store are required; not Issuer or Audience if the Dialect
// says that tokens have none. A duration that is 0 stands for its default.
type Config[T any] struct {
	// Issuer is the iss of every token.
	Issuer string
	// Audience is the aud of every access token. A refresh token is for the issuer
	// alone (RFC 6749 §1.5): its aud is Issuer, so no other program that checks the
	// audience takes it for an access token (RFC 8725 §3.12). Audience may hold Issuer
	// only with RefreshKeys.
	Audience []string
	// Dialect is how tokens are written; the zero value is RFC 9068. Its
	// Members, if it names any, must list jti.
	Dialect claims.Dialect

	// Keys sign access tokens, and refresh tokens too unless there are
	// RefreshKeys. Then a program that checks neither typ nor aud takes a refresh
	// token for an access token, for as long as RefreshLife.
	Keys *signing.Schedule
	// RefreshKeys, if set, sign refresh tokens and nothing else. Set it: then no
	// other program can take a refresh token for an access token, whatever it
	// checks. They are never published, so a secret will do (signing.NewSecret),
	// and a pair costs one signature of Keys instead of two. No key may be in both.
	RefreshKeys *signing.Schedule
	// Lead is how long before it signs a key is published, so that verifiers
	// have it in time; 24 h if 0, at most 366 days.
	Lead time.Duration
	// NoKeyID leaves the kid out of headers, for systems whose clients expect
	// that. Verifiers then try every key that is published.
	NoKeyID bool
	// UUIDs makes every jti look like a UUID (version 8, RFC 9562 §5.8), for
	// systems whose clients expect one. A session then has 80 random bits instead
	// of 128, and can be refreshed 2^24 times.
	UUIDs bool

	// Store keeps the sessions.
	Store Store
	// Renew, if set, is called at every refresh, before anything is spent, with the
	// claims that the session has. It reads the account again and changes the claims
	// to what the account may do now. ErrRefused ends the session; any other error,
	// and a panic, leaves everything as it was.
	//
	// It may change Party, Scope and App, up and down. In an App that is a map or an any,
	// numbers are json.Number, to the last digit as they were issued. What it sets is what the
	// session has from then on. It must not change other fields. It is called twice
	// if the refresh lost a race.
	//
	// Without Renew every refresh grants what Issue was told. An account that was
	// disabled, or that lost a right, then goes on for up to SessionLife. Set Renew,
	// or call RevokeAll wherever an account is disabled or loses a right.
	Renew func(ctx context.Context, c *claims.Claims[T]) error

	// AccessLife is how long an access token is valid; 15 minutes if 0, 1 second to
	// 7 days. For as long a session that has ended, or a right that was taken away,
	// still works where no SessionVerifier looks.
	AccessLife time.Duration
	// RefreshLife is how long a refresh token is valid, and so how long a session
	// may lie idle; if 0, 7 days, or SessionLife if that is less. At least 1 second.
	RefreshLife time.Duration
	// SessionLife is how long a session lasts however often it is refreshed; if 0,
	// 30 days, or RefreshLife if that is more. At least 1 second, at most 3660 days.
	SessionLife time.Duration
	// Grace is for how long after a refresh the spent token gets the same successor
	// again, for clients that lose answers or refresh twice at once; 0 to 1 minute.
	// For as long a stolen token that was just spent works too. The theft then shows
	// only when both the thief and the owner have used the successor.
	Grace time.Duration

	// OnEvent, if set, is called for each [Event], after the session has ended and
	// before the answer. It must not block for long. Event says when the same one may
	// come again.
	OnEvent func(ctx context.Context, e Event)
	// Logger receives events, and from handlers what clients are not told;
	// slog.Default() if nil.
	Logger *slog.Logger
}

const (
	maxAccessLife  = 7 * 24 * time.Hour
	maxSessionLife = 3660 * 24 * time.Hour
	maxGrace       = time.Minute
	maxLead        = 366 * 24 * time.Hour
	// leeway is how far the clocks of other machines may be off. A key is kept for
	// as long beyond its last token.
	leeway = 5 * time.Minute
)

// settled returns c with its defaults filled in, or every mistake in it but
// those that claims.NewVerifier and claims.NewEncoder find.
func (c Config[T]) settled() (Config[T], error) {
	var mistakes []error
	mistake := func(format string, a ...any) {
		mistakes = append(mistakes, fmt.Errorf("issuer: Config."+format, a...))
	}
	// Frozen: what the caller does to its slices later has no effect.
	c.Audience = slices.Clone(c.Audience)
	c.Dialect.Members = slices.Clone(c.Dialect.Members)
	if c.Dialect.Members != nil && !slices.Contains(c.Dialect.Members, "jti") {
		mistake("Dialect.Members must list jti: it names the session")
	}
	if c.Store == nil {
		mistake("Store is missing")
	} else if isNil(c.Store) {
		mistake("Store is a nil %T: was its error looked at?", c.Store)
	}
	if c.Keys == nil {
		mistake("Keys is missing")
	} else if c.Keys.Keys() == nil {
		mistake("Keys was not made by signing.NewSchedule")
	}
	if c.RefreshKeys != nil {
		if c.RefreshKeys.Keys() == nil {
			mistake("RefreshKeys was not made by signing.NewSchedule")
		} else if c.Keys != nil && overlap(c.Keys, c.RefreshKeys) {
			mistake("RefreshKeys has a key that is also in Keys")
		}
	}
	if c.RefreshKeys == nil && slices.Contains(c.Audience, c.Issuer) && c.Issuer != "" {
		mistake("Audience holds Issuer, to which refresh tokens are addressed: set RefreshKeys, or give the API a name of its own")
	}
	c.defaultLives()
	for _, d := range []struct {
		field           string
		value, min, max time.Duration
	}{
		{"AccessLife", c.AccessLife, time.Second, maxAccessLife},
		{"RefreshLife", c.RefreshLife, time.Second, maxSessionLife},
		{"SessionLife", c.SessionLife, time.Second, maxSessionLife},
		{"Grace", c.Grace, 0, maxGrace},
		{"Lead", c.Lead, time.Second, maxLead},
	} {
		if d.value < d.min || d.value > d.max {
			mistake("%s is %v, not between %v and %v", d.field, d.value, d.min, d.max)
		}
	}
	if c.AccessLife > c.RefreshLife {
		mistake("AccessLife is %v, longer than RefreshLife, %v", c.AccessLife, c.RefreshLife)
	}
	if c.RefreshLife > c.SessionLife {
		mistake("RefreshLife is %v, longer than SessionLife, %v", c.RefreshLife, c.SessionLife)
	}
	if c.Grace > 0 && c.Grace >= c.RefreshLife {
		mistake("Grace is %v, not shorter than RefreshLife, %v", c.Grace, c.RefreshLife)
	}
	return c, errors.Join(mistakes...)
}

// overlap reports whether a key is in both schedules.
func overlap(a, b *signing.Schedule) bool {
	for _, k := range a.Keys() {
		for _, other := range b.Keys() {
			if k == other || k.ID() != "" && k.ID() == other.ID() {
				return true
			}
		}
	}
	return false
}

// refreshAudience is the aud of refresh tokens: the issuer alone. Where a Dialect has
// no iss there is no name for the issuer, and refresh tokens have the aud of access
// tokens. Then only RefreshKeys keep the two apart for programs that don't know the
// Dialect.
func (c Config[T]) refreshAudience() []string {
	if c.Dialect.InsecureNoAudience || c.Issuer == "" {
		return c.Audience
	}
	return []string{c.Issuer}
}

// isNil reports whether s holds a nil pointer: what is left of a store whose error was
// not looked at.
func isNil(s Store) bool {
	v := reflect.ValueOf(s)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// defaultLives fills in durations that are 0, so that they fit those that are set.
func (c *Config[T]) defaultLives() {
	// The longer lives first. A default never contradicts what was set: somebody who
	// sets a short SessionLife means the idle time too, and must not get an error
	// about a field that was left alone.
	const day = 24 * time.Hour
	if c.RefreshLife == 0 {
		c.RefreshLife = 7 * day
		if c.SessionLife > 0 {
			c.RefreshLife = min(c.RefreshLife, c.SessionLife)
		}
	}
	if c.SessionLife == 0 {
		c.SessionLife = max(30*day, c.RefreshLife)
	}
	if c.AccessLife == 0 {
		c.AccessLife = min(15*time.Minute, max(c.RefreshLife, time.Second))
	}
	if c.Lead == 0 {
		c.Lead = day
	}
}
