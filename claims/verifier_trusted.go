package claims

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// trusted is an issuer that a Verifier trusts: its Config, which was found good,
// says what its tokens must be.
type trusted[T any] struct {
	Config
	app *appReader
	// byIssuer is Keys, if that has the keys of many issuers.
	byIssuer interface {
		KeysOf(ctx context.Context, issuer string, h Header) ([]*Key, error)
	}
	kinds kindRules
	last  atomic.Pointer[Key] // the key that verified a token last; a hint, no more
	// gone says that the verifier that this belongs to trusts the issuer no more, so
	// that what it remembers of the issuer's tokens is void.
	gone atomic.Bool
}

// fresh returns a trusted of the same Config for another verifier.
func (t *trusted[T]) fresh() *trusted[T] {
	return &trusted[T]{Config: t.Config, app: t.app, byIssuer: t.byIssuer, kinds: t.kinds}
}

// admits asks the rule about the issuer of a token, if there is a rule. Its error is
// never about the token unless it says no.
func (t *trusted[T]) admits(ctx context.Context, issuer string) error {
	if t.AllowIssuer == nil {
		return nil
	}
	allowed, err := t.AllowIssuer(ctx, issuer)
	switch {
	case errors.Is(err, ErrInvalid):
		return fmt.Errorf("%w: %v", errRuleAnswer, err)
	case err != nil:
		return fmt.Errorf("%w: %w", errRuleAnswer, err)
	case !allowed:
		return fmt.Errorf("%w: AllowIssuer refuses %s", errIssuer, quoted(issuer))
	}
	return nil
}

// readClaims reads the registered members into c as the issuer's dialect writes
// them, and checks all of them. Only the clock is left for later.
func (t *trusted[T]) readClaims(c *Claims[T], h *jws.Header, members []strict.Member) error {
	if err := t.checkType(h); err != nil {
		return err
	}
	if err := t.checkKind(h, members); err != nil {
		return err
	}
	var use string
	for _, m := range members {
		if err := t.fill(c, &use, m); err != nil {
			return err
		}
	}
	d := &t.Dialect
	// A member that is absent has left its field empty, which is judged here. Where
	// the dialect says that there is no iss or aud, fill has refused one.
	switch {
	case t.AllowIssuer == nil && c.Issuer != t.Issuer, t.AllowIssuer != nil && c.Issuer == "":
		return errIssuer
	case len(c.Audience) == 0 && !d.InsecureNoAudience:
		return fmt.Errorf("%w: aud", errMissing)
	case c.Subject == "" && !d.AbsentSubject:
		return fmt.Errorf("%w: %s", errMissing, d.SubjectMember)
	case c.Expiry.IsZero() && !d.InsecureNoExpiry:
		return fmt.Errorf("%w: exp", errMissing)
	case d.UseMember != "" && !d.says(use, t.Use):
		return errUse
	case d.RefreshMark != "" && (c.AccessID != "") != (t.Use == Refresh):
		return errUse
	case !c.NotBefore.IsZero() && !c.Expiry.IsZero() && c.Expiry.Unix() > 0 && c.NotBefore.After(c.Expiry):
		// Not for an exp of 0: what comes after it is expired, and nothing else.
		return fmt.Errorf("%w: nbf is after exp", errDate)
	case t.MaxLife > 0 && !c.IssuedAt.IsZero() && c.Expiry.Sub(c.IssuedAt) > t.MaxLife:
		return fmt.Errorf("%w: %v, not %v", errLife, c.Expiry.Sub(c.IssuedAt), t.MaxLife)
	case t.MaxLife > 0 && c.IssuedAt.IsZero() && t.InsecureAnyTime:
		// There is no clock to measure its life by.
		return fmt.Errorf("%w: iat, which MaxLife needs where InsecureAnyTime leaves the dates to the caller", errMissing)
	}
	return nil
}

// checkType compares typ with what the use demands (RFC 8725 §3.11).
func (t *trusted[T]) checkType(h *jws.Header) error {
	if !h.HasType {
		if t.Use == Access && t.Dialect.AbsentType {
			return nil
		}
		return errType
	}
	if sameMediaType(h.Type, t.Dialect.typeOf(t.Use)) {
		return nil
	}
	if t.Use == Access {
		for _, another := range t.Dialect.MoreAccessTypes {
			if sameMediaType(h.Type, another) {
				return nil
			}
		}
	}
	return fmt.Errorf("%w %s", errType, quoted(h.Type))
}

// fill reads one member into c. Names are compared exactly: a member such as
// "Sub" is somebody else's. A member that is null says nothing, as if it were not
// there: .NET and Python write null for what they don't have. So iss, aud, the
// subject and exp are missing if they are null.
func (t *trusted[T]) fill(c *Claims[T], use *string, m strict.Member) (err error) {
	d, ok := &t.Dialect, true
	if isNull(m.Value) {
		// But the presence of RefreshMark alone decides the kind of a token. null leaves
		// a doubt there.
		if d.RefreshMark != "" && string(m.Name) == d.RefreshMark {
			return fmt.Errorf("%w %s", errMemberType, quoted(d.RefreshMark))
		}
		return nil
	}
	switch name := string(m.Name); name {
	case "":
		// This name has no meaning, and must not match the names that the dialect
		// leaves empty.
	case "iss":
		if t.AllowIssuer != nil {
			if c.Issuer, ok = strict.Text(m.Value); ok && (c.Issuer == "" || len(c.Issuer) > maxIssuer) {
				err = errIssuer
			}
			break
		}
		// The string of the Config is kept, not a copy of the token's.
		if c.Issuer = t.Issuer; t.Issuer == "" || !strict.IsText(m.Value, t.Issuer) {
			err = errIssuer
		}
	case d.SubjectMember:
		c.Subject, err = t.subject(m.Value)
	case "aud":
		c.Audience, err = t.audience(m.Value)
	case "exp":
		c.Expiry, err = d.Time.parse(m.Value)
	case "nbf":
		c.NotBefore, err = d.Time.parse(m.Value)
	case "iat":
		c.IssuedAt, err = d.Time.parse(m.Value)
	case d.ScopeMember:
		c.Scope, err = t.scope(m.Value)
	case d.PartyMember:
		c.Party, err = t.party(m.Value)
	case d.UseMember:
		*use, ok = strict.Text(m.Value)
	case d.RefreshMark:
		// The mark's presence is what tells a refresh token. An empty value would be
		// present for one reader and absent for another.
		if c.AccessID, ok = strict.Text(m.Value); c.AccessID == "" {
			ok = false
		}
	default:
		if field := c.text(name); field != nil {
			*field, ok = strict.Text(m.Value)
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w (member %s)", err, quoted(string(m.Name)))
	case !ok:
		return fmt.Errorf("%w %s", errMemberType, quoted(string(m.Name)))
	}
	return nil
}

// scope reads the scope. Only spaces separate names (RFC 6749 §3.3): a tab or
// another blank is part of a name.
func (t *trusted[T]) scope(raw []byte) (names []string, err error) {
	if d := &t.Dialect; !d.ScopeList && !d.ScopeEither || d.ScopeEither && raw[0] != '[' {
		s, ok := strict.Text(raw)
		if !ok {
			return nil, fmt.Errorf("%w: the scope must be a string", errMemberType)
		}
		return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), nil
	}
	isArray, err := strict.Elements(raw, func(element []byte) error {
		name, ok := strict.Text(element)
		// A name with a space would be two names as soon as it is written as a string.
		if !ok || name == "" || strings.Contains(name, " ") {
			return errMemberType
		}
		names = append(names, name)
		return nil
	})
	if !isArray || err != nil {
		return nil, fmt.Errorf("%w: the scope must be an array of names", errMemberType)
	}
	return names, nil
}

func (t *trusted[T]) subject(raw []byte) (string, error) {
	s, ok := strict.Text(raw)
	switch {
	case t.Dialect.ObjectSubject:
		s, ok = compact(raw), raw[0] == '{'
	case t.Dialect.NumericSubject:
		if !ok {
			s = string(raw)
		}
		ok = isInteger(s)
	}
	switch {
	case !ok:
		return "", errMemberType
	case strings.TrimSpace(s) == "", t.Dialect.ObjectSubject && s == "{}":
		return "", fmt.Errorf("%w: blank", errSubject)
	case len(s) > maxSubject:
		return "", fmt.Errorf("%w: longer than %d bytes", errSubject, maxSubject)
	}
	return s, nil
}

// isInteger reports whether s is an integer as everybody writes it, so that each
// number has one text: no sign but a minus, no zero in front, no fraction and no
// exponent, 20 digits at most. The digits are never converted, so none is lost.
func isInteger(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || len(digits) > 20 || digits[0] == '0' && s != "0" {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// compact returns a JSON text that was read strictly without white space.
func compact(raw []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

// audience reads a string or an array of strings (RFC 7519 §4.1.3). One of them
// must be ours.
func (t *trusted[T]) audience(raw []byte) ([]string, error) {
	// Nearly all tokens name one audience, and name us.
	for _, name := range t.Audience {
		if strict.IsText(raw, name) {
			return []string{name}, nil // not a slice of Audience, into which a caller may write
		}
	}
	if one, ok := strict.Text(raw); ok {
		return nil, fmt.Errorf("%w %s", errAudience, quoted(one))
	}
	var names []string
	isArray, err := strict.Elements(raw, func(element []byte) error {
		name, ok := strict.Text(element)
		if !ok || name == "" {
			return errMemberType
		}
		names = append(names, name)
		return nil
	})
	if !isArray || err != nil {
		return nil, fmt.Errorf("%w: aud must be a string or an array of strings", errMemberType)
	}
	if len(names) == 0 {
		// An array of no recipients names nobody. Ory Hydra writes it if no audience was
		// asked for.
		if t.Dialect.InsecureNoAudience {
			return nil, nil
		}
		return nil, fmt.Errorf("%w: aud is an empty array", errAudience)
	}
	if !slices.ContainsFunc(names, func(n string) bool { return slices.Contains(t.Audience, n) }) {
		return nil, errAudience
	}
	return names, nil
}

func (t *trusted[T]) party(raw []byte) (Party, error) {
	if !t.Dialect.NumericParty {
		s, ok := strict.Text(raw)
		if !ok {
			return "", fmt.Errorf("%w: the party must be a string", errMemberType)
		}
		return Party(s), nil
	}
	// Only one spelling of an integer passes (1.0 and 1e0 don't), so that parties can
	// be compared as text.
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return "", fmt.Errorf("%w: the party must be an integer", errMemberType)
	}
	return Party(strconv.FormatInt(n, 10)), nil
}

// keysFor asks the key set. Its error is never about the token.
func (t *trusted[T]) keysFor(ctx context.Context, h Header, issuer string) (keys []*Key, err error) {
	if t.byIssuer != nil {
		keys, err = t.byIssuer.KeysOf(ctx, issuer, h)
	} else {
		keys, err = t.Keys.Keys(ctx, h)
	}
	switch {
	case errors.Is(err, ErrInvalid):
		// By %v, which hides the class: a key set that could not answer must not log
		// everybody out.
		return nil, fmt.Errorf("%w: %v", errKeySetAnswer, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errKeySetAnswer, err)
	}
	return keys, nil
}

// checkSignature finds the key of the issuer under which u's signature holds.
func (t *trusted[T]) checkSignature(ctx context.Context, u *unverified, issuer string) (*Key, error) {
	h := headerOf(u.header)
	keys, err := t.keysFor(ctx, h, issuer)
	if err != nil {
		return nil, err
	}
	// A header without kid may mean any key of its algorithm, and each try costs a
	// signature check. The key that succeeded last is the best guess. It must be among
	// the keys that would be tried anyway, or a withdrawn key would live on here.
	last := t.last.Load()
	if offered(keys, h, issuer, last) && last.verifies(u.signed, u.sig) {
		return last, nil
	}
	// The key's own algorithm and id decide whether it is tried, whatever a key set
	// offers: this is where an RSA key can't become an HMAC secret (RFC 8725 §3.1). The
	// bound keeps one token of a stranger from costing hundreds of checks.
	tried := 0
	for _, k := range keys {
		if !k.fits(h, issuer) {
			continue
		}
		if tried++; tried > maxTries {
			break
		}
		if k != last && k.verifies(u.signed, u.sig) {
			t.last.Store(k)
			return k, nil
		}
	}
	// The difference is for the log alone: callers see ErrInvalid either way.
	if tried == 0 {
		return nil, fmt.Errorf("%w: alg %s, kid %s", errUnknownKey, h.Algorithm, quoted(h.KeyID))
	}
	return nil, errSignature
}

// checkDates compares the dates with now, RFC 7519 §4.1.4 to §4.1.6. The leeway is
// for clocks that differ, in either direction. A date that is absent is the zero
// time, which lies before every now.
func (t *trusted[T]) checkDates(c *Claims[T], now time.Time) error {
	switch {
	case t.InsecureAnyTime:
		return nil
	case c.NotBefore.After(now.Add(t.Leeway)):
		return fmt.Errorf("%w: nbf is %v", errNotYet, c.NotBefore.UTC())
	case c.IssuedAt.After(now.Add(t.Leeway)):
		return fmt.Errorf("%w: iat is %v", errNotYet, c.IssuedAt.UTC())
	case !c.Expiry.IsZero() && !now.Before(c.Expiry.Add(t.Leeway)):
		return fmt.Errorf("%w at %v", ErrExpired, c.Expiry.UTC())
	case t.MaxLife > 0 && c.IssuedAt.IsZero() && c.Expiry.Sub(now) > t.MaxLife+t.Leeway:
		return fmt.Errorf("%w: %v from now, not %v", errLife, c.Expiry.Sub(now), t.MaxLife)
	}
	return nil
}
