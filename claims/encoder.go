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
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// Encoder writes claims as a [Dialect] does. It is the other half of
// [Verifier], for issuers: it signs nothing. It is safe for concurrent use; its
// zero value writes nothing.
type Encoder[T any] struct {
	dialect Dialect
	places  []place  // of Dialect.Members
	taken   []string // members that App must not have
	kinds   kindRules
	app     bool // T has members
	// The headers that were written last, of access and of refresh tokens: as
	// long as one key signs they stay the same.
	access, refresh atomic.Pointer[written]
}

// place is a member that has a place, with what begins it.
type place struct {
	name, text string
	app        bool // it is one of App's
}

// written is a header, as it was encoded.
type written struct {
	Header
	segment string
}

// NewEncoder returns an Encoder, or every mistake in d and T.
func NewEncoder[T any](d Dialect) (*Encoder[T], error) {
	d, err := d.settled()
	if err != nil {
		return nil, err
	}
	app, err := newAppReader(reflect.TypeFor[T](), d.names())
	if err != nil {
		return nil, err
	}
	e := &Encoder[T]{dialect: d, places: []place{}, taken: d.names(), kinds: d.kindRules(), app: app.loose || len(app.object.fields) > 0}
	for _, name := range d.Members {
		e.places = append(e.places, place{name, string(appendName(nil, name)), !slices.Contains(e.taken, name)})
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
	// places is not nil in any Encoder that NewEncoder made, empty as it may be.
	if e == nil || e.places == nil {
		return "", fmt.Errorf("%w: the encoder was not made by NewEncoder", errUnencodable)
	}
	// The zero Use is not Access here: a token's kind must be said, not forgotten.
	if c.Use != Access && c.Use != Refresh {
		return "", fmt.Errorf("%w: Use is %q, not access or refresh", errUnencodable, c.Use)
	}
	// A binding that is not written would make a bearer token of it.
	if c.Confirmation != (Confirmation{}) && !slices.Contains(e.dialect.Members, "cnf") {
		return "", fmt.Errorf("%w: Confirmation is set, and Dialect.Members lists no \"cnf\"", errUnencodable)
	}
	header, err := e.header(h, c.Use)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errUnencodable, err)
	}
	var room [1 << 10]byte // on the stack: most tokens take no other memory than their own
	b, err := e.payload(room[:0], c)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errUnencodable, err)
	}
	// Payload, header and the encoded payload share the buffer; what was written behind
	// the payload is the answer, and the only part that is copied to the heap.
	end := len(b)
	b = append(append(b, header...), '.')
	b = base64.RawURLEncoding.AppendEncode(b, b[:end])
	return string(b[end:]), nil
}

// header returns the header of a token, encoded.
func (e *Encoder[T]) header(h Header, use Use) (string, error) {
	last := &e.access
	if use == Refresh {
		last = &e.refresh
	}
	if w := last.Load(); w != nil && w.Header == h {
		return w.segment, nil
	}
	if !jws.Supported(h.Algorithm) {
		return "", fmt.Errorf("algorithm %s is not supported", quoted(h.Algorithm))
	}
	if len(h.KeyID) > jws.MaxKeyID || !utf8.ValidString(h.KeyID) {
		return "", fmt.Errorf("kid is longer than %d bytes, or not valid UTF-8", jws.MaxKeyID)
	}
	// typ is always written, so that no reader has to guess (RFC 8725 §3.11).
	var b []byte
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
	b[0] = '{' // in place of the first comma
	w := &written{h, base64.RawURLEncoding.EncodeToString(append(b, '}'))}
	last.Store(w)
	return w.segment, nil
}

// payload appends the payload of a token to b, which is empty.
//
// Members that have a place stand in the dialect's order, those of App among them;
// then comes the rest of App in the order of its fields. So tokens look as those
// that a system has written before.
func (e *Encoder[T]) payload(b []byte, c *Claims[T]) ([]byte, error) {
	var few [16]strict.Member
	app, err := e.appMembers(c, few[:0])
	if err != nil {
		return nil, fmt.Errorf("in App: %w", err)
	}
	for i := range e.places {
		if b, err = e.member(b, &e.places[i], c, app); err != nil {
			return nil, err
		}
	}
	for _, m := range app {
		if !e.placed(m.Name) {
			b = append(appendName(b, string(m.Name)), m.Value...)
		}
	}
	if len(b) == 0 {
		return append(b, "{}"...), nil
	}
	b[0] = '{' // each member begins with a comma
	b = append(b, '}')
	// A member takes at least four bytes. A text that is shorter than all that a reader
	// allows can't have too many, and is not read again for that.
	judged := c.Use == Access && e.kinds.mayRefuse(e.dialect.AccessType, app)
	if judged || len(b) > 4*jws.Bounds.Members {
		members, err := strict.Object(slices.Clone(b), jws.Bounds, nil)
		if err != nil {
			return nil, err
		}
		if judged {
			return b, e.kinds.check(e.dialect.AccessType, members)
		}
	}
	return b, nil
}

// placed reports whether a member of App has a place.
func (e *Encoder[T]) placed(name []byte) bool {
	return slices.ContainsFunc(e.places, func(p place) bool { return p.app && p.name == string(name) })
}

// appMembers appends what App adds to into. encoding/json writes App, since only it
// knows MarshalJSON and omitempty. Its text is then read again, strictly: the
// members are needed one by one for their places, and what a MarshalJSON or a map
// may have written (a second "sub", a member too many, half a surrogate pair) is
// found here and not by every verifier.
func (e *Encoder[T]) appMembers(c *Claims[T], into []strict.Member) ([]strict.Member, error) {
	if !e.app || c.Use == Refresh {
		return nil, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c.App); err != nil {
		return nil, err
	}
	// A nil map: App adds nothing.
	if string(bytes.TrimSpace(b.Bytes())) == "null" {
		return nil, nil
	}
	members, err := strict.Object(b.Bytes(), jws.Bounds, into)
	if err != nil {
		return nil, err
	}
	// In any case: "SUB" beside sub would be the subject for some readers.
	for _, m := range members {
		if containsFold(e.taken, string(m.Name)) {
			return nil, fmt.Errorf("member %s is a field of Claims", quoted(string(m.Name)))
		}
	}
	return members, nil
}

// member appends a member that has a place: one that the dialect gives a
// meaning, or else one of App's. There may be nothing to append.
func (e *Encoder[T]) member(b []byte, p *place, c *Claims[T], app []strict.Member) ([]byte, error) {
	d := &e.dialect
	// A refresh token is for its issuer alone, which knows them by the session.
	if c.Use == Refresh && (p.name == d.ScopeMember || p.name == d.PartyMember) {
		return b, nil
	}
	switch p.name {
	case "iss":
		return p.required(b, c.Issuer)
	case d.SubjectMember:
		return e.subject(b, p, c.Subject)
	case "aud":
		return p.audience(b, c.Audience)
	case "exp":
		if c.Expiry.IsZero() && !d.InsecureNoExpiry {
			return nil, errors.New("exp is missing")
		}
		if !c.Expiry.IsZero() && c.Expiry.Unix() <= 0 {
			return nil, errors.New("exp is in 1970 or before: no such token has ever been valid")
		}
		return p.date(b, d.Time, c.Expiry)
	case "nbf":
		if !c.Expiry.IsZero() && c.NotBefore.After(c.Expiry) {
			return nil, errors.New("nbf is after exp")
		}
		return p.date(b, d.Time, c.NotBefore)
	case "iat":
		return p.date(b, d.Time, c.IssuedAt)
	case "cnf":
		return p.confirmation(b, c.Confirmation)
	case d.ScopeMember:
		return p.scope(b, c.Scope, d.ScopeList)
	case d.PartyMember:
		return e.party(b, p, c.Party)
	case d.UseMember:
		return p.optional(b, d.word(c.Use))
	case d.RefreshMark:
		if c.Use != Refresh {
			return b, nil
		}
		return p.required(b, c.AccessID)
	case d.LifetimeMember:
		if c.IssuedAt.IsZero() || c.Expiry.IsZero() {
			return nil, fmt.Errorf("%s needs IssuedAt and Expiry", p.name)
		}
		return strconv.AppendInt(append(b, p.text...), c.Expiry.Unix()-c.IssuedAt.Unix(), 10), nil
	}
	if field := c.text(p.name); field != nil {
		return p.optional(b, *field)
	}
	if i := slices.IndexFunc(app, func(m strict.Member) bool { return string(m.Name) == p.name }); i >= 0 {
		b = append(append(b, p.text...), app[i].Value...)
	}
	return b, nil
}

func (e *Encoder[T]) subject(b []byte, p *place, subject string) ([]byte, error) {
	switch {
	case subject == "" && e.dialect.AbsentSubject:
		return b, nil
	case strings.TrimSpace(subject) == "":
		return nil, fmt.Errorf("%s is blank", p.name)
	case len(subject) > maxSubject:
		return nil, fmt.Errorf("%s is longer than %d bytes", p.name, maxSubject)
	case e.dialect.NumericSubject && !isInteger(subject):
		return nil, fmt.Errorf("%s %s is not an integer, as this dialect writes it", p.name, quoted(subject))
	case e.dialect.NumericSubject:
		return append(append(b, p.text...), subject...), nil
	case !e.dialect.ObjectSubject:
		return p.optional(b, subject)
	}
	text, ok := objectText(subject)
	if !ok {
		return nil, fmt.Errorf("%s is not a JSON object with members, as this dialect writes it, or nests too deeply", p.name)
	}
	return append(append(b, p.text...), text...), nil
}

// objectText returns the compact text of an object, and false if text is not an
// object or has no members. It is read one level down, where it will stand: a
// verifier counts its depth from the payload.
func objectText(text string) (string, bool) {
	members, err := strict.Object([]byte(`{"sub":`+text+`}`), jws.Bounds, nil)
	if err != nil || len(members) != 1 || members[0].Value[0] != '{' {
		return "", false
	}
	one := compact(members[0].Value)
	return one, one != "{}"
}

func (e *Encoder[T]) party(b []byte, p *place, party Party) ([]byte, error) {
	if !e.dialect.NumericParty {
		return p.optional(b, string(party))
	}
	if party == "" {
		return b, nil
	}
	// Compared again as text: "007" is a party that would come back as "7".
	n, err := strconv.ParseInt(string(party), 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != string(party) {
		return nil, fmt.Errorf("party %s is not an integer, as this dialect writes it", quoted(string(party)))
	}
	return append(append(b, p.text...), party...), nil
}

func (p *place) required(b []byte, value string) ([]byte, error) {
	if value == "" {
		return nil, fmt.Errorf("%s is missing", p.name)
	}
	return p.optional(b, value)
}

func (p *place) optional(b []byte, value string) ([]byte, error) {
	if value == "" {
		return b, nil
	}
	if !utf8.ValidString(value) {
		return nil, fmt.Errorf("%s is not valid UTF-8", p.name)
	}
	return appendQuoted(append(b, p.text...), value), nil
}

func (p *place) audience(b []byte, audience []string) ([]byte, error) {
	switch len(audience) {
	case 0:
		return nil, fmt.Errorf("%s is missing", p.name)
	case 1:
		return p.required(b, audience[0])
	}
	b = append(b, p.text...)
	for i, a := range audience {
		if a == "" || !utf8.ValidString(a) {
			return nil, fmt.Errorf("%s has a name that is empty or not valid UTF-8", p.name)
		}
		b = appendQuoted(append(b, "[,"[min(i, 1)]), a)
	}
	return append(b, ']'), nil
}

func (p *place) scope(b []byte, scope []string, list bool) ([]byte, error) {
	if len(scope) == 0 {
		return b, nil
	}
	begin, between, end := `"`, ` `, `"`
	if list {
		begin, between, end = `["`, `","`, `"]`
	}
	b = append(append(b, p.text...), begin...)
	for i, s := range scope {
		if s == "" || strings.Contains(s, " ") || !utf8.ValidString(s) {
			return nil, fmt.Errorf("%s %s is empty, has a space or is not valid UTF-8", p.name, quoted(s))
		}
		if i > 0 {
			b = append(b, between...)
		}
		b = appendEscaped(b, s)
	}
	return append(b, end...), nil
}

func (p *place) date(b []byte, f TimeFormat, t time.Time) ([]byte, error) {
	if t.IsZero() {
		return b, nil
	}
	b, err := f.append(append(b, p.text...), t)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	return b, nil
}

// appendName begins a member: the comma of the first is to become a brace.
func appendName(b []byte, name string) []byte {
	return append(appendQuoted(append(b, ','), name), ':')
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
