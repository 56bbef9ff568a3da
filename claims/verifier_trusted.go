package claims

import (
	"bytes"
	"cmp"
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
		return refuse(errIssuer, "iss", words("what AllowIssuer allows"), issuer, "Config.AllowIssuer")
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
	case c.Issuer == "" && !d.InsecureNoIssuer:
		return refuse(errIssuer, "iss", t.issuer(), nil, "Dialect.InsecureNoIssuer")
	case len(c.Audience) == 0 && !d.InsecureNoAudience:
		return t.missing("aud", t.Audience, "Dialect.InsecureNoAudience")
	case c.Subject == "" && !d.AbsentSubject:
		return t.missing(d.SubjectMember, d.subjectForm(), subjectField(members))
	case c.Expiry.IsZero() && !d.InsecureNoExpiry:
		return t.missing("exp", d.Time.form(), "Dialect.InsecureNoExpiry")
	case d.UseMember != "" && !d.says(use, t.Use):
		return t.wrongUse(use)
	case d.RefreshMark != "" && (c.AccessID != "") != (t.Use == Refresh):
		return t.wrongMark()
	case !c.NotBefore.IsZero() && !c.Expiry.IsZero() && c.Expiry.Unix() > 0 && c.NotBefore.After(c.Expiry):
		// Not for an exp of 0: what comes after it is expired, and nothing else.
		return refuse(errDate, "nbf", moment{words("a date up to exp, "), c.Expiry}, moment{"", c.NotBefore}, noneMalformed)
	case t.MaxLife > 0 && !c.IssuedAt.IsZero() && c.Expiry.Sub(c.IssuedAt) > t.MaxLife:
		return t.tooLong("exp - iat", c.Expiry.Sub(c.IssuedAt))
	case t.MaxLife > 0 && c.IssuedAt.IsZero() && t.InsecureAnyTime:
		// There is no clock to measure its life by, where InsecureAnyTime leaves the dates
		// to the caller.
		return t.missing("iat", words("a date, for MaxLife"), "Config.MaxLife")
	}
	return nil
}

// missing is the refusal of a token without a member that it must have.
func (t *trusted[T]) missing(member string, expected any, field string) error {
	return refuse(errMissing, member, expected, nil, field)
}

// issuer says whose tokens t is for.
func (t *trusted[T]) issuer() any {
	switch {
	case t.AllowIssuer != nil:
		return words("an issuer that AllowIssuer allows")
	case t.Issuer == "":
		return nil
	}
	return t.Issuer
}

// wrongUse is the refusal of a token whose UseMember says another use, or nothing.
func (t *trusted[T]) wrongUse(word string) error {
	d := &t.Dialect
	no := refuse(errUse, d.UseMember, d.AccessWords, word, "Dialect.AccessWords")
	if t.Use == Refresh {
		no.Expected, no.Field = d.RefreshWord, "Dialect.RefreshWord"
	}
	switch {
	case word == "":
		no.Found, no.Field = nil, "Dialect.UseMember"
	case t.Use == Refresh && d.says(word, Access):
		no.Field = noneAccess
	case t.Use == Access && d.says(word, Refresh):
		no.Field = noneRefresh
	case t.Use == Access:
		if other := kindNamed(word); other != "" {
			no.Field = "none: " + other
		}
	}
	return no
}

// wrongMark is the refusal of a token that has RefreshMark and should not, or the
// other way round.
func (t *trusted[T]) wrongMark() error {
	if t.Use == Refresh {
		return refuse(errUse, t.Dialect.RefreshMark, words("the mark of a refresh token"), nil, noneAccess)
	}
	return refuse(errUse, t.Dialect.RefreshMark, noMember, oneMember, noneRefresh)
}

// tooLong is the refusal of a token that lives longer than MaxLife.
func (t *trusted[T]) tooLong(what string, life time.Duration) error {
	return refuse(errLife, what, t.MaxLife, life, "Config.MaxLife")
}

// moment is printed as a date.
type moment struct {
	words words // before it
	at    time.Time
}

func (m moment) String() string { return string(m.words) + m.at.UTC().Format(time.RFC3339) }

// checkType compares typ with what the use demands (RFC 8725 §3.11).
func (t *trusted[T]) checkType(h *jws.Header) error {
	d := &t.Dialect
	if !h.HasType {
		if t.Use == Access && d.AbsentType {
			return nil
		}
		return t.wrongType(nil, "Dialect.AbsentType")
	}
	if sameMediaType(h.Type, d.typeOf(t.Use)) {
		return nil
	}
	if t.Use == Access {
		for _, another := range d.MoreAccessTypes {
			if sameMediaType(h.Type, another) {
				return nil
			}
		}
		return t.wrongType(h.Type, cmp.Or(d.otherType(h.Type), "Dialect.AccessType"))
	}
	if sameMediaType(h.Type, d.AccessType) {
		return t.wrongType(h.Type, noneAccess)
	}
	return t.wrongType(h.Type, "Dialect.RefreshType")
}

// wrongType is the refusal of a typ, nil if there is none.
func (t *trusted[T]) wrongType(found any, field string) error {
	if t.Use == Refresh {
		if found == nil {
			field = "Dialect.RefreshType"
		}
		return refuse(jws.ErrType, "header typ", t.Dialect.RefreshType, found, field)
	}
	return refuse(jws.ErrType, "header typ", append([]string{t.Dialect.AccessType}, t.Dialect.MoreAccessTypes...), found, field)
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
		// So it does in cnf: bound, or not?
		if d.RefreshMark != "" && string(m.Name) == d.RefreshMark {
			return malformed(m, "a string, or no such member")
		}
		if string(m.Name) == "cnf" {
			return malformed(m, "an object, or no such member")
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
				err = refuse(errIssuer, "iss", words("a string of 1 to 1024 bytes"), m.Value, noneMalformed)
			}
			break
		}
		// The string of the Config is kept, not a copy of the token's.
		if c.Issuer = t.Issuer; t.Issuer == "" || !strict.IsText(m.Value, t.Issuer) {
			err = t.wrongIssuer(m.Value)
		}
	case d.SubjectMember:
		c.Subject, err = t.subject(m.Value)
	case "aud":
		c.Audience, err = t.audience(m.Value)
	case "exp":
		c.Expiry, err = d.Time.read("exp", m.Value)
	case "nbf":
		c.NotBefore, err = d.Time.read("nbf", m.Value)
	case "iat":
		c.IssuedAt, err = d.Time.read("iat", m.Value)
	case "cnf":
		c.Confirmation, err = readConfirmation(m.Value)
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
	if err == nil && !ok {
		return malformed(m, "a string")
	}
	return err
}

// malformed is the refusal of a member that no dialect reads.
func malformed(m strict.Member, expected words) error {
	return refuse(errMemberType, string(m.Name), expected, m.Value, noneMalformed)
}

// wrongIssuer is the refusal of an iss that is another, or that should not be there.
func (t *trusted[T]) wrongIssuer(raw []byte) error {
	no := refuse(errIssuer, "iss", t.issuer(), raw, "Config.Issuer")
	if _, ok := strict.Text(raw); !ok {
		no.Field = noneMalformed
	}
	return no
}

// scope reads the scope. Only spaces separate names (RFC 6749 §3.3): a tab or
// another blank is part of a name.
func (t *trusted[T]) scope(raw []byte) (names []string, err error) {
	member, list := t.Dialect.ScopeMember, raw[0] == '['
	if d := &t.Dialect; !d.ScopeEither && d.ScopeList != list {
		no := refuse(errMemberType, member, words("a string"), raw, "Dialect.ScopeList")
		if d.ScopeList {
			no.Expected, no.Field = words("an array"), "Dialect.ScopeEither"
		}
		if !list && raw[0] != '"' {
			no.Field = noneMalformed
		}
		return nil, no
	}
	if !list {
		s, ok := strict.Text(raw)
		if !ok {
			return nil, refuse(errMemberType, member, words("a string"), raw, noneMalformed)
		}
		return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), nil
	}
	_, err = strict.Elements(raw, func(element []byte) error {
		name, ok := strict.Text(element)
		// A name with a space would be two names as soon as it is written as a string.
		if !ok || name == "" || strings.Contains(name, " ") {
			return refuse(errMemberType, member, words("an array of names without spaces"), raw, noneMalformed)
		}
		names = append(names, name)
		return nil
	})
	return names, err
}

func (t *trusted[T]) subject(raw []byte) (string, error) {
	d := &t.Dialect
	s, ok := strict.Text(raw)
	switch {
	case d.ObjectSubject:
		s, ok = compact(raw), raw[0] == '{'
	case d.NumericSubject:
		if !ok {
			s = string(raw)
		}
		ok = isInteger(s)
	}
	switch {
	case !ok:
		return "", refuse(errMemberType, d.SubjectMember, d.subjectForm(), raw, d.mendSubject(raw))
	case strings.TrimSpace(s) == "", d.ObjectSubject && s == "{}":
		return "", refuse(errSubject, d.SubjectMember, d.subjectForm(), raw, noneMalformed)
	case len(s) > maxSubject:
		return "", refuse(errSubject, d.SubjectMember, words("1024 bytes at most"), jws.Amount{N: len(s), Of: "bytes"}, noneMalformed)
	}
	return s, nil
}

// subjectForm says how the subject is written.
func (d *Dialect) subjectForm() words {
	switch {
	case d.ObjectSubject:
		return "an object with members"
	case d.NumericSubject:
		return "an integer"
	}
	return "a string that is not blank"
}

// mendSubject names the field by which a subject of another form would be read.
func (d *Dialect) mendSubject(raw []byte) string {
	switch {
	case raw[0] == '{':
		return "Dialect.ObjectSubject"
	case isInteger(string(raw)), raw[0] == '"' && d.NumericSubject:
		return "Dialect.NumericSubject"
	case raw[0] == '"' && d.ObjectSubject:
		return "Dialect.ObjectSubject"
	}
	return noneMalformed
}

// subjectField names what to set where the subject's member is absent: those who write
// it under another name use one of these.
func subjectField(members []strict.Member) string {
	for _, name := range otherSubjects {
		if memberOf(members, name) != nil {
			return "Dialect.SubjectMember"
		}
	}
	return "Dialect.AbsentSubject"
}

var otherSubjects = []string{"sub", "user_id", "userId", "uid", "id", "user", "username"}

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
	if raw[0] == '"' {
		return nil, t.wrongAudience(raw)
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
	switch {
	case !isArray || err != nil:
		return nil, refuse(errMemberType, "aud", words("a string or an array of strings"), raw, noneMalformed)
	case len(names) == 0 && t.Dialect.InsecureNoAudience:
		// An array of no recipients names nobody. Ory Hydra writes it if no audience was
		// asked for.
		return nil, nil
	case !slices.ContainsFunc(names, func(n string) bool { return slices.Contains(t.Audience, n) }):
		return nil, t.wrongAudience(raw)
	}
	return names, nil
}

// wrongAudience is the refusal of an aud that does not name us, or that should not be
// there.
func (t *trusted[T]) wrongAudience(raw []byte) error {
	no := refuse(errAudience, "aud", t.Audience, raw, "Config.Audience")
	if empty, err := strict.Elements(raw, func([]byte) error { return errAudience }); empty && err == nil {
		no.Found, no.Field = words("an empty array"), "Dialect.InsecureNoAudience"
	}
	return no
}

func (t *trusted[T]) party(raw []byte) (Party, error) {
	if !t.Dialect.NumericParty {
		s, ok := strict.Text(raw)
		if !ok {
			return "", t.wrongParty(raw)
		}
		return Party(s), nil
	}
	// Only one spelling of an integer passes (1.0 and 1e0 don't), so that parties can
	// be compared as text.
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return "", t.wrongParty(raw)
	}
	return Party(strconv.FormatInt(n, 10)), nil
}

// wrongParty is the refusal of a party of another form.
func (t *trusted[T]) wrongParty(raw []byte) error {
	no := refuse(errMemberType, t.Dialect.PartyMember, words("a string"), raw, "Dialect.PartyMember")
	if t.Dialect.NumericParty {
		no.Expected = words("an integer")
	}
	if _, err := strconv.ParseInt(string(raw), 10, 64); err == nil || raw[0] == '"' {
		no.Field = "Dialect.NumericParty"
	}
	return no
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
		return nil, t.unknownKey(h)
	}
	if k := t.renewed(ctx, u, h, issuer, keys); k != nil {
		t.last.Store(k)
		return k, nil
	}
	return nil, refuse(errSignature, "signature", words("one by a key of the issuer"), named(h), noneSignature)
}

// renewed asks a set that can look anew whether the issuer has another key by now, and
// returns it if it made u's signature. An issuer may give a new key the old kid, or none.
func (t *trusted[T]) renewed(ctx context.Context, u *unverified, h Header, issuer string, before []*Key) *Key {
	set, ok := t.Keys.(interface {
		KeysAnew(ctx context.Context, h Header) ([]*Key, error)
	})
	if !ok || t.byIssuer != nil {
		return nil
	}
	// That the set can't tell now does not make the token better: by all keys that were
	// ever heard of, it is a forgery.
	keys, err := set.KeysAnew(ctx, h)
	if err != nil {
		return nil
	}
	tried := 0
	for _, k := range keys {
		if slices.Contains(before, k) || !k.fits(h, issuer) {
			continue
		}
		if tried++; tried > maxTries {
			return nil
		}
		if k.verifies(u.signed, u.sig) {
			return k
		}
	}
	return nil
}

// named is a header as refusals print it.
type named Header

func (h named) String() string {
	if h.KeyID == "" {
		return h.Algorithm + " without kid"
	}
	return h.Algorithm + " with kid " + quoted(h.KeyID)
}

// unknownKey is the refusal of a token that no key fits.
func (t *trusted[T]) unknownKey(h Header) error {
	no := refuse(errUnknownKey, "header kid", words("a key of Config.Keys"), named(h), "Config.Keys")
	set, ok := t.Keys.(interface {
		Algorithms(kid string) (algorithms []string, field string)
	})
	if !ok {
		return no
	}
	// The issuer has the key, but not for this algorithm. Only the operator can say that
	// it is for both (RFC 8725 §3.1).
	algorithms, field := set.Algorithms(h.KeyID)
	if len(algorithms) == 0 {
		return no
	}
	no.Expected = bound{h.KeyID, algorithms}
	switch {
	case slices.ContainsFunc(algorithms, func(alg string) bool { return sameFamily(alg, h.Algorithm) }):
		no.Field = field
	case strings.HasPrefix(h.Algorithm, "HS"):
		// A public key as a secret: nobody but a forger writes that.
		no.Field = noneSignature
	}
	return no
}

// bound is printed as the algorithms that the keys of an id have.
type bound struct {
	kid        string
	algorithms []string
}

func (b bound) String() string {
	if b.kid == "" {
		return strings.Join(b.algorithms, " or ")
	}
	return strings.Join(b.algorithms, " or ") + ", to which kid " + quoted(b.kid) + " is bound"
}

// sameFamily reports whether one key can have both algorithms: any RSA key can.
func sameFamily(a, b string) bool {
	rsa := func(alg string) bool { return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS") }
	return a == b || rsa(a) && rsa(b) || strings.HasPrefix(a, "HS") && strings.HasPrefix(b, "HS")
}

// checkDates compares the dates with now, RFC 7519 §4.1.4 to §4.1.6. The leeway is
// for clocks that differ, in either direction. A date that is absent is the zero
// time, which lies before every now.
func (t *trusted[T]) checkDates(c *Claims[T], now time.Time) error {
	switch {
	case t.InsecureAnyTime:
		return nil
	case c.NotBefore.After(now.Add(t.Leeway)):
		return tooEarly("nbf", c.NotBefore, now)
	case c.IssuedAt.After(now.Add(t.Leeway)):
		return tooEarly("iat", c.IssuedAt, now)
	case !c.Expiry.IsZero() && !now.Before(c.Expiry.Add(t.Leeway)):
		no := refuse(ErrExpired, "exp", moment{"after ", now}, moment{"", c.Expiry}, noneExpired)
		if t.Dialect.Time == Milliseconds && c.Expiry.Year() == 1970 {
			no.Field = "Dialect.Time" // it is in seconds
		}
		return no
	case t.MaxLife > 0 && c.IssuedAt.IsZero() && c.Expiry.Sub(now) > t.MaxLife+t.Leeway:
		return t.tooLong("exp - now", c.Expiry.Sub(now))
	}
	return nil
}

// tooEarly is the refusal of a token that begins in the future. Up to the largest
// leeway, clocks that differ explain it.
func tooEarly(member string, at, now time.Time) error {
	no := refuse(errNotYet, member, moment{"up to ", now}, moment{"", at}, noneEarly)
	if at.Sub(now) <= maxLeeway {
		no.Field = "Config.Leeway"
	}
	return no
}
