package claims

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Encoder writes claims as a [Dialect] does. It is the other half of
// [Verifier], for issuers: it signs nothing. It is safe for concurrent use; its
// zero value writes nothing.
type Encoder[T any] struct {
	dialect Dialect
	taken   []string // members that App must not have
	placed  []string // members of App that Dialect.Members has put in a place
	app     bool     // T has members
}

// NewEncoder returns an Encoder, or every mistake in d and T.
func NewEncoder[T any](d Dialect) (*Encoder[T], error) {
	d, err := d.compiled()
	if err != nil {
		return nil, err
	}
	app, err := newAppReader(reflect.TypeFor[T](), d.names())
	if err != nil {
		return nil, err
	}
	e := &Encoder[T]{dialect: d, taken: d.names(), app: app.loose || len(app.fields) > 0}
	for _, name := range d.Members {
		if !slices.Contains(e.taken, name) {
			e.placed = append(e.placed, name)
		}
	}
	return e, nil
}

// Encode returns the header and payload of a token, encoded and joined by a
// dot: the JWS signing input of RFC 7515 §5.1. Its signature, in base64url,
// follows after another dot.
//
// c.Use decides which kind of token it is. A refresh token carries neither
// party, scope nor App: the session that it names knows them. Members for which
// c has nothing are not written. What a verifier would refuse in form (a blank
// subject, a missing expiry, invalid UTF-8, a member of App that the dialect
// reads itself) or read otherwise (a scope with a space) is refused here, with
// an error that names it.
func (e *Encoder[T]) Encode(h Header, c *Claims[T]) (string, error) {
	if e == nil || e.dialect.Members == nil {
		return "", fmt.Errorf("%w: the encoder was not made by NewEncoder", errUnencodable)
	}
	if c.Use != Access && c.Use != Refresh {
		return "", fmt.Errorf("%w: Use is %q, not access or refresh", errUnencodable, c.Use)
	}
	var room [1 << 10]byte // on the stack: most tokens take no other memory than their own
	b, err := e.header(room[:0], h, c.Use)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errUnencodable, err)
	}
	head := len(b)
	if b, err = e.payload(b, c); err != nil {
		return "", fmt.Errorf("%w: %w", errUnencodable, err)
	}
	end := len(b)
	b = base64.RawURLEncoding.AppendEncode(b, b[:head])
	b = append(b, '.')
	b = base64.RawURLEncoding.AppendEncode(b, b[head:end])
	return string(b[end:]), nil
}

// header appends the header of a token.
func (e *Encoder[T]) header(b []byte, h Header, use Use) ([]byte, error) {
	if _, ok := algorithms[h.Algorithm]; !ok {
		return nil, fmt.Errorf("algorithm %s is not supported", quoted(h.Algorithm))
	}
	if len(h.KeyID) > maxKeyID || !utf8.ValidString(h.KeyID) {
		return nil, fmt.Errorf("kid is longer than %d bytes, or not valid UTF-8", maxKeyID)
	}
	b = append(b, '{')
	if e.dialect.TypeFirst {
		b = appendQuoted(appendName(b, "typ"), e.dialect.typeOf(use))
	}
	b = appendQuoted(appendName(b, "alg"), h.Algorithm)
	if !e.dialect.TypeFirst {
		b = appendQuoted(appendName(b, "typ"), e.dialect.typeOf(use))
	}
	if h.KeyID != "" {
		b = appendQuoted(appendName(b, "kid"), h.KeyID)
	}
	return append(b, '}'), nil
}

// payload appends the payload of a token.
func (e *Encoder[T]) payload(b []byte, c *Claims[T]) ([]byte, error) {
	var few [16]member
	app, err := e.appMembers(c, few[:0])
	if err != nil {
		return nil, fmt.Errorf("in App: %w", err)
	}
	start := len(b)
	b = append(b, '{')
	for _, name := range e.dialect.Members {
		if b, err = e.member(b, name, c, app); err != nil {
			return nil, err
		}
	}
	for _, m := range app {
		if !slices.Contains(e.placed, string(m.name)) {
			b = append(appendName(b, string(m.name)), m.value...)
		}
	}
	b = append(b, '}')
	if len(b)-start > 4*maxMembers { // it may have too many
		if _, err := readObject(slices.Clone(b[start:]), nil); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// appMembers appends what App adds to into.
func (e *Encoder[T]) appMembers(c *Claims[T], into []member) ([]member, error) {
	if !e.app || c.Use == Refresh {
		return nil, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c.App); err != nil {
		return nil, err
	}
	if string(bytes.TrimSpace(b.Bytes())) == "null" {
		return nil, nil
	}
	members, err := readObject(b.Bytes(), into)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if containsFold(e.taken, string(m.name)) {
			return nil, fmt.Errorf("member %s is a field of Claims", quoted(string(m.name)))
		}
	}
	return members, nil
}

// member appends a member that has a place: one that the dialect gives a
// meaning, or else one of App's. There may be nothing to append.
func (e *Encoder[T]) member(b []byte, name string, c *Claims[T], app []member) ([]byte, error) {
	d := &e.dialect
	if c.Use == Refresh && (name == "scope" || name == d.PartyMember) {
		return b, nil
	}
	switch name {
	case "iss":
		return appendRequired(b, name, c.Issuer)
	case "sub":
		return e.subject(b, c.Subject)
	case "aud":
		return appendAudience(b, c.Audience)
	case "exp":
		if c.Expiry.IsZero() && !d.InsecureNoExpiry {
			return nil, errors.New("exp is missing")
		}
		return appendDate(b, name, d.Time, c.Expiry)
	case "nbf":
		if !c.Expiry.IsZero() && c.NotBefore.After(c.Expiry) {
			return nil, errors.New("nbf is after exp")
		}
		return appendDate(b, name, d.Time, c.NotBefore)
	case "iat":
		return appendDate(b, name, d.Time, c.IssuedAt)
	case "jti":
		return appendOptional(b, name, c.ID)
	case "sid":
		return appendOptional(b, name, c.Session)
	case "scope":
		return appendScope(b, c.Scope)
	case d.PartyMember:
		return e.party(b, c.Party)
	case d.UseMember:
		return appendQuoted(appendName(b, name), string(c.Use)), nil
	case d.RefreshMark:
		if c.Use != Refresh {
			return b, nil
		}
		return appendRequired(b, name, c.AccessID)
	case d.LifetimeMember:
		if c.IssuedAt.IsZero() || c.Expiry.IsZero() {
			return nil, fmt.Errorf("%s needs IssuedAt and Expiry", name)
		}
		return strconv.AppendInt(appendName(b, name), c.Expiry.Unix()-c.IssuedAt.Unix(), 10), nil
	}
	if i := slices.IndexFunc(app, func(m member) bool { return string(m.name) == name }); i >= 0 {
		b = append(appendName(b, name), app[i].value...)
	}
	return b, nil
}

func (e *Encoder[T]) subject(b []byte, subject string) ([]byte, error) {
	switch {
	case subject == "" && e.dialect.AbsentSubject:
		return b, nil
	case strings.TrimSpace(subject) == "":
		return nil, errors.New("sub is blank")
	case len(subject) > maxSubject:
		return nil, fmt.Errorf("sub is longer than %d bytes", maxSubject)
	case !e.dialect.ObjectSubject:
		return appendOptional(b, "sub", subject)
	}
	if members, err := readObject([]byte(subject), nil); err != nil || len(members) == 0 {
		return nil, errors.New("sub is no JSON object with members, as this dialect writes it")
	}
	return append(appendName(b, "sub"), compact([]byte(subject))...), nil
}

func (e *Encoder[T]) party(b []byte, party Party) ([]byte, error) {
	if !e.dialect.NumericParty {
		return appendOptional(b, e.dialect.PartyMember, string(party))
	}
	if party == "" {
		return b, nil
	}
	n, err := strconv.ParseInt(string(party), 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != string(party) {
		return nil, fmt.Errorf("party %s is no integer, as this dialect writes it", quoted(string(party)))
	}
	return append(appendName(b, e.dialect.PartyMember), party...), nil
}

func appendRequired(b []byte, name, value string) ([]byte, error) {
	if value == "" {
		return nil, fmt.Errorf("%s is missing", name)
	}
	return appendOptional(b, name, value)
}

func appendOptional(b []byte, name, value string) ([]byte, error) {
	if value == "" {
		return b, nil
	}
	if !utf8.ValidString(value) {
		return nil, fmt.Errorf("%s is not valid UTF-8", name)
	}
	return appendQuoted(appendName(b, name), value), nil
}

func appendAudience(b []byte, audience []string) ([]byte, error) {
	for _, a := range audience {
		if a == "" || !utf8.ValidString(a) {
			return nil, errors.New("aud has a name that is empty or not valid UTF-8")
		}
	}
	switch len(audience) {
	case 0:
		return nil, errors.New("aud is missing")
	case 1:
		return appendQuoted(appendName(b, "aud"), audience[0]), nil
	}
	b = append(appendName(b, "aud"), '[')
	for i, a := range audience {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, a)
	}
	return append(b, ']'), nil
}

func appendScope(b []byte, scope []string) ([]byte, error) {
	if len(scope) == 0 {
		return b, nil
	}
	b = append(appendName(b, "scope"), '"')
	for i, s := range scope {
		if s == "" || strings.Contains(s, " ") || !utf8.ValidString(s) {
			return nil, fmt.Errorf("scope %s is empty, has a space or is not valid UTF-8", quoted(s))
		}
		if i > 0 {
			b = append(b, ' ')
		}
		b = appendEscaped(b, s)
	}
	return append(b, '"'), nil
}

func appendDate(b []byte, name string, f TimeFormat, t time.Time) ([]byte, error) {
	if t.IsZero() {
		return b, nil
	}
	b, err := f.append(appendName(b, name), t)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

// appendName begins a member of the object at the end of b.
func appendName(b []byte, name string) []byte {
	if b[len(b)-1] != '{' { // which no value ends with
		b = append(b, ',')
	}
	return append(appendQuoted(b, name), ':')
}

func appendQuoted(b []byte, s string) []byte {
	return append(appendEscaped(append(b, '"'), s), '"')
}

// appendEscaped appends s, which is valid UTF-8, with no more escapes than
// RFC 8259 §7 demands.
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	done := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[done:i]...)
		done = i + 1
		if c < ' ' {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		} else {
			b = append(b, '\\', c)
		}
	}
	return append(b, s[done:]...)
}
