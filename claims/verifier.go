package claims

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
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
	// Keys are the issuer's keys.
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
	// Remember is how many verified tokens are remembered, so that one that
	// comes again costs a hundredth of a signature check: 16,384 if 0, none if
	// negative; rounded up to a power of two. Answers are the same either way: at
	// every request the key must still be offered and the dates must hold. It is
	// on by default because of that, because only tokens that passed are kept
	// (their claims, under a SHA-256, never their text), and because its memory is
	// bounded: about 1.5 KB each, and 2 KiB of tokens each taken together.
	Remember int
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

// policy is a Config that was found good: what one issuer's tokens must be.
type policy struct {
	Config
	app  *appReader
	last atomic.Pointer[Key] // the key that verified a token last
}

// NewVerifier returns a Verifier, or every mistake in c.
func NewVerifier[T any](c Config) (*Verifier[T], error) {
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
	if c.Keys == nil {
		mistake("Keys is missing")
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
	if c.Use == "" {
		c.Use = Access
	}
	if c.Use != Access && c.Use != Refresh {
		mistake("Use is %q, not access or refresh", c.Use)
	}
	if c.Leeway < 0 || c.Leeway > maxLeeway {
		mistake("Leeway is %v, not between 0 and %v", c.Leeway, maxLeeway)
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultMaxBytes
	}
	if c.MaxBytes < 0 {
		mistake("MaxBytes is negative")
	}
	if c.Remember == 0 {
		c.Remember = defaultRemember
	}
	if c.Remember > maxRemember {
		mistake("Remember is %d, more than %d", c.Remember, maxRemember)
	}
	app, err := newAppReader(reflect.TypeFor[T](), dialect.names())
	if err != nil {
		mistakes = append(mistakes, err)
	}
	if mistakes != nil {
		return nil, errors.Join(mistakes...)
	}
	p := &policy{Config: c, app: app}
	v := &Verifier[T]{maxBytes: c.MaxBytes, only: p, policies: map[string]*policy{c.Issuer: p}}
	if c.Remember > 0 {
		v.tokens = newMemory[T](c.Remember)
	}
	return v, nil
}

// Verify checks token and returns what it says. The error is one of three
// classes: [ErrExpired], [ErrInvalid], or anything else, which means that the
// token could not be checked. With an error there are no claims.
//
// The token is read once, strictly: see the package documentation for what is
// refused. Nothing is decoded of a token that is too long, and no key is
// touched for one that is not well-formed.
func (v *Verifier[T]) Verify(ctx context.Context, token string) (*Claims[T], error) {
	if v == nil || v.policies == nil {
		return nil, errNoVerifier
	}
	return v.verify(ctx, token, time.Now())
}

// verify answers from memory if it can.
func (v *Verifier[T]) verify(ctx context.Context, token string, now time.Time) (*Claims[T], error) {
	if v.tokens == nil || len(token) > v.maxBytes {
		c, _, err := v.check(ctx, token, now)
		return c, err
	}
	d := digestOf(token)
	if r := v.tokens.recall(&d); r != nil {
		if c, known, err := r.again(ctx, now); known {
			return c, err
		}
	}
	c, r, err := v.check(ctx, token, now)
	if err != nil {
		return nil, err
	}
	r.digest, r.claims, r.bytes = d, c, int64(len(token))
	v.tokens.remember(&r, now)
	return c, nil
}

// check reads a token and checks everything. What it returns besides the claims
// says who vouches for them.
func (v *Verifier[T]) check(ctx context.Context, token string, now time.Time) (*Claims[T], remembered[T], error) {
	var none remembered[T]
	var few [16]member
	u, err := v.read(token, few[:0])
	if err != nil {
		return nil, none, err
	}
	p, err := v.policyOf(u.members)
	if err != nil {
		return nil, none, err
	}
	if len(token) > p.MaxBytes {
		return nil, none, fmt.Errorf("%w: %d bytes", errTooLarge, len(token))
	}
	said := Claims[struct{}]{Use: p.Use}
	if err := p.claims(&said, &u); err != nil {
		return nil, none, err
	}
	key, err := p.checkSignature(ctx, &u)
	if err != nil {
		return nil, none, err
	}
	v.headers.remember(u.encoded, u.header)
	if err := p.checkDates(said.NotBefore, said.IssuedAt, said.Expiry, now); err != nil {
		return nil, none, err
	}
	c := &Claims[T]{
		Issuer: said.Issuer, Subject: said.Subject, Audience: said.Audience,
		Expiry: said.Expiry, NotBefore: said.NotBefore, IssuedAt: said.IssuedAt,
		ID: said.ID, Session: said.Session, Party: said.Party, Scope: said.Scope,
		Use: said.Use, AccessID: said.AccessID,
	}
	if err := p.app.read(u.members, reflect.ValueOf(&c.App).Elem()); err != nil {
		return nil, none, err
	}
	return c, remembered[T]{policy: p, header: u.header.Header, key: key}, nil
}

// read takes a token apart as far as that is the same for every issuer.
func (v *Verifier[T]) read(token string, few []member) (u unverified, err error) {
	head, payload, signature, err := split(token, v.maxBytes)
	if err != nil {
		return u, err
	}
	u.encoded, u.signed = head, token[:len(head)+1+len(payload)]
	if u.header = v.headers.recall(head); u.header == nil {
		if u.header, err = readHeader(head); err != nil {
			return u, err
		}
	}
	if u.sig, err = decodeSegment(signature); err != nil {
		return u, err
	}
	text, err := decodeSegment(payload)
	if err != nil {
		return u, err
	}
	u.members, err = readObject(text, few)
	return u, err
}

// policyOf returns what the issuer that the payload names must fulfil.
func (v *Verifier[T]) policyOf(members []member) (*policy, error) {
	if v.only != nil {
		return v.only, nil
	}
	for _, m := range members {
		if string(m.name) == "iss" {
			if issuer, ok := stringValue(m.value); ok && v.policies[issuer] != nil {
				return v.policies[issuer], nil
			}
		}
	}
	return nil, errIssuer
}

// claims reads the registered members into c as the policy's dialect writes
// them, and checks all of them but the dates against the clock.
func (p *policy) claims(c *Claims[struct{}], u *unverified) error {
	if err := p.checkType(u.header); err != nil {
		return err
	}
	var use string
	for _, m := range u.members {
		if err := p.take(c, &use, m); err != nil {
			return err
		}
	}
	d := &p.Dialect
	switch {
	case c.Issuer != p.Issuer:
		return errIssuer
	case len(c.Audience) == 0 && !d.InsecureNoAudience:
		return fmt.Errorf("%w: aud", errMissing)
	case c.Subject == "" && !d.AbsentSubject:
		return fmt.Errorf("%w: sub", errMissing)
	case c.Expiry.IsZero() && !d.InsecureNoExpiry:
		return fmt.Errorf("%w: exp", errMissing)
	case d.UseMember != "" && use != string(p.Use):
		return errUse
	case d.RefreshMark != "" && (c.AccessID != "") != (p.Use == Refresh):
		return errUse
	case !c.NotBefore.IsZero() && !c.Expiry.IsZero() && c.NotBefore.After(c.Expiry):
		return fmt.Errorf("%w: nbf is after exp", errDate)
	}
	return nil
}

// checkType compares typ with what the use demands (RFC 8725 §3.11).
func (p *policy) checkType(h *header) error {
	if !h.hasTyp {
		if p.Use == Access && p.Dialect.AbsentType {
			return nil
		}
		return errType
	}
	if !sameMediaType(h.typ, p.Dialect.typeOf(p.Use)) {
		return fmt.Errorf("%w %s", errType, quoted(h.typ))
	}
	return nil
}

// take reads one member into c. Names are compared exactly: a member such as
// "Sub" is somebody else's.
func (p *policy) take(c *Claims[struct{}], use *string, m member) (err error) {
	d, ok := &p.Dialect, true
	switch name := string(m.name); name {
	case "":
		// Nobody's: it must not match what the dialect leaves unset.
	case "iss":
		if c.Issuer = p.Issuer; p.Issuer == "" || !is(m.value, p.Issuer) {
			err = errIssuer
		}
	case "sub":
		c.Subject, err = p.subject(m.value)
	case "aud":
		c.Audience, err = p.audience(m.value)
	case "exp":
		c.Expiry, err = d.Time.parse(m.value)
	case "nbf":
		c.NotBefore, err = d.Time.parse(m.value)
	case "iat":
		c.IssuedAt, err = d.Time.parse(m.value)
	case "jti":
		c.ID, ok = stringValue(m.value)
	case "sid":
		c.Session, ok = stringValue(m.value)
	case "scope":
		var scope string
		if scope, ok = stringValue(m.value); ok {
			c.Scope = scopeTokens(scope)
		}
	case d.PartyMember:
		c.Party, err = p.party(m.value)
	case d.UseMember:
		*use, ok = stringValue(m.value)
	case d.RefreshMark:
		if c.AccessID, ok = stringValue(m.value); c.AccessID == "" {
			ok = false
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("member %s: %w", quoted(string(m.name)), err)
	case !ok:
		return fmt.Errorf("%w %s", errMemberType, quoted(string(m.name)))
	}
	return nil
}

// scopeTokens splits at spaces only, RFC 6749 §3.3: a tab or another blank is
// part of a name, and nobody's boundary.
func scopeTokens(scope string) []string {
	return strings.FieldsFunc(scope, func(r rune) bool { return r == ' ' })
}

func (p *policy) subject(raw []byte) (string, error) {
	s, ok := stringValue(raw)
	if p.Dialect.ObjectSubject {
		s, ok = compact(raw), raw[0] == '{'
	}
	switch {
	case !ok:
		return "", errMemberType
	case strings.TrimSpace(s) == "", p.Dialect.ObjectSubject && s == "{}":
		return "", fmt.Errorf("%w: blank", errSubject)
	case len(s) > maxSubject:
		return "", fmt.Errorf("%w: longer than %d bytes", errSubject, maxSubject)
	}
	return s, nil
}

// compact returns a JSON text that was read strictly without white space.
func compact(raw []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

// audience reads a string or an array of strings, RFC 7519 §4.1.3, one of which
// must be ours.
func (p *policy) audience(raw []byte) ([]string, error) {
	for _, name := range p.Audience {
		if is(raw, name) {
			return []string{name}, nil // not a part of Audience: callers may write into it
		}
	}
	if one, ok := stringValue(raw); ok {
		return nil, fmt.Errorf("%w %s", errAudience, quoted(one))
	}
	var names []string
	isArray, err := elements(raw, func(element []byte) error {
		name, ok := stringValue(element)
		if !ok || name == "" {
			return errMemberType
		}
		names = append(names, name)
		return nil
	})
	if !isArray || err != nil {
		return nil, fmt.Errorf("%w: aud must be a string or an array of strings", errMemberType)
	}
	if !slices.ContainsFunc(names, func(n string) bool { return slices.Contains(p.Audience, n) }) {
		return nil, errAudience
	}
	return names, nil
}

func (p *policy) party(raw []byte) (Party, error) {
	if !p.Dialect.NumericParty {
		s, ok := stringValue(raw)
		if !ok {
			return "", fmt.Errorf("%w: the party must be a string", errMemberType)
		}
		return Party(s), nil
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return "", fmt.Errorf("%w: the party must be an integer", errMemberType)
	}
	return Party(strconv.FormatInt(n, 10)), nil
}

// keysFor asks the key set. Its error is never about the token.
func (p *policy) keysFor(ctx context.Context, h Header) ([]*Key, error) {
	keys, err := p.Keys.Keys(ctx, h)
	switch {
	case errors.Is(err, ErrInvalid):
		return nil, fmt.Errorf("%w: %v", errKeySetAnswer, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errKeySetAnswer, err)
	}
	return keys, nil
}

// checkSignature finds the key of the issuer under which u's signature holds.
// The key's own algorithm and id decide whether it may be tried, whatever a key
// set offers. The one that succeeded last is tried first.
func (p *policy) checkSignature(ctx context.Context, u *unverified) (*Key, error) {
	h := u.header.Header
	keys, err := p.keysFor(ctx, h)
	if err != nil {
		return nil, err
	}
	last := p.last.Load()
	if offered(keys, h, last) && last.verifies(u.signed, u.sig) {
		return last, nil
	}
	tried := 0
	for _, k := range keys {
		if !k.fits(h) {
			continue
		}
		if tried++; tried > maxTries {
			break
		}
		if k != last && k.verifies(u.signed, u.sig) {
			p.last.Store(k)
			return k, nil
		}
	}
	if tried == 0 {
		return nil, fmt.Errorf("%w: alg %s, kid %s", errUnknownKey, h.Algorithm, quoted(h.KeyID))
	}
	return nil, errSignature
}

// checkDates holds the dates against now, RFC 7519 §4.1.4 to §4.1.6.
func (p *policy) checkDates(notBefore, issuedAt, expiry, now time.Time) error {
	switch {
	case p.InsecureAnyTime:
		return nil
	case notBefore.After(now.Add(p.Leeway)):
		return fmt.Errorf("%w: nbf is %v", errNotYet, notBefore.UTC())
	case issuedAt.After(now.Add(p.Leeway)):
		return fmt.Errorf("%w: iat is %v", errNotYet, issuedAt.UTC())
	case !expiry.IsZero() && !now.Before(expiry.Add(p.Leeway)):
		return fmt.Errorf("%w at %v", ErrExpired, expiry.UTC())
	}
	return nil
}
