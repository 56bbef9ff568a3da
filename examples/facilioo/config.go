package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// Config is what a server is made of. Accounts, Keys and Mails are required. The
// zero value is an error.
type Config struct {
	// Accounts may log in.
	Accounts []Account
	// Keys sign: RS256, and one of them from now on. A schedule of a directory
	// (signing.LoadSchedule) changes keys while the server goes on.
	Keys *signing.Schedule
	// RefreshKeys sign refresh tokens, which nobody but this server reads: the same
	// wherever Store is. They are required with Store, and random without.
	RefreshKeys *signing.Schedule
	// Lead is how long before it signs a key is in the JWK Set; 24 hours if 0.
	Lead time.Duration
	// Mails is where codes are sent.
	Mails Outbox

	// Store keeps sessions, codes and wrong guesses. Nil is one in memory, which
	// ends with the process.
	Store issuer.Store
	// Secret keys the digests of codes: 32 bytes or more, the same wherever Store
	// is. It is required with Store, and random without.
	Secret []byte

	// AccessLife is how long access tokens live, 1 hour if 0. They never outlive
	// their refresh token.
	AccessLife time.Duration
	// RefreshLife is how long refresh tokens live, 30 days if 0.
	RefreshLife time.Duration
	// AuthLimit is how many requests a minute an address has under /api/auth, 60
	// if 0.
	AuthLimit int
	// MailLimit is how many mails with a code an account is sent in quick
	// succession, 3 if 0, at most 100. After those there is one each quarter of an
	// hour, however many are asked for: the last one is still good.
	MailLimit int

	// PartyMember is the token's member that holds the party type, "partyType" if
	// empty.
	PartyMember string
	// ObjectRefreshToken writes refresh tokens as {"token":"..."} into answers, and
	// reads them so too.
	ObjectRefreshToken bool
	// AdminUnblocksAll lets accounts of party type Admin unblock the accounts of
	// every company, not only of their own.
	AdminUnblocksAll bool
	// GluedKeys publishes PEM blocks without a line end between them.
	GluedKeys bool
	// RecoveryPage is the page of the application that takes a recovery code: an
	// https URL. Mails then have a link to it beside the code. The code is in the
	// fragment, which browsers send to no server.
	RecoveryPage string
	// Origins are those whose pages may call this server, such as
	// "https://app.example". Without any, no page of another origin may.
	Origins []string

	// Logger hears of requests that can't be answered; slog.Default() if nil.
	Logger *slog.Logger
}

// Account is somebody who may log in.
type Account struct {
	// Email names the account, however it is spelled.
	Email string
	// Password is kept as a digest.
	Password string
	// Party is the kind of account.
	Party claims.Party
	// Company is to whom the account belongs, a number from 1.
	Company int
	// SecondFactor asks for a code from a mail at each login.
	SecondFactor bool
	// Skippable lets the client leave the second factor out.
	Skippable bool
}

// settled returns c with its defaults, or every mistake in it.
func (c Config) settled() (Config, error) {
	c.RefreshLife = cmp.Or(c.RefreshLife, 30*24*time.Hour)
	c.AccessLife = min(cmp.Or(c.AccessLife, time.Hour), c.RefreshLife)
	c.AuthLimit = cmp.Or(c.AuthLimit, 60)
	c.MailLimit = cmp.Or(c.MailLimit, 3)
	c.PartyMember = cmp.Or(c.PartyMember, "partyType")
	c.Origins = slices.Clone(c.Origins)
	var mistakes []error
	wrong := func(is bool, field, format string, args ...any) {
		if is {
			mistakes = append(mistakes, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
		}
	}
	wrong(len(c.Accounts) == 0, "Accounts", "at least one is needed")
	accounts := c.Accounts
	c.Accounts = nil
	for _, a := range accounts {
		email, err := ratelimit.Email(a.Email)
		wrong(err != nil, "Accounts", "%v", err)
		wrong(slices.ContainsFunc(c.Accounts, func(b Account) bool { return b.Email == email }), "Accounts", "%s is given twice", email)
		wrong(a.Password == "", "Accounts", "%s has no password", email)
		wrong(!isParty(a.Party), "Accounts", "%s is of no known party type", email)
		wrong(a.Company < 1, "Accounts", "%s has no company", email)
		wrong(a.Skippable && !a.SecondFactor, "Accounts", "%s has no second factor that could be skipped", email)
		a.Email = email
		c.Accounts = append(c.Accounts, a)
	}
	err := goodKeys(c.Keys)
	wrong(err != nil, "Keys", "%v", err)
	wrong(c.Lead < 0, "Lead", "%v is less than 0", c.Lead)
	wrong(c.Mails == nil, "Mails", "are needed")
	if c.Store == nil && c.Secret == nil {
		c.Secret = make([]byte, 32)
		rand.Read(c.Secret)
	}
	if c.Store == nil && c.RefreshKeys == nil {
		c.RefreshKeys = signing.NewEphemeral()
	}
	wrong(c.RefreshKeys == nil, "RefreshKeys", "are needed with Store")
	if c.Store == nil {
		c.Store = issuer.NewMemoryStore()
	}
	wrong(len(c.Secret) < 32, "Secret", "needs at least 32 bytes, and belongs to Store")
	wrong(c.AccessLife < time.Second, "AccessLife", "%v is less than a second", c.AccessLife)
	wrong(c.RefreshLife < time.Second, "RefreshLife", "%v is less than a second", c.RefreshLife)
	wrong(c.AuthLimit < 0, "AuthLimit", "%d is less than 0", c.AuthLimit)
	wrong(c.MailLimit < 0 || c.MailLimit > 100, "MailLimit", "%d is not from 1 to 100", c.MailLimit)
	_, err = claims.NewEncoder[struct{}](dialect(c.PartyMember))
	wrong(err != nil, "PartyMember", "%v", err)
	wrong(c.RecoveryPage != "" && !isPage(c.RecoveryPage), "RecoveryPage", "must be an https URL without a fragment, or http on this host")
	for _, origin := range c.Origins {
		wrong(!isOrigin(origin), "Origins", "%q is not an origin such as https://app.example", origin)
	}
	return c, errors.Join(mistakes...)
}

// goodKeys refuses keys with which nobody could log in, and those that no client
// of this system knows what to do with.
func goodKeys(s *signing.Schedule) error {
	if s == nil || len(s.Keys()) == 0 {
		return errors.New("at least one is needed")
	}
	for _, key := range s.Keys() {
		if key.Algorithm() != "RS256" {
			return fmt.Errorf("%v: this system's tokens are RS256", key)
		}
	}
	if first := s.Keys()[0]; first.From().After(time.Now()) {
		return fmt.Errorf("none signs before %v", first.From().UTC().Format(time.RFC3339))
	}
	return nil
}

// isPage reports whether a link to text is safe to send: what stands in it must
// reach that page and nobody on the way.
func isPage(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// isOrigin reports whether text is an origin as browsers write it (RFC 6454 §6.1).
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" &&
		text == strings.ToLower(u.Scheme+"://"+u.Host) && !strings.Contains(text, "*")
}
