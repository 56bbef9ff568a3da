package claims

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// Check is one thing that [Verifier.Explain] looked at. All of it is text for people:
// short, in printable ASCII, in one line.
type Check struct {
	// Name is what was looked at: a member ("aud"), a parameter ("header typ"), or a part
	// of the token ("signature").
	Name string
	// OK says that the Config accepts it.
	OK bool
	// Expected and Found are what the Config asks for and what the token has. What a
	// subject, a scope or a member of App says is not shown, and of a signature nothing.
	Expected, Found string
	// Field is what to set so that such tokens pass, by its Go name: "Config.Audience".
	// "none: WHAT" says that no Config should accept the token, because it is WHAT. It is
	// empty where nothing is to be set. Where OK is true it is what makes the Config
	// stricter.
	Field string
	// Value is what to set Field to, as Go source. It is empty where only the operator can
	// know it. For a list it is the whole list.
	Value string
}

// Explain says how the Config judges a token, check by check, for a person who has to
// mend a Config. It decides by the same rules as Verify. But it goes on where Verify
// ends: as if the field were set that would accept what it has found, so that all things
// to mend are told at once. It ends at the first that nothing should mend.
//
// An error means that the token could not be checked, as for [Verifier.Verify]; the
// checks are those until then. Verify accepts the token if there is no error, and each
// check is OK; one more check is that of a guard, which refuses a token that is bound to a
// key. Nothing is remembered. The checks are for the operator alone: never put
// them into an answer (RFC 6750 §3.1 has the words for that).
//
// A wrong iss can be mended only if a key of the Config made the signature: else both
// checks say "none".
func (v *Verifier[T]) Explain(ctx context.Context, token string) ([]Check, error) {
	return v.explain(ctx, token, time.Now)
}

// explain reads clock once, where the dates are checked, as verify does.
func (v *Verifier[T]) explain(ctx context.Context, token string, clock func() time.Time) ([]Check, error) {
	if v == nil || v.issuers.Load() == nil {
		return nil, errNoVerifier
	}
	var e explanation
	known := v.issuers.Load()
	u, members, count, err := v.read(token, known, nil)
	if no := asRefusal(err); no != nil && (no.Field == "Config.MaxBytes" || no.Field == "Config.MaxMembers") {
		// Read once more with the widest bounds, so that the real size is told.
		wide := *known
		wide.maxBytes, wide.maxMembers = len(token), maxMembers
		if u, members, count, err = v.read(token, &wide, nil); err == nil {
			known = &wide
		}
	}
	if err != nil {
		return e.checks, e.refused(err, "")
	}
	e.ok("form", "three segments, JSON with one reading", fmt.Sprint(len(token), " bytes, ", count, " members"))
	e.ok("header alg", "an algorithm of claims.NewKey", u.header.Algorithm)
	from, err := known.of(members)
	if err != nil {
		return e.checks, e.refused(err, "")
	}
	t := from.fresh()
	for _, bound := range []struct {
		field     string
		has, most int
		mended    *int
	}{{"Config.MaxBytes", len(token), from.MaxBytes, &t.MaxBytes}, {"Config.MaxMembers", count, from.MaxMembers, &t.MaxMembers}} {
		if bound.has > bound.most {
			*bound.mended = bound.has
			e.add(Check{"size", false, fmt.Sprint(bound.most, " at most"), fmt.Sprint(bound.has), bound.field, strconv.Itoa(bound.has)})
		}
	}

	// Registered members. Each round finds one more that is refused, and mends a copy of
	// the Config for it.
	var said Claims[T]
	mended := true
	for mended {
		said = Claims[T]{Use: t.Use}
		if err = t.readClaims(&said, u.header, members); err == nil {
			break
		}
		var value string
		if value, mended = t.mend(asRefusal(err), members, time.Time{}); e.refused(err, value) != nil || len(e.checks) > 64 {
			break
		}
	}
	e.fine(from, u.header, members)
	if err != nil {
		return e.checks, nil
	}
	if said.Confirmation != (Confirmation{}) {
		// Verify leaves this to guards, which refuse it too (RFC 9449 §7, RFC 8705 §3).
		e.add(Check{"cnf", false, "no such member", "one", "none: bound to a key", ""})
	}
	if err := t.admits(ctx, said.Issuer); err != nil {
		return e.checks, e.refused(err, "")
	}

	if _, err := t.checkSignature(ctx, &u, said.Issuer); err != nil {
		return e.checks, e.unsigned(err)
	}
	e.ok("signature", "one by a key of the issuer", named(headerOf(u.header)).String())
	// A mended Dialect may read a member that was App's before, or the other way round.
	if app, err := newAppReader(reflect.TypeFor[T](), t.Dialect.names()); err == nil {
		t.app = app
	}
	if err := t.app.read(members, reflect.ValueOf(&said.App).Elem()); err != nil {
		return e.checks, e.refused(err, "")
	}

	now := clock()
	for mended = true; mended; {
		if err = t.checkDates(&said, now); err == nil {
			break
		}
		no := asRefusal(err)
		var value string
		value, mended = t.mend(no, members, now)
		e.refused(err, value)
		if no.Field == "Dialect.Time" {
			break // the dates that were read are not those that the token means
		}
	}
	for _, date := range []struct {
		member string
		at     time.Time
	}{{"exp", said.Expiry}, {"nbf", said.NotBefore}, {"iat", said.IssuedAt}} {
		if !date.at.IsZero() && !e.has(date.member) {
			e.ok(date.member, "good at "+moment{"", now}.String(), moment{"", date.at}.String())
		}
	}
	if life := said.Expiry.Sub(said.IssuedAt); from.MaxLife == 0 && t.onlyLifeTells(u.header) && !said.IssuedAt.IsZero() && life > 0 {
		e.add(Check{"exp - iat", true, "any life", life.String(), "Config.MaxLife", source(life)})
	}
	return e.checks, nil
}

// onlyLifeTells reports whether neither typ nor a rule of the Dialect says that the
// token is for access.
func (t *trusted[T]) onlyLifeTells(h *jws.Header) bool {
	d := &t.Dialect
	return t.Use == Access && !tellsKind(h.Type) && d.UseMember == "" && d.RefreshMark == "" && len(d.AccessHas) == 0 && !d.InsecureNoExpiry
}

// explanation collects checks.
type explanation struct{ checks []Check }

func (e *explanation) add(c Check) { e.checks = append(e.checks, c) }

func (e *explanation) ok(name, expected, found string) {
	e.add(Check{name, true, expected, found, "", ""})
}

func (e *explanation) has(name string) bool {
	return slices.ContainsFunc(e.checks, func(c Check) bool { return c.Name == name })
}

func asRefusal(err error) *refusal {
	var no *refusal
	errors.As(err, &no)
	return no
}

// refused adds what err says about the token. It returns err if that is not about it.
func (e *explanation) refused(err error, value string) error {
	no := asRefusal(err)
	if no == nil {
		return err
	}
	e.add(Check{no.At, false, jws.Shown(no.Expected), jws.Shown(no.Found), no.Field, value})
	return nil
}

// unsigned adds why no key verifies the token. An issuer that was mended until here is
// then a stranger's word.
func (e *explanation) unsigned(err error) error {
	no := asRefusal(err)
	if no == nil {
		return err
	}
	what := no.Field
	if what == "Config.Keys" {
		// Keys that the issuer does not have prove nothing about who signed.
		what = "none: signature by a key that is not among Config.Keys"
	}
	for i, c := range e.checks {
		if c.Field == "Config.Issuer" && strings.HasPrefix(what, "none: ") {
			e.checks[i].Field, e.checks[i].Value = noneIssuer, ""
		}
	}
	value := ""
	if strings.HasSuffix(what, "Algorithm") || strings.HasSuffix(what, "Algorithms") {
		if h, ok := no.Found.(named); ok {
			value = strconv.Quote(h.Algorithm)
			if there, ok := no.Expected.(bound); ok && strings.HasSuffix(what, "s") {
				value = source(append(slices.Clone(there.algorithms), h.Algorithm))
			}
		}
	}
	e.add(Check{no.At, false, jws.Shown(no.Expected), jws.Shown(no.Found), what, value})
	return nil
}

// fine adds what of the registered members nothing was refused of.
func (e *explanation) fine(t interface{ describe() []Check }, h *jws.Header, members []strict.Member) {
	for _, c := range t.describe() {
		if e.has(c.Name) {
			continue
		}
		if c.Name == "header typ" {
			if c.Found = "nothing"; h.HasType {
				c.Found = quoted(h.Type)
			}
			e.add(c)
			continue
		}
		raw := memberOf(members, c.Name)
		switch {
		case raw == nil:
			continue
		case c.Name == "iss" || c.Name == "aud":
			c.Found = jws.Shown(raw)
		default:
			c.Found = string(kindOf(raw))
		}
		e.add(c)
	}
}

// describe says what the Config expects, by member.
func (t *trusted[T]) describe() []Check {
	d := &t.Dialect
	types := any(d.RefreshType)
	if t.Use == Access {
		types = append([]string{d.AccessType}, d.MoreAccessTypes...)
	}
	checks := []Check{
		{Name: "header typ", Expected: jws.Shown(types)},
		{Name: "iss", Expected: jws.Shown(t.issuer())},
		{Name: "aud", Expected: jws.Shown(t.Audience)},
		{Name: d.SubjectMember, Expected: string(d.subjectForm())},
		{Name: d.ScopeMember, Expected: "names"},
		{Name: d.PartyMember, Expected: "a party"},
	}
	if d.UseMember != "" {
		checks = append(checks, Check{Name: d.UseMember, Expected: "a word of " + string(t.Use)})
	}
	for i := range checks {
		checks[i].OK = true
	}
	return checks
}

// mend changes t so that it accepts what it has refused, and returns the value of the
// field. It reports false where that can't or must not be done. now is when the dates
// were checked.
func (t *trusted[T]) mend(no *refusal, members []strict.Member, now time.Time) (value string, ok bool) {
	if no == nil {
		return "", false
	}
	d := &t.Dialect
	raw, _ := no.Found.([]byte)
	text, isText := strict.Text(raw)
	if s, ok := no.Found.(string); ok {
		text, isText = s, true
	}
	flag := func(set *bool) (string, bool) { *set = true; return "true", true }
	name := func(set *string, to string) (string, bool) { *set = to; return strconv.Quote(to), to != "" }
	list := func(set *[]string, to ...string) (string, bool) { *set = to; return source(to), len(to) > 0 }
	switch no.Field {
	case "Config.Issuer":
		d.InsecureNoIssuer = false
		return name(&t.Issuer, text)
	case "Dialect.InsecureNoIssuer":
		t.Issuer = ""
		return flag(&d.InsecureNoIssuer)
	case "Config.Audience":
		d.InsecureNoAudience = false
		if isText {
			return list(&t.Audience, text)
		}
		// One of them is the name of this service; the first is as good a guess as any.
		var names []string
		strict.Elements(raw, func(element []byte) error {
			s, _ := strict.Text(element)
			names = append(names, s)
			return nil
		})
		return list(&t.Audience, names[:min(1, len(names))]...)
	case "Dialect.InsecureNoAudience":
		t.Audience = nil
		return flag(&d.InsecureNoAudience)
	case "Dialect.AbsentType":
		return flag(&d.AbsentType)
	case "Dialect.AccessType":
		return name(&d.AccessType, text)
	case "Dialect.RefreshType":
		return name(&d.RefreshType, text)
	case "Dialect.AbsentSubject":
		return flag(&d.AbsentSubject)
	case "Dialect.SubjectMember":
		for _, other := range otherSubjects {
			if memberOf(members, other) != nil && other != d.SubjectMember {
				return name(&d.SubjectMember, other)
			}
		}
	case "Dialect.NumericSubject":
		if raw != nil && raw[0] == '"' {
			d.NumericSubject = false
			return "false", true
		}
		d.ObjectSubject = false
		return flag(&d.NumericSubject)
	case "Dialect.ObjectSubject":
		if raw != nil && raw[0] == '"' {
			d.ObjectSubject = false
			return "false", true
		}
		d.NumericSubject = false
		return flag(&d.ObjectSubject)
	case "Dialect.InsecureNoExpiry":
		return flag(&d.InsecureNoExpiry)
	case "Dialect.Time":
		for f := Seconds; f <= RFC3339; f++ {
			if at, err := f.parse(memberOf(members, no.At)); err == nil && at.Year() > 1970 && at.Year() < 3000 {
				d.Time = f
				return []string{"claims.Seconds", "claims.Milliseconds", "claims.RFC3339"}[f], true
			}
		}
	case "Dialect.ScopeList":
		return flag(&d.ScopeList)
	case "Dialect.ScopeEither":
		return flag(&d.ScopeEither)
	case "Dialect.NumericParty":
		d.NumericParty = !d.NumericParty
		return strconv.FormatBool(d.NumericParty), true
	case "Dialect.UseMember":
		d.UseMember, d.AccessWords, d.RefreshWord = "", nil, ""
		t.kinds = d.kindRules()
		return `""`, true
	case "Dialect.AccessWords":
		return list(&d.AccessWords, append(slices.Clone(d.AccessWords), text)...)
	case "Dialect.RefreshWord":
		return name(&d.RefreshWord, text)
	case "Dialect.AccessHas":
		has := make(map[string][]string, len(d.AccessHas))
		for member, values := range d.AccessHas {
			switch {
			case member != no.At:
				has[member] = values
			case raw != nil:
				has[member] = append(slices.Clone(values), plainText(raw))
			}
		}
		d.AccessHas = has
		t.kinds = d.kindRules()
		return fmt.Sprintf("%#v", has), true
	case "Dialect.AccessLacks":
		d.AccessLacks = slices.DeleteFunc(slices.Clone(d.AccessLacks), func(name string) bool { return name == no.At })
		t.kinds = d.kindRules()
		return source(d.AccessLacks), true
	case "Config.MaxLife":
		if life, ok := no.Found.(time.Duration); ok {
			t.MaxLife = life.Round(time.Second) + time.Second
			return source(t.MaxLife), true
		}
	case "Config.Leeway":
		if at, ok := no.Found.(moment); ok {
			t.Leeway = min(at.at.Sub(now).Truncate(time.Second)+10*time.Second, maxLeeway)
			return source(t.Leeway), t.Leeway > 0
		}
	}
	return "", false
}

// source returns v as Go source.
func source(v any) string {
	switch v := v.(type) {
	case []string:
		quotes := make([]string, len(v))
		for i, s := range v {
			quotes[i] = strconv.Quote(s)
		}
		return "[]string{" + strings.Join(quotes, ", ") + "}"
	case time.Duration:
		if v%time.Minute == 0 {
			return fmt.Sprint(int64(v/time.Minute), " * time.Minute")
		}
		return fmt.Sprint(int64((v+time.Second-1)/time.Second), " * time.Second")
	}
	return fmt.Sprintf("%#v", v)
}
