package claims

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Dialect says how claims are written on the wire. It is plain data, one literal
// for a whole system, shared by the verifier and the issuer. The zero Dialect is
// that of RFC 9068: header typ at+jwt (and rt+jwt), dates as NumericDate, iss, aud,
// exp and sub required.
//
// RFC 9068 §2.2 requires more: iat and jti may be absent here, and client_id is a
// member of App.
//
// Every dialect must tell access from refresh by at least one of the types,
// UseMember and RefreshMark. All that are set are checked. A Dialect is judged whole
// by [NewVerifier] and [NewEncoder] and must not change after.
//
// # ID tokens and other kinds
//
// A verifier of access tokens refuses an ID token also where the header says
// nothing but "JWT", or nothing at all (RFC 8725 §3.12). Where typ does not end
// in "+jwt" and UseMember is not set, it refuses tokens with one of these marks:
//
//   - nonce, at_hash, c_hash or s_hash (OpenID Connect Core §2, §3.3.2.11);
//   - auth_time without scope and without a client: an access token with auth_time
//     names its client (RFC 9068 §2.2, §2.2.1);
//   - events, as logout tokens and security events have it;
//   - typ, token_use, token_type, type or use that says "refresh", "id" or
//     "logout", in the usual spellings.
//
// Some kinds can't be told apart in this way. What then helps: a UseMember with its
// words, AccessHas and AccessLacks, or Config.MaxLife where only the lifetime
// differs.
type Dialect struct {
	// AccessType and RefreshType are the typ header parameters, "at+jwt" and
	// "rt+jwt" if empty (RFC 9068 §2.1). They are compared as media types:
	// without regard to case and with or without "application/" (RFC 7515
	// §4.1.9). Many providers write "JWT", for ID tokens too: see above.
	AccessType, RefreshType string
	// MoreAccessTypes are further typ of access tokens. They are read and never
	// written: for an issuer that writes "JWT" today and "at+jwt" tomorrow.
	MoreAccessTypes []string
	// AbsentType also accepts an access token whose header has no typ, which
	// RFC 7519 §5.1 allows.
	AbsentType bool
	// TypeFirst writes typ before alg in the header.
	TypeFirst bool

	// UseMember names a member that says what a token is for: one of AccessWords,
	// "access" if there are none, or RefreshWord, "refresh" if empty. Any other word
	// is refused, such as "id". Words are compared exactly. The first of AccessWords
	// is written. Keycloak has typ with "Bearer" and "Refresh", Amazon Cognito
	// token_use with "access".
	UseMember   string
	AccessWords []string
	RefreshWord string
	// RefreshMark names a member that every refresh token has and no access
	// token may have. Its value is Claims.AccessID.
	RefreshMark string

	// AccessHas names members that every access token has, and their values: text
	// as it stands, numbers and booleans as JSON writes them. Without values any
	// will do. AccessLacks names members that no access token has. A member that is
	// null is absent. Microsoft Entra's access tokens have scp or roles, for example,
	// and its ID tokens have no scp.
	AccessHas   map[string][]string
	AccessLacks []string

	// PartyMember names the member that holds the party, "party" if empty. It
	// is a string, or with NumericParty an integer.
	PartyMember  string
	NumericParty bool

	// ScopeMember names the member that holds the scope, "scope" if empty; some
	// providers write "scp". It is a string of names with spaces between them (RFC
	// 8693 §4.2), or with ScopeList an array of such names. With ScopeEither both
	// are read: .NET writes one scope as a string, and several as an array.
	ScopeMember string
	ScopeList   bool
	ScopeEither bool

	// SubjectMember names the member that holds the subject, "sub" if empty. A
	// member sub is then App's.
	SubjectMember string
	// NumericSubject reads a subject that is an integer, or a string of the same
	// digits, and writes an integer. Claims.Subject is its digits. RFC 7519 §4.1.2
	// wants a string; without NumericSubject nothing else is read.
	NumericSubject bool
	// ObjectSubject makes sub a JSON object. Claims.Subject is then its text
	// without white space.
	ObjectSubject bool
	// AbsentSubject also accepts tokens without sub.
	AbsentSubject bool

	// Time is how exp, nbf and iat are written.
	Time TimeFormat
	// LifetimeMember names a member that repeats how many seconds lie between
	// issue and expiry. It is written, and not read.
	LifetimeMember string

	// Members lists the registered members that are written, in their order. Members
	// of App may stand among them; all others of App come last. If nil: iss, sub, aud,
	// exp, nbf, iat, jti, sid, the party, scope, then those that UseMember, RefreshMark
	// and LifetimeMember name.
	Members []string

	// InsecureNoIssuer is for systems whose tokens have no iss. A token that
	// has one is refused. Nothing but its key then ties a token to its issuer
	// (RFC 8725 §3.8).
	InsecureNoIssuer bool
	// InsecureNoAudience is for systems whose tokens have no aud, or an empty array
	// there. A token that names an audience is refused (RFC 7519 §4.1.3). A token
	// for any service of the issuer then opens this one (RFC 8725 §3.9).
	InsecureNoAudience bool
	// InsecureNoExpiry also accepts tokens without exp. They are valid for ever.
	InsecureNoExpiry bool
	// InsecureAnyKind also accepts tokens that bear the marks of an ID token, a
	// refresh token or a logout token. Such a token then opens every guard: ID
	// tokens are handed to browsers, logged and sent in URLs. It is for systems
	// whose access tokens bear the marks themselves, as Dex's do, or that use ID
	// tokens for access, as Firebase does.
	InsecureAnyKind bool
}

// settled returns a copy of d with its defaults filled in, and every mistake in
// it. To settle it again changes nothing.
func (d Dialect) settled() (Dialect, error) {
	d.AccessType = cmp.Or(d.AccessType, "at+jwt")
	d.RefreshType = cmp.Or(d.RefreshType, "rt+jwt")
	d.PartyMember = cmp.Or(d.PartyMember, "party")
	d.ScopeMember = cmp.Or(d.ScopeMember, "scope")
	d.SubjectMember = cmp.Or(d.SubjectMember, "sub")
	var mistakes []error
	mistake := func(format string, a ...any) {
		mistakes = append(mistakes, fmt.Errorf("%w: "+format, append([]any{errDialect}, a...)...))
	}
	d.MoreAccessTypes = slices.Clone(d.MoreAccessTypes)
	// Law 5, access is not refresh: with the same typ and no member to tell them apart a
	// stolen access token would refresh.
	for _, accessType := range append([]string{d.AccessType}, d.MoreAccessTypes...) {
		if sameMediaType(accessType, d.RefreshType) && d.UseMember == "" && d.RefreshMark == "" {
			mistake("access and refresh tokens look the same: set different access types and RefreshType, or UseMember, or RefreshMark")
		}
		// Types are written into headers without escapes.
		if !printable(accessType) {
			mistake("AccessType and MoreAccessTypes must be printable ASCII without quotes")
		}
	}
	if !printable(d.RefreshType) {
		mistake("RefreshType must be printable ASCII without quotes")
	}
	mistakes = append(mistakes, d.settleKinds()...)
	if d.NumericSubject && d.ObjectSubject {
		mistake("a subject is not both a number and an object: set NumericSubject or ObjectSubject")
	}
	if d.Time < Seconds || d.Time > RFC3339 {
		mistake("Time: unknown format %d", d.Time)
	}
	// Two meanings of one member, or of two that differ by case alone, would be one to
	// some readers and two to others.
	taken := slices.Clone(registered)
	if d.SubjectMember != "sub" {
		if containsFold(taken, d.SubjectMember) {
			mistake("SubjectMember: member %q already has a meaning", d.SubjectMember)
		}
		taken = append(taken, d.SubjectMember)
	}
	for _, named := range []struct{ field, member string }{
		{"PartyMember", d.PartyMember}, {"ScopeMember", d.ScopeMember}, {"UseMember", d.UseMember},
		{"RefreshMark", d.RefreshMark}, {"LifetimeMember", d.LifetimeMember},
	} {
		if named.member == "" {
			continue
		}
		if containsFold(taken, named.member) {
			mistake("%s: member %q already has a meaning", named.field, named.member)
		}
		taken = append(taken, named.member)
	}
	mistakes = append(mistakes, d.checkMembers()...)
	if d.Members == nil {
		d.Members = d.names()
	} else {
		d.Members = slices.Clone(d.Members)
	}
	return d, errors.Join(mistakes...)
}

// checkMembers finds what Members must list and does not, so that nothing the
// verifier insists on can be left out by oversight.
func (d Dialect) checkMembers() (mistakes []error) {
	if d.Members == nil {
		return nil
	}
	for _, need := range []struct {
		member string
		needed bool
		unless string
	}{
		{"iss", !d.InsecureNoIssuer, "InsecureNoIssuer"},
		{"aud", !d.InsecureNoAudience, "InsecureNoAudience"},
		{"exp", !d.InsecureNoExpiry, "InsecureNoExpiry"},
		{d.SubjectMember, !d.AbsentSubject, "AbsentSubject"},
		{d.UseMember, d.UseMember != "", "UseMember is empty"},
		{d.RefreshMark, d.RefreshMark != "", "RefreshMark is empty"},
		{d.LifetimeMember, d.LifetimeMember != "", "LifetimeMember is empty"},
	} {
		if need.needed && !slices.Contains(d.Members, need.member) {
			mistakes = append(mistakes, fmt.Errorf("%w: Members must list %q, unless %s", errDialect, need.member, need.unless))
		}
	}
	for i, name := range d.Members {
		if name == "" || slices.Contains(d.Members[:i], name) {
			mistakes = append(mistakes, fmt.Errorf("%w: Members lists %q twice or empty", errDialect, name))
		}
	}
	return mistakes
}

// names returns every member that this dialect gives a meaning, in the order in
// which they are written by default. App may have none of them.
func (d Dialect) names() []string {
	names := append(slices.Clone(registered), d.PartyMember, d.ScopeMember)
	names[slices.Index(names, "sub")] = d.SubjectMember
	for _, name := range []string{d.UseMember, d.RefreshMark, d.LifetimeMember} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// typeOf returns the typ that is written in tokens of a use.
func (d Dialect) typeOf(use Use) string {
	if use == Refresh {
		return d.RefreshType
	}
	return d.AccessType
}

// sameMediaType compares typ values as RFC 7515 §4.1.9 says. Only ASCII
// letters fold.
func sameMediaType(a, b string) bool {
	return asciiFold(bareType(a), bareType(b))
}

// bareType drops "application/", which RFC 7515 §4.1.9 says is implied if no other
// slash follows.
func bareType(t string) string {
	const prefix = "application/"
	if len(t) > len(prefix) && asciiFold(t[:len(prefix)], prefix) && !strings.Contains(t[len(prefix):], "/") {
		return t[len(prefix):]
	}
	return t
}

// asciiFold is strings.EqualFold without Unicode folding, in which the Kelvin
// sign equals k.
func asciiFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// containsFold reports whether names has name, in any case: a member that
// differs from a registered one only by case is a trap for other readers.
func containsFold(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < '!' || s[i] > '~' || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return s != ""
}
