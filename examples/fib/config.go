package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// Config is what a server is made of. Accounts and Audience are required. The
// zero value is an error.
type Config struct {
	// Accounts are all that there are. No two have one e-mail address, or one id.
	Accounts []Account
	// Domain stands behind the @ of the ids of accounts that are given without
	// one; the part of the e-mail address before its @ stands in front. Without
	// Domain every account needs an id.
	Domain string
	// Audience is this server's name in challenges, such as its URL: clients
	// compare it with the server that they talk to.
	Audience string
	// AccessLife is how long access tokens live, 5 minutes if 0. They never
	// outlive their refresh token.
	AccessLife time.Duration
	// RefreshLife is how long refresh tokens live, 24 hours if 0.
	RefreshLife time.Duration
	// AuthLimit is how many requests to the session routes an address has a
	// minute, 60 if 0.
	AuthLimit int
	// ChallengeOnly refuses proofs that are the same at every login.
	ChallengeOnly bool
	// HideUnknown answers 422 and not 404 for accounts that don't exist.
	HideUnknown bool
	// Logger hears of requests that can't be answered; slog.Default() if nil.
	Logger *slog.Logger
}

// name is what may stand on either side of the @ of an id.
const name = `[A-Za-z0-9._+-]{1,64}`

var (
	nameForm = regexp.MustCompile(`^` + name + `$`)
	idForm   = regexp.MustCompile(`^` + name + `@` + name + `$`)
)

// settled returns c with its defaults, or every mistake in it.
func (c Config) settled() (Config, error) {
	c.RefreshLife = cmp.Or(c.RefreshLife, 24*time.Hour)
	c.AccessLife = min(cmp.Or(c.AccessLife, 5*time.Minute), c.RefreshLife)
	c.AuthLimit = cmp.Or(c.AuthLimit, 60)
	var mistakes []error
	wrong := func(is bool, field, format string, args ...any) {
		if is {
			mistakes = append(mistakes, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
		}
	}
	wrong(c.AccessLife < time.Second, "AccessLife", "%v is less than a second", c.AccessLife)
	wrong(c.RefreshLife < time.Second, "RefreshLife", "%v is less than a second", c.RefreshLife)
	wrong(c.AuthLimit < 0, "AuthLimit", "%d is less than 0", c.AuthLimit)
	// Each line of a challenge means something.
	wrong(c.Audience == "" || strings.ContainsAny(c.Audience, "\r\n"), "Audience", "%q must be one line, and not empty", c.Audience)
	wrong(c.Domain != "" && !nameForm.MatchString(c.Domain), "Domain", "%q is not of the form %s", c.Domain, name)
	wrong(len(c.Accounts) == 0, "Accounts", "at least one is needed")

	c.Accounts = slices.Clone(c.Accounts)
	owners := map[string]string{} // of ids, by e-mail
	seen := map[string]bool{}
	for i := range c.Accounts {
		given := c.Accounts[i].Email
		a, err := c.Accounts[i].settled(c.Domain)
		if err != nil {
			wrong(true, "Accounts", "%q: %v", given, err)
			continue
		}
		wrong(seen[a.Email], "Accounts", "%q is given twice", a.Email)
		seen[a.Email] = true
		// The ledger knows small letters from capitals. People do not.
		id := strings.ToLower(a.ID)
		wrong(owners[id] != "", "Accounts", "%q and %q have one id, %s: name it for one of them", owners[id], a.Email, a.ID)
		owners[id] = a.Email
		c.Accounts[i] = a
	}
	return c, errors.Join(mistakes...)
}

// settled returns a with its defaults, or the first mistake in it.
func (a Account) settled(domain string) (Account, error) {
	email, err := ratelimit.Email(a.Email)
	if err != nil {
		return a, err
	}
	a.Email = email
	if a.Key, err = checkedKey(a.Key); err != nil {
		return a, err
	}
	if !slices.Contains([]claims.Party{Admin, DomainAdmin, Peer}, a.Role) {
		return a, fmt.Errorf("role %q is none of %s, %s and %s", a.Role, Admin, DomainAdmin, Peer)
	}
	if a.ID == "" {
		local, _, _ := strings.Cut(a.Email, "@")
		a.ID = local + "@" + domain
	}
	if !idForm.MatchString(a.ID) {
		return a, fmt.Errorf("id %q is not NAME@DOMAIN with names of the form %s", a.ID, name)
	}
	return a, a.Profile.settle()
}
