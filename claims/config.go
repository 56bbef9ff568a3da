package claims

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
)

const (
	// defaultMaxBytes is Config.MaxBytes if that is 0. Servers read 8 to 16 KiB
	// of header lines.
	defaultMaxBytes = 16 << 10
	maxLeeway       = 5 * time.Minute
	// maxMembers bounds Config.MaxMembers.
	maxMembers = 1 << 16
)

// Config says whose tokens a [Verifier] accepts. Issuer, Audience and Keys are
// required; a Dialect without iss or aud leaves out Issuer or Audience.
type Config struct {
	// Issuer is the exact iss of the tokens (RFC 8725 §3.8).
	Issuer string
	// AllowIssuer accepts issuers by a rule in place of Issuer: for a provider that
	// has one issuer for each of its tenants, such as Microsoft Entra, when the
	// tenants are not known at start. It is asked for every token, remembered ones
	// too, by many goroutines at once, before any key is touched: the name is a
	// stranger's word of 1 to 1024 bytes. False refuses the token; an error means
	// that it could not be told (503). See "Issuers by rule".
	AllowIssuer func(ctx context.Context, issuer string) (bool, error)
	// Audience are our names: aud must hold one of them, exactly (RFC 8725 §3.9).
	Audience []string
	// Keys are the issuer's keys. A set that has a method Issuer() string and
	// names another is a mistake.
	Keys KeySet
	// Dialect is how the system writes tokens; the zero value is RFC 9068.
	Dialect Dialect
	// Use is what the tokens must be for; Access if empty.
	Use Use
	// Leeway is how far the issuer's clock may be off, 0 to 5 minutes. It is
	// granted at exp, nbf and iat alike.
	Leeway time.Duration
	// InsecureAnyTime leaves exp, nbf and iat to the caller. It must compare them
	// with a clock that it trusts more than the machine's, as an issuer does with
	// its store's. They must still be there and in range.
	InsecureAnyTime bool
	// MaxLife is how long tokens may live: iat to exp, or now to exp where there is no
	// iat. A token that is to live longer is refused. 0 is no limit. It stops what a
	// mistake, or somebody with a stolen signing key, dates 100 years ahead. It also
	// tells kinds apart that differ in nothing but their lifetime; but then only if
	// they have iat, because without it a long-lived token passes near its end.
	MaxLife time.Duration
	// MaxBytes is how long a token may be; 16 KiB if 0.
	MaxBytes int
	// MaxMembers is how many members a payload may have, those of inner objects
	// included; 256 if 0, 65,536 at most. Keycloak writes an object of one member for
	// each client of a user: 125 clients take 250 members, and only 5.9 KB. Comparing names is what a
	// stranger can make a verifier do before a key is touched: some 50 to 100 ns a
	// member, which MaxBytes bounds too, as no member takes less than 5 bytes.
	MaxMembers int
	// Remember is how many verified tokens are remembered, so that one that comes
	// again costs a digest instead of a signature check: 16,384 if 0, none if
	// negative; rounded up to a power of two.
	//
	// Answers are the same either way: at every request the key must still be
	// offered and the dates must hold. Only tokens that passed are kept: their
	// claims, under a SHA-256, never their text. The memory is bounded: some 400
	// bytes each with few claims, and on average 2 KiB of tokens each. A token of
	// more than 16 KiB is not remembered.
	Remember int
}

// settled returns a copy of c with its defaults filled in, and every mistake in
// it.
func (c Config) settled() (Config, error) {
	// All mistakes are reported together, so that one start of the program shows
	// them all.
	var mistakes []error
	mistake := func(format string, a ...any) {
		mistakes = append(mistakes, fmt.Errorf("%w."+format, append([]any{errVerifier}, a...)...))
	}
	dialect, err := c.Dialect.settled()
	if err != nil {
		mistakes = append(mistakes, err)
	}
	c.Dialect = dialect
	c.Audience = slices.Clone(c.Audience)
	c.Use = cmp.Or(c.Use, Access)
	c.MaxBytes = cmp.Or(c.MaxBytes, defaultMaxBytes)
	c.MaxMembers = cmp.Or(c.MaxMembers, jws.Bounds.Members)
	c.Remember = cmp.Or(c.Remember, defaultRemember)
	// A nil pointer in an interface is the usual remains of an error that was ignored.
	if v := reflect.ValueOf(c.Keys); c.Keys == nil {
		mistake("Keys is missing")
	} else if v.Kind() == reflect.Pointer && v.IsNil() {
		mistake("Keys is a nil %T: was its error looked at?", c.Keys)
	} else if k, ok := c.Keys.(interface{ Issuer() string }); ok && k.Issuer() != "" && k.Issuer() != c.Issuer && c.AllowIssuer == nil {
		mistake("Keys are those of %q, Issuer is %q", k.Issuer(), c.Issuer)
	}
	// What the dialect says is not there must not be asked for, or the verifier would
	// refuse every token; what it says is there must be asked for, or the verifier
	// would take tokens of anybody.
	switch {
	case c.AllowIssuer != nil && (c.Issuer != "" || dialect.InsecureNoIssuer):
		mistake("AllowIssuer takes the place of Issuer, and of InsecureNoIssuer")
	case c.AllowIssuer != nil:
	case c.Issuer == "" && !dialect.InsecureNoIssuer:
		mistake("Issuer is missing")
	case c.Issuer != "" && dialect.InsecureNoIssuer:
		mistake("Issuer is set, but the dialect's tokens have none")
	}
	switch {
	case len(c.Audience) == 0 && !dialect.InsecureNoAudience:
		mistake("Audience is missing")
	case len(c.Audience) > 0 && dialect.InsecureNoAudience:
		mistake("Audience is set, but the dialect's tokens have none")
	case slices.Contains(c.Audience, ""):
		mistake("Audience has an empty name")
	}
	if c.Use != Access && c.Use != Refresh {
		mistake("Use is %q, not access or refresh", c.Use)
	}
	if c.Leeway < 0 || c.Leeway > maxLeeway {
		mistake("Leeway is %v, not between 0 and %v", c.Leeway, maxLeeway)
	}
	if c.MaxBytes < 0 {
		mistake("MaxBytes is negative")
	}
	if c.MaxMembers < 0 || c.MaxMembers > maxMembers {
		mistake("MaxMembers is %d, not between 1 and %d", c.MaxMembers, maxMembers)
	}
	if c.MaxLife < 0 {
		mistake("MaxLife is negative")
	}
	if c.MaxLife > 0 && dialect.InsecureNoExpiry {
		mistake("MaxLife is set, but tokens without exp live for ever")
	}
	if c.Remember > maxRemember {
		mistake("Remember is %d, more than %d", c.Remember, maxRemember)
	}
	return c, errors.Join(mistakes...)
}
