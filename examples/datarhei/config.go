package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// The methods to log in, as clients know them. What stands behind auth0 is in
// Tenant.announcement.
const (
	localJWT = "localjwt"
	auth0    = "auth0"
)

// Config is what a server is made of. Username and Password are required. The
// zero value is an error.
type Config struct {
	// Username and Password are those of the one user.
	Username, Password string
	// AccessLife is how long access tokens live, 10 minutes if 0. They never
	// outlive their refresh token.
	AccessLife time.Duration
	// RefreshLife is how long refresh tokens live, 24 hours if 0.
	RefreshLife time.Duration
	// AuthLimit is how many logins and refreshes an address has a minute, 60 if 0.
	AuthLimit int
	// Rotate spends refresh tokens: the answer brings the next one.
	Rotate bool
	// Auth0 is a tenant whose users may log in too. The zero Tenant is none.
	Auth0 Tenant
	// FirstAuth is the method that strangers are told first, "localjwt" or
	// "auth0". If it is empty, chance decides at each answer, as in the original:
	// there is a client that looks no further than the first method it knows.
	FirstAuth string
	// Logger hears of requests that can't be answered; slog.Default() if nil.
	Logger *slog.Logger
}

// Tenant is an Auth0 tenant. All fields are required, or none.
type Tenant struct {
	// Issuer is the iss of the tenant's tokens, exactly.
	Issuer string
	// Audience must be in the aud of its tokens: without, tokens would open that
	// were made for other applications.
	Audience string
	// ClientID is told to clients, which log in at the tenant with it.
	ClientID string
	// Users are the subjects that may log in.
	Users []string
	// Keys are the tenant's, such as TenantKeys follows.
	Keys claims.KeySet
}

func (t Tenant) configured() bool {
	return t.Issuer != "" || t.Audience != "" || t.ClientID != "" || t.Users != nil || t.Keys != nil
}

// settled returns c with its defaults, or every mistake in it.
func (c Config) settled() (Config, error) {
	c.RefreshLife = cmp.Or(c.RefreshLife, 24*time.Hour)
	c.AccessLife = min(cmp.Or(c.AccessLife, 10*time.Minute), c.RefreshLife)
	c.AuthLimit = cmp.Or(c.AuthLimit, 60)
	c.Auth0.Users = slices.Clone(c.Auth0.Users)
	var mistakes []error
	wrong := func(is bool, field, format string, args ...any) {
		if is {
			mistakes = append(mistakes, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
		}
	}
	wrong(c.Username == "", "Username", "must not be empty")
	wrong(c.Password == "", "Password", "must not be empty")
	wrong(c.AccessLife < time.Second, "AccessLife", "%v is less than a second", c.AccessLife)
	wrong(c.RefreshLife < time.Second, "RefreshLife", "%v is less than a second", c.RefreshLife)
	wrong(c.AuthLimit < 0, "AuthLimit", "%d is less than 0", c.AuthLimit)
	if t := c.Auth0; t.configured() {
		wrong(t.Issuer == "", "Auth0.Issuer", "is needed with the tenant's other settings")
		wrong(t.Audience == "", "Auth0.Audience", "is needed with a tenant")
		wrong(t.ClientID == "", "Auth0.ClientID", "is needed with a tenant")
		wrong(len(t.Users) == 0 || slices.Contains(t.Users, ""), "Auth0.Users", "names of users are needed with a tenant")
		// Tokens name their subject and not the way it came in.
		wrong(slices.Contains(t.Users, c.Username), "Auth0.Users", "%q is the user with the password", c.Username)
		wrong(t.Keys == nil && t.Issuer != "", "Auth0.Keys", "are needed with a tenant")
	}
	wrong(c.FirstAuth != "" && c.FirstAuth != localJWT && c.FirstAuth != auth0, "FirstAuth", "%q is neither localjwt nor auth0", c.FirstAuth)
	wrong(c.FirstAuth == auth0 && !c.Auth0.configured(), "FirstAuth", "auth0 needs a tenant")
	return c, errors.Join(mistakes...)
}
