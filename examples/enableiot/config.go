package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// Config is what a server is made of. Users and Keys are required. The zero value
// is an error.
type Config struct {
	// Users may log in.
	Users []User
	// Keys sign: RS256.
	Keys *signing.Schedule
	// RefreshKeys sign refresh tokens, which nobody but this server reads: the same
	// wherever Store is. They are required with Store, and random without.
	RefreshKeys *signing.Schedule
	// Store keeps sessions. Nil is one in memory, which ends with the process.
	Store issuer.Store

	// AccessLife is how long tokens live, 24 hours if 0. They never outlive their
	// refresh token, if there are refresh tokens.
	AccessLife time.Duration
	// RefreshLife is how long refresh tokens live, 30 days if 0.
	RefreshLife time.Duration
	// RefreshTokens says that there are any, as in the later generations.
	RefreshTokens bool
	// MillisecondExpiry writes exp as milliseconds since 1970. Without, it is a
	// text such as "2014-10-02T07:53:25.361Z".
	MillisecondExpiry bool

	// AuthLimit is how many logins and refreshes an address has a minute, 60 if 0.
	AuthLimit int
	// HourlyLimit is how many requests an hour a user has to each route, 1000 if 0.
	HourlyLimit int
	// Logger hears of requests that can't be answered; slog.Default() if nil.
	Logger *slog.Logger
}

// User is somebody who may log in.
type User struct {
	// Email names the user, however it is spelled.
	Email string
	// Password is kept as a digest.
	Password string
	// Role is what the user is in the account named demo, such as "admin" or
	// "user". An empty one makes a user without accounts, as one who has just
	// registered.
	Role string
	// Locked users get no token, and can't use those that they have.
	Locked bool
}

// roles are words such as admin and user.
var roles = regexp.MustCompile(`^\w{0,32}$`)

// settled returns c with its defaults, or every mistake in it.
func (c Config) settled() (Config, error) {
	c.AccessLife = cmp.Or(c.AccessLife, 24*time.Hour)
	c.RefreshLife = cmp.Or(c.RefreshLife, 30*24*time.Hour)
	if !c.RefreshTokens { // so no session need outlive its access token
		c.RefreshLife = c.AccessLife
	}
	c.AccessLife = min(c.AccessLife, c.RefreshLife)
	c.AuthLimit = cmp.Or(c.AuthLimit, 60)
	c.HourlyLimit = cmp.Or(c.HourlyLimit, 1000)
	if c.Store == nil && c.RefreshKeys == nil {
		c.RefreshKeys = signing.NewEphemeral()
	}
	if c.Store == nil {
		c.Store = issuer.NewMemoryStore()
	}
	var mistakes []error
	wrong := func(is bool, field, format string, args ...any) {
		if is {
			mistakes = append(mistakes, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
		}
	}
	wrong(len(c.Users) == 0, "Users", "at least one is needed")
	users := c.Users
	c.Users = nil
	for _, u := range users {
		email, err := ratelimit.Email(u.Email)
		wrong(err != nil, "Users", "%v", err)
		wrong(slices.ContainsFunc(c.Users, func(v User) bool { return v.Email == email }), "Users", "%s is given twice", email)
		wrong(u.Password == "", "Users", "%s has no password", email)
		wrong(!roles.MatchString(u.Role), "Users", "%s has a role that is not a word", email)
		u.Email = email
		c.Users = append(c.Users, u)
	}
	wrong(c.Keys == nil || len(c.Keys.Keys()) == 0, "Keys", "at least one is needed")
	if c.Keys != nil {
		for _, key := range c.Keys.Keys() { // tokenInfo says so
			wrong(key.Algorithm() != "RS256", "Keys", "%v: this system's tokens are RS256", key)
		}
	}
	wrong(c.RefreshKeys == nil, "RefreshKeys", "are needed with Store")
	wrong(c.AccessLife < time.Second, "AccessLife", "%v is less than a second", c.AccessLife)
	wrong(c.RefreshLife < time.Second, "RefreshLife", "%v is less than a second", c.RefreshLife)
	wrong(c.AuthLimit < 0, "AuthLimit", "%d is less than 0", c.AuthLimit)
	wrong(c.HourlyLimit < 0, "HourlyLimit", "%d is less than 0", c.HourlyLimit)
	return c, errors.Join(mistakes...)
}
