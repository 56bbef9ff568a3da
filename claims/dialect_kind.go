package claims

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// kindRules say by what a dialect knows an access token beside its typ: what the
// payload must and must not have. Kinds of tokens must exclude each other (RFC 8725
// §3.12).
type kindRules struct {
	has   []hasRule
	lacks []string
	// marks says that nothing else tells whether a token is for access, so that the
	// usual marks of other kinds are looked for.
	marks       bool
	scopeMember string
	partyMember string
}

type hasRule struct {
	member string
	values []string // any of them; all if there is none
}

// expected says which values pass.
func (r *hasRule) expected() any {
	if len(r.values) == 0 {
		return words("any value")
	}
	return r.values
}

// settleKinds fills in what tells kinds apart, and returns the mistakes in it.
func (d *Dialect) settleKinds() (mistakes []error) {
	mistake := func(format string, a ...any) {
		mistakes = append(mistakes, fmt.Errorf("%w: "+format, append([]any{errDialect}, a...)...))
	}
	if d.UseMember == "" && (len(d.AccessWords) > 0 || d.RefreshWord != "") {
		mistake("AccessWords and RefreshWord are words of UseMember, which is empty")
	}
	d.AccessWords, d.AccessLacks = slices.Clone(d.AccessWords), slices.Clone(d.AccessLacks)
	if len(d.AccessWords) == 0 {
		d.AccessWords = []string{string(Access)}
	}
	d.RefreshWord = cmp.Or(d.RefreshWord, string(Refresh))
	if slices.Contains(d.AccessWords, "") {
		mistake("AccessWords has an empty word")
	}
	if slices.Contains(d.AccessWords, d.RefreshWord) {
		mistake("AccessWords: %q is RefreshWord", d.RefreshWord)
	}
	has := make(map[string][]string, len(d.AccessHas))
	for member, values := range d.AccessHas {
		if member == "" {
			mistake("AccessHas has a member without a name")
		}
		if slices.Contains(d.AccessLacks, member) {
			mistake("AccessLacks: member %q is in AccessHas", member)
		}
		has[member] = slices.Clone(values)
	}
	d.AccessHas = has
	for _, member := range d.AccessLacks {
		if member == "" || member == d.UseMember {
			mistake("AccessLacks: member %q is empty or UseMember", member)
		}
	}
	return mistakes
}

// says reports whether a word of UseMember stands for use.
func (d *Dialect) says(word string, use Use) bool {
	if use == Refresh {
		return word == d.RefreshWord
	}
	return slices.Contains(d.AccessWords, word)
}

// word returns what is written for use.
func (d *Dialect) word(use Use) string {
	if use == Refresh {
		return d.RefreshWord
	}
	return d.AccessWords[0]
}

// kindRules compiles a settled dialect.
func (d *Dialect) kindRules() kindRules {
	r := kindRules{
		lacks: d.AccessLacks, marks: d.UseMember == "" && !d.InsecureAnyKind,
		scopeMember: d.ScopeMember, partyMember: d.PartyMember,
	}
	for _, member := range slices.Sorted(maps.Keys(d.AccessHas)) {
		r.has = append(r.has, hasRule{member, d.AccessHas[member]})
	}
	return r
}

// checkKind refuses what the issuer did not mean for access, whatever typ says.
func (t *trusted[T]) checkKind(h *jws.Header, members []strict.Member) error {
	if t.Use != Access {
		return nil
	}
	return t.kinds.check(h.Type, members)
}

// check judges the members of an access token with the given typ, "" if it has
// none.
func (r *kindRules) check(typ string, members []strict.Member) error {
	for _, rule := range r.has {
		value := memberOf(members, rule.member)
		switch {
		case value == nil:
			return refuse(errKind, rule.member, rule.expected(), nil, "Dialect.AccessHas")
		case len(rule.values) > 0 && !slices.Contains(rule.values, plainText(value)):
			return refuse(errKind, rule.member, rule.expected(), value, "Dialect.AccessHas")
		}
	}
	for _, name := range r.lacks {
		if memberOf(members, name) != nil {
			return refuse(errKind, name, noMember, oneMember, "Dialect.AccessLacks")
		}
	}
	if !r.marks || tellsKind(typ) {
		return nil
	}
	return r.checkMarks(members)
}

// mayRefuse reports whether check can find anything in what an Encoder writes. What
// it writes itself bears no mark, so that only App's members count.
func (r *kindRules) mayRefuse(typ string, app []strict.Member) bool {
	if len(r.has) > 0 || len(r.lacks) > 0 {
		return true
	}
	return r.marks && len(app) > 0 && !tellsKind(typ)
}

// tellsKind reports whether a typ is one kind's own. RFC 8725 §3.11 gives such types
// the suffix +jwt. All others, "JWT" above all, are written for every kind.
func tellsKind(typ string) bool {
	const suffix = "+jwt"
	return len(typ) > len(suffix) && asciiFold(typ[len(typ)-len(suffix):], suffix)
}

// checkMarks looks for what only other kinds have.
func (r *kindRules) checkMarks(members []strict.Member) error {
	authenticated, client := false, false
	for i := range members {
		m := &members[i]
		switch name := string(m.Name); name {
		case "nonce", "at_hash", "c_hash", "s_hash", "auth_time", "events",
			"typ", "type", "use", "token_use", "token_type",
			"scope", "scp", "client_id", "cid":
			if isNull(m.Value) || name == r.partyMember {
				continue // the dialect reads it otherwise
			}
			switch name {
			case "nonce", "at_hash", "c_hash", "s_hash":
				// OpenID Connect Core §2, §3.3.2.11; Financial-grade API Part 2 §5.1.1. They tie
				// an ID token to a login, a code and an access token.
				return refuse(errKind, name, noMember, oneMember, noneID)
			case "events":
				// RFC 8417 §2.2, OpenID Connect Back-Channel Logout §2.4.
				return refuse(errKind, name, noMember, oneMember, noneLogout)
			case "auth_time":
				authenticated = true
			case "scope", "scp", "client_id", "cid":
				client = true
			default:
				if word, ok := strict.Text(m.Value); ok {
					if other := kindNamed(word); other != "" {
						return refuse(errKind, name, words("a word of access tokens"), m.Value, "none: "+other)
					}
				}
			}
		default:
			if name != "" && name == r.scopeMember {
				client = true
			}
		}
	}
	// Keycloak's access tokens have auth_time, beside scope. An ID token has neither
	// scope nor client_id.
	if authenticated && !client {
		return refuse(errKind, "auth_time", words("scope or client_id beside it"), words("neither"), noneID)
	}
	return nil
}

// kindNamed returns the kind that a word names, if that is not access: "Refresh" and
// "Offline" of Keycloak, "refresh" of Flask-JWT-Extended and Simple JWT, "id" of
// Amazon Cognito, and the like.
func kindNamed(word string) string {
	if len(word) > 32 {
		return ""
	}
	switch strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(word)) {
	case "refresh", "refreshtoken", "refreshjwt", "rt", "rt+jwt", "offline", "offlinetoken":
		return "refresh token"
	case "id", "idtoken", "idjwt":
		return "ID token"
	case "logout", "logouttoken", "logout+jwt":
		return "logout token"
	}
	return ""
}

// otherType names what a typ stands for if no Dialect should take it for access: those
// of RFC 8725 §3.11, each registered for one kind. All others may be the issuer's word
// for access tokens.
func (d *Dialect) otherType(typ string) string {
	if sameMediaType(typ, d.RefreshType) {
		return noneRefresh
	}
	switch strings.ToLower(bareType(typ)) {
	case "rt+jwt", "refresh", "refresh+jwt":
		return noneRefresh
	case "logout+jwt":
		return noneLogout
	case "id_token", "id+jwt", "id_token+jwt":
		return noneID
	case "dpop+jwt", "secevent+jwt", "kb+jwt", "token-introspection+jwt", "oauth-authz-req+jwt",
		"client-authentication+jwt", "entity-statement+jwt", "userinfo+jwt":
		return "none: another kind of token"
	}
	return ""
}

// memberOf returns the value of a member, nil if it is absent or null.
func memberOf(members []strict.Member, name string) []byte {
	for _, m := range members {
		if string(m.Name) == name && !isNull(m.Value) {
			return m.Value
		}
	}
	return nil
}

// plainText returns the text of a string, and what is written of all other values.
func plainText(raw []byte) string {
	if text, ok := strict.Text(raw); ok {
		return text
	}
	return string(raw)
}
