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
// Issuer, Audience, Keys and Store are required, but for what the Dialect says
// is not there. Durations that are 0 stand for their defaults; all others are
// at least a second but for Grace.
type Config[T any] struct {
	// Issuer is the iss of every token.
	Issuer string
	// Audience is the aud of every token.
	Audience []string
	// Dialect is how tokens are written; the zero value is RFC 9068. Its
	// Members, if it names any, must list jti.
	Dialect claims.Dialect

	// Keys sign access tokens, and refresh tokens too unless there are
	// RefreshKeys.
	Keys *signing.Schedule
	// RefreshKeys, if set, sign refresh tokens and nothing else. They are
	// never published, so a secret will do: only the issuer reads refresh
	// tokens, and with an HMAC secret (signing.NewSecret) a pair costs one signature
	// of Keys where it would cost two. None of them may be among Keys.
	RefreshKeys *signing.Schedule
	// Lead is how long before it signs a key is published, so that verifiers
	// have it in time; 24 h if 0, at most 366 days.
	Lead time.Duration
	// NoKeyID leaves the kid out of headers, for systems whose clients expect
	// none. Verifiers then try every key that is published.
	NoKeyID bool
	// UUIDs makes every jti look like a UUID (version 8, RFC 9562 §5.8), for
	// systems whose clients expect one. It has room for 80 random bits of
	// session instead of 128, and for 2^24 generations.
	UUIDs bool

	// Store keeps the sessions.
	Store Store
	// Renew, if set, is called at every refresh before anything is spent (twice
	// if the refresh lost a race), with the claims that the session has: read
	// the account again, and change them to what it may do now. It may change
	// Party, Scope and App, up and down, and what it sets is what the session
	// has from then on; other fields are not its to change. ErrRefused ends the
	// session; any other error, and a panic, leaves everything as it was.
	//
	// Without Renew every refresh grants what Issue was told, so that who was
	// disabled, or lost a right, goes on for up to SessionLife. Set it, or call
	// RevokeAll wherever an account is disabled or loses a right.
	Renew func(ctx context.Context, c *claims.Claims[T]) error

	// AccessLife is how long an access token is valid, and so for how long a
	// session that was ended, or a right that was taken away, still works where
	// no SessionVerifier looks; 15 minutes if 0, at most 7 days.
	AccessLife time.Duration
	// RefreshLife is how long a refresh token is valid, and so how long a
	// session may lie idle; 7 days if 0, or SessionLife if that is less.
	RefreshLife time.Duration
	// SessionLife is how long a session lasts however often it is refreshed;
	// 30 days if 0, or RefreshLife if that is more. At most 3660 days.
	SessionLife time.Duration
	// Grace is for how long after a refresh the token that was spent gets the
	// same successor again, for clients that lose answers or refresh twice at
	// once; 0 to 1 minute. For as long, a stolen token that was just spent
	// works too, and the theft shows only when one of the two successors is
	// used after the other.
	Grace time.Duration

	// OnEvent, if set, is called for each [Event], which says when one may come
	// again, after the session has ended and before the answer. It must not block
	// for long.
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
	// leeway is how far other machines' clocks may be off: for as long a key is
	// kept beyond its last token.
	leeway = 5 * time.Minute
)

// settled returns c with its defaults filled in, or every mistake in it but
// those that claims.NewVerifier and claims.NewEncoder find.
func (c Config[T]) settled() (Config[T], error) {
	var mistakes []error
	mistake := func(format string, a ...any) {
		mistakes = append(mistakes, fmt.Errorf("issuer: Config."+format, a...))
	}
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

// isNil finds a nil pointer in s: the usual remains of an error that was not
// looked at.
func isNil(s Store) bool {
	v := reflect.ValueOf(s)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// defaultLives fills in durations that are 0, such that they fit those that are
// set.
func (c *Config[T]) defaultLives() {
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
