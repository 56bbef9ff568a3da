package claims

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
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
	members []string
	taken   []string
	app     bool // T has members
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
	return &Encoder[T]{dialect: d, members: d.Members, taken: d.names(), app: app.loose || len(app.fields) > 0}, nil
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
	if e == nil || e.members == nil {
		return "", fmt.Errorf("%w: the encoder was not made by NewEncoder", errUnencodable)
	}
	if c.Use != Access && c.Use != Refresh {
		return "", fmt.Errorf("%w: Use is %q, not access or refresh", errUnencodable, c.Use)
	}
	head, err := e.header(h, c.Use)
	if err != nil {
		return "", err
	}
	payload, err := e.payload(c)
	if err != nil {
		return "", err
	}
	n := base64.RawURLEncoding.EncodedLen(len(head))
	out := make([]byte, n+1+base64.RawURLEncoding.EncodedLen(len(payload)))
	base64.RawURLEncoding.Encode(out, head)
	out[n] = '.'
	base64.RawURLEncoding.Encode(out[n+1:], payload)
	return string(out), nil
}

func (e *Encoder[T]) header(h Header, use Use) ([]byte, error) {
	if _, ok := algorithms[h.Algorithm]; !ok {
		return nil, fmt.Errorf("%w: algorithm %s is not supported", errUnencodable, quoted(h.Algorithm))
	}
	if len(h.KeyID) > maxKeyID {
		return nil, fmt.Errorf("%w: kid is longer than %d bytes", errUnencodable, maxKeyID)
	}
	var w objectWriter
	if e.dialect.TypeFirst {
		w.str("typ", e.dialect.typeOf(use))
	}
	w.str("alg", h.Algorithm)
	if !e.dialect.TypeFirst {
		w.str("typ", e.dialect.typeOf(use))
	}
	w.optional("kid", h.KeyID)
	return w.end()
}

func (e *Encoder[T]) payload(c *Claims[T]) ([]byte, error) {
	app, err := e.appMembers(c)
	if err != nil {
		return nil, err
	}
	var w objectWriter
	for _, name := range e.members {
		if slices.Contains(e.taken, name) {
			e.registered(&w, name, c)
		} else if i := slices.IndexFunc(app, func(m member) bool { return string(m.name) == name }); i >= 0 {
			w.raw(name, app[i].value)
		}
	}
	for _, m := range app {
		if !slices.Contains(e.members, string(m.name)) {
			w.raw(string(m.name), m.value)
		}
	}
	payload, err := w.end()
	if err == nil && len(payload) > 4*maxMembers { // it may have too many
		if _, err := readObject(payload, nil); err != nil {
			return nil, fmt.Errorf("%w: %v", errUnencodable, err)
		}
	}
	return payload, err
}

// appMembers returns what App adds.
func (e *Encoder[T]) appMembers(c *Claims[T]) ([]member, error) {
	if !e.app || c.Use == Refresh {
		return nil, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c.App); err != nil {
		return nil, fmt.Errorf("%w: App: %w", errUnencodable, err)
	}
	if string(bytes.TrimSpace(b.Bytes())) == "null" {
		return nil, nil
	}
	members, err := readObject(b.Bytes(), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: App: %v", errUnencodable, err)
	}
	for _, m := range members {
		if containsFold(e.taken, string(m.name)) {
			return nil, fmt.Errorf("%w: App: member %s is a field of Claims", errUnencodable, quoted(string(m.name)))
		}
	}
	return members, nil
}

// registered writes the member name, which the dialect gives a meaning.
func (e *Encoder[T]) registered(w *objectWriter, name string, c *Claims[T]) {
	d := &e.dialect
	if c.Use == Refresh && (name == "scope" || name == d.PartyMember) {
		return
	}
	switch name {
	case "iss":
		w.required(name, c.Issuer)
	case "sub":
		e.subject(w, c.Subject)
	case "aud":
		w.audience(name, c.Audience)
	case "exp":
		if c.Expiry.IsZero() && !d.InsecureNoExpiry {
			w.fail("exp is missing")
			return
		}
		w.date(name, d.Time, c.Expiry)
	case "nbf":
		if !c.Expiry.IsZero() && c.NotBefore.After(c.Expiry) {
			w.fail("nbf is after exp")
		}
		w.date(name, d.Time, c.NotBefore)
	case "iat":
		w.date(name, d.Time, c.IssuedAt)
	case "jti":
		w.optional(name, c.ID)
	case "sid":
		w.optional(name, c.Session)
	case "scope":
		for _, s := range c.Scope {
			if s == "" || strings.Contains(s, " ") {
				w.fail("scope %s is empty or has a space", quoted(s))
			}
		}
		w.optional(name, strings.Join(c.Scope, " "))
	case d.PartyMember:
		e.party(w, c.Party)
	case d.UseMember:
		w.str(name, string(c.Use))
	case d.RefreshMark:
		if c.Use == Refresh {
			w.required(name, c.AccessID)
		}
	case d.LifetimeMember:
		if c.IssuedAt.IsZero() || c.Expiry.IsZero() {
			w.fail("%s needs IssuedAt and Expiry", name)
		}
		w.raw(name, strconv.AppendInt(nil, c.Expiry.Unix()-c.IssuedAt.Unix(), 10))
	}
}

func (e *Encoder[T]) subject(w *objectWriter, subject string) {
	switch {
	case subject == "" && e.dialect.AbsentSubject:
	case strings.TrimSpace(subject) == "":
		w.fail("Subject is blank")
	case len(subject) > maxSubject:
		w.fail("Subject is longer than %d bytes", maxSubject)
	case !e.dialect.ObjectSubject:
		w.str("sub", subject)
	default:
		if members, err := readObject([]byte(subject), nil); err != nil || len(members) == 0 {
			w.fail("Subject is no JSON object with members, as this dialect writes it")
			return
		}
		w.raw("sub", []byte(compact([]byte(subject))))
	}
}

func (e *Encoder[T]) party(w *objectWriter, party Party) {
	if !e.dialect.NumericParty {
		w.optional(e.dialect.PartyMember, string(party))
		return
	}
	if party == "" {
		return
	}
	n, err := strconv.ParseInt(string(party), 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != string(party) {
		w.fail("Party %s is no integer, as this dialect writes it", quoted(string(party)))
		return
	}
	w.raw(e.dialect.PartyMember, []byte(party))
}

// objectWriter writes one JSON object and keeps the first mistake.
type objectWriter struct {
	b   []byte
	err error
}

func (w *objectWriter) fail(format string, a ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("%w: "+format, append([]any{errUnencodable}, a...)...)
	}
}

func (w *objectWriter) name(name string) {
	if w.b == nil {
		w.b = append(make([]byte, 0, 512), '{')
	} else {
		w.b = append(w.b, ',')
	}
	w.quote(name)
	w.b = append(w.b, ':')
}

func (w *objectWriter) raw(name string, value []byte) {
	w.name(name)
	w.b = append(w.b, value...)
}

func (w *objectWriter) str(name, value string) {
	if !utf8.ValidString(value) {
		w.fail("%s is not valid UTF-8", name)
	}
	w.name(name)
	w.quote(value)
}

func (w *objectWriter) optional(name, value string) {
	if value != "" {
		w.str(name, value)
	}
}

func (w *objectWriter) required(name, value string) {
	if value == "" {
		w.fail("%s is missing", name)
	}
	w.str(name, value)
}

func (w *objectWriter) audience(name string, audience []string) {
	switch {
	case len(audience) == 0 || slices.Contains(audience, ""):
		w.fail("%s is missing or has an empty name", name)
	case len(audience) == 1:
		w.str(name, audience[0])
	default:
		list := objectWriter{}
		for i, a := range audience {
			list.b = append(list.b, "[,"[min(i, 1)])
			if !utf8.ValidString(a) {
				w.fail("%s is not valid UTF-8", name)
			}
			list.quote(a)
		}
		w.raw(name, append(list.b, ']'))
	}
}

func (w *objectWriter) date(name string, f TimeFormat, t time.Time) {
	if t.IsZero() {
		return
	}
	w.name(name)
	b, err := f.append(w.b, t)
	if err != nil {
		w.fail("%s: %v", name, err)
		return
	}
	w.b = b
}

// quote writes s, which is valid UTF-8, with no more escapes than RFC 8259 §7
// demands.
func (w *objectWriter) quote(s string) {
	const hex = "0123456789abcdef"
	w.b = append(w.b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			w.b = append(w.b, '\\', c)
		case c < ' ':
			w.b = append(w.b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			w.b = append(w.b, c)
		}
	}
	w.b = append(w.b, '"')
}

func (w *objectWriter) end() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	if w.b == nil {
		return []byte("{}"), nil
	}
	return append(w.b, '}'), nil
}
