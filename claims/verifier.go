package claims

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

const (
	// defaultMaxBytes is Config.MaxBytes if that is 0. Servers read 8 to 16 KiB
	// of header lines.
	defaultMaxBytes = 16 << 10
	maxLeeway       = 5 * time.Minute
	// maxTries bounds how many keys one token can make a verifier try.
	maxTries = 16
	// maxSubject bounds sub in bytes.
	maxSubject = 1024
)

// Config says whose tokens a [Verifier] accepts. Issuer, Audience and Keys are
// required, but for what the Dialect says is not there.
type Config struct {
	// Issuer is the exact iss of the tokens (RFC 8725 §3.8).
	Issuer string
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
	// InsecureAnyTime leaves exp, nbf and iat to the caller, who must compare
	// them with a clock that it trusts more than the machine's, as an issuer does
	// with its store's. They must still be there and in range.
	InsecureAnyTime bool
	// MaxBytes is how long a token may be; 16 KiB if 0.
	MaxBytes int
	// Remember is how many verified tokens are remembered, so that one that comes
	// again costs a digest instead of a signature check: 16,384 if 0, none if
	// negative; rounded up to a power of two. Answers are the same either way: at
	// every request the key must still be offered and the dates must hold. It is
	// on by default because of that, because only tokens that passed are kept
	// (their claims, under a SHA-256, never their text), and because its memory is
	// bounded: some 400 bytes each with few claims, and on average 2 KiB of tokens
	// each. A token of more than 16 KiB is not remembered.
	Remember int
}

// unverified is a token that was read and not believed yet.
type unverified struct {
	header  *jws.Header
	encoded string // the header's segment
	signed  string // header and payload segments: what the signature is over
	sig     []byte // the signature
}

// Verifier checks tokens. It is safe for concurrent use. Its zero value can't
// check anything and refuses with an error that is not [ErrInvalid].
type Verifier[T any] struct {
	maxBytes int
	policies map[string]*policy // by issuer
	only     *policy            // the one policy, if there is only one
	headers  headerMemory
	tokens   *memory[T] // nil: none are remembered
}

// NewVerifier returns a Verifier, or every mistake in c.
func NewVerifier[T any](c Config) (*Verifier[T], error) {
	c, err := c.settled()
	app, appErr := newAppReader(reflect.TypeFor[T](), c.Dialect.names())
	if err = errors.Join(err, appErr); err != nil {
		return nil, err
	}
	p := &policy{Config: c, app: app}
	v := &Verifier[T]{maxBytes: c.MaxBytes, only: p, policies: map[string]*policy{c.Issuer: p}}
	if c.Remember > 0 {
		v.tokens = newMemory[T](c.Remember)
	}
	return v, nil
}

// settled returns a copy of c with its defaults filled in, and every mistake in
// it.
func (c Config) settled() (Config, error) {
	var mistakes []error
	mistake := func(format string, a ...any) {
		mistakes = append(mistakes, fmt.Errorf("%w."+format, append([]any{errVerifier}, a...)...))
	}
	dialect, err := c.Dialect.compiled()
	if err != nil {
		mistakes = append(mistakes, err)
	}
	c.Dialect = dialect
	c.Audience = slices.Clone(c.Audience)
	c.Use = cmp.Or(c.Use, Access)
	c.MaxBytes = cmp.Or(c.MaxBytes, defaultMaxBytes)
	c.Remember = cmp.Or(c.Remember, defaultRemember)
	if v := reflect.ValueOf(c.Keys); c.Keys == nil {
		mistake("Keys is missing")
	} else if v.Kind() == reflect.Pointer && v.IsNil() {
		mistake("Keys is a nil %T: was its error looked at?", c.Keys)
	} else if k, ok := c.Keys.(interface{ Issuer() string }); ok && k.Issuer() != "" && k.Issuer() != c.Issuer {
		mistake("Keys are those of %q, Issuer is %q", k.Issuer(), c.Issuer)
	}
	switch {
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
	if c.Remember > maxRemember {
		mistake("Remember is %d, more than %d", c.Remember, maxRemember)
	}
	return c, errors.Join(mistakes...)
}

// Verify checks token and returns what it says. The error is one of three
// classes: [ErrExpired], [ErrInvalid], or anything else, which means that the
// token could not be checked. With an error there are no claims.
//
// The token is read once, strictly: see the package documentation for what is
// refused. Nothing is decoded of a token that is too long, and no key is
// touched for one that is not well-formed. The clock is read once, after the key
// set has answered.
func (v *Verifier[T]) Verify(ctx context.Context, token string) (*Claims[T], error) {
	c, err := v.VerifyShared(ctx, token)
	if err != nil || v.tokens == nil {
		return c, err
	}
	own := c.Clone()
	return &own, nil
}

// VerifyShared is Verify for callers that change nothing in the claims, not even
// by an append: other requests may hold the same. It spares them a
// [Claims.Clone]. Guards use it, and give clones to handlers.
func (v *Verifier[T]) VerifyShared(ctx context.Context, token string) (*Claims[T], error) {
	if v == nil || v.policies == nil {
		return nil, errNoVerifier
	}
	return v.verify(ctx, token, time.Now)
}

// verify answers from memory if it can.
func (v *Verifier[T]) verify(ctx context.Context, token string, clock func() time.Time) (*Claims[T], error) {
	if v.tokens == nil || len(token) > v.maxBytes {
		r, _, err := v.check(ctx, token, clock)
		if err != nil {
			return nil, err
		}
		return &r.claims, nil
	}
	d := digestOf(token)
	if r := v.tokens.recall(&d); r != nil {
		if known, err := r.again(ctx, clock); err != nil {
			return nil, err
		} else if known {
			return &r.claims, nil
		}
	}
	r, now, err := v.check(ctx, token, clock)
	if err != nil {
		return nil, err
	}
	r.digest, r.bytes = d, int64(len(token))
	v.tokens.remember(r, now)
	return &r.claims, nil
}

// check reads a token and checks everything, the dates last: what has expired is
// good in every other respect. It returns when they were checked.
func (v *Verifier[T]) check(ctx context.Context, token string, clock func() time.Time) (r *verified[T], now time.Time, err error) {
	var few [16]strict.Member
	u, members, err := v.read(token, few[:0])
	if err != nil {
		return nil, now, err
	}
	p, err := v.policyOf(members)
	if err != nil {
		return nil, now, err
	}
	if len(token) > p.MaxBytes {
		return nil, now, fmt.Errorf("%w: %d bytes", errTooLarge, len(token))
	}
	said := Claims[struct{}]{Use: p.Use}
	if err := p.claims(&said, u.header, members); err != nil {
		return nil, now, err
	}
	key, err := p.checkSignature(ctx, &u)
	if err != nil {
		return nil, now, err
	}
	v.headers.remember(u.encoded, u.header)
	r = &verified[T]{policy: p, header: headerOf(u.header), key: key, claims: Claims[T]{
		Issuer: said.Issuer, Subject: said.Subject, Audience: said.Audience,
		Expiry: said.Expiry, NotBefore: said.NotBefore, IssuedAt: said.IssuedAt,
		ID: said.ID, Session: said.Session, Party: said.Party, Scope: said.Scope,
		Use: said.Use, AccessID: said.AccessID,
	}}
	if err := p.app.read(members, reflect.ValueOf(&r.claims.App).Elem()); err != nil {
		return nil, now, err
	}
	now = clock()
	return r, now, p.checkDates(said.NotBefore, said.IssuedAt, said.Expiry, now)
}

// read takes a token apart as far as that is the same for every issuer. It
// appends the payload's members to few.
func (v *Verifier[T]) read(token string, few []strict.Member) (u unverified, members []strict.Member, err error) {
	head, payload, signature, err := jws.Split(token, v.maxBytes)
	if err != nil {
		return u, nil, invalid(err)
	}
	u.encoded, u.signed = head, token[:len(head)+1+len(payload)]
	if u.header = v.headers.recall(head); u.header == nil {
		if u.header, err = jws.ReadHeader(head); err != nil {
			return u, nil, invalid(err)
		}
	}
	room := make([]byte, base64.RawURLEncoding.DecodedLen(len(signature)+len(payload)))
	if u.sig, err = jws.Decode(signature, room); err != nil {
		return u, nil, invalid(err)
	}
	text, err := jws.Decode(payload, room[len(u.sig):])
	if err != nil {
		return u, nil, invalid(err)
	}
	if members, err = strict.Object(text, jws.Bounds, few); err != nil {
		return u, nil, invalid(err)
	}
	return u, members, nil
}

// policyOf returns what the issuer that the payload names must fulfil.
func (v *Verifier[T]) policyOf(members []strict.Member) (*policy, error) {
	if v.only != nil {
		return v.only, nil
	}
	for _, m := range members {
		if string(m.Name) == "iss" {
			if issuer, ok := strict.Text(m.Value); ok && v.policies[issuer] != nil {
				return v.policies[issuer], nil
			}
		}
	}
	return nil, errIssuer
}
