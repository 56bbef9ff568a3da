package claims_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// jwtTokens is a dialect whose header tells nothing: most providers' today.
var jwtTokens = claims.Dialect{AccessType: "JWT"}

// wildVerifier checks iss1's HS256 tokens for api in a dialect.
func wildVerifier(t *testing.T, d claims.Dialect) *claims.Verifier[map[string]any] {
	t.Helper()
	c := claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", "")), Dialect: d}
	if d.InsecureNoIssuer {
		c.Issuer = ""
	}
	if d.InsecureNoAudience {
		c.Audience = nil
	}
	v, err := claims.NewVerifier[map[string]any](c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wildToken is a good token with the typ given, none if it is "", and members more.
func wildToken(typ, members string) string {
	header := `{"alg":"HS256"}`
	if typ != "" {
		header = `{"alg":"HS256","typ":"` + typ + `"}`
	}
	payload := strings.TrimSuffix(goodPayload, "}")
	if members != "" {
		payload += "," + members
	}
	return token("HS256", pairs()["HS256"].private, header, payload+"}")
}

// TestKindsOfOthers hands guards what their issuer signed for something else. RFC
// 8725 §3.12: kinds must exclude each other.
func TestKindsOfOthers(t *testing.T) {
	for _, row := range []struct {
		name, members string
		reason        error
	}{
		// OpenID Connect Core §2 and §3.3.2.11. ID tokens of Dex, zitadel 3.52 and
		// LemonLDAP::NG 2.16 opened a guard with AccessType "JWT".
		{"nonce", `"nonce":"n-0S6_WzA2Mj"`, claims.ErrKind},
		{"an empty nonce, as fosite wrote it before 2021", `"nonce":""`, claims.ErrKind},
		{"at_hash", `"at_hash":"MTIzNDU2Nzg5MDEyMzQ1Ng"`, claims.ErrKind},
		{"c_hash", `"c_hash":"LDktKdoQak3Pk0cnXxCltA"`, claims.ErrKind},
		{"s_hash, FAPI", `"s_hash":"LDktKdoQak3Pk0cnXxCltA"`, claims.ErrKind},
		{"auth_time alone", `"auth_time":1699990000,"amr":["pwd"],"azp":"web"`, claims.ErrKind},
		// Keycloak's access tokens have auth_time; RFC 9068 §2.2.1 has it beside
		// client_id.
		{"auth_time with scope", `"auth_time":1699990000,"scope":"openid"`, nil},
		{"auth_time with an empty scope", `"auth_time":1699990000,"scope":""`, nil},
		{"auth_time with scp", `"auth_time":1699990000,"scp":["a"]`, nil},
		{"auth_time with client_id", `"auth_time":1699990000,"client_id":"web"`, nil},
		{"auth_time with scope null", `"auth_time":1699990000,"scope":null`, claims.ErrKind},
		{"null marks nothing", `"nonce":null,"at_hash":null,"auth_time":null,"events":null,"typ":null`, nil},
		{"another case is another member", `"Nonce":"x","AT_HASH":"x"`, nil},
		{"deeper is somebody else's", `"x":{"nonce":"x","typ":"Refresh"}`, nil},
		// Keycloak: typ in the payload. Bearer is its access token.
		{"Keycloak Bearer", `"typ":"Bearer","scope":"openid","auth_time":1699990000`, nil},
		{"Keycloak ID", `"typ":"ID"`, claims.ErrKind},
		{"Keycloak Refresh", `"typ":"Refresh"`, claims.ErrKind},
		{"Keycloak Offline", `"typ":"Offline"`, claims.ErrKind},
		{"Keycloak Logout", `"typ":"Logout"`, claims.ErrKind},
		// Amazon Cognito.
		{"Cognito access", `"token_use":"access"`, nil},
		{"Cognito id", `"token_use":"id"`, claims.ErrKind},
		// Django's simplejwt, django-ninja-jwt.
		{"simplejwt access", `"token_type":"access"`, nil},
		{"simplejwt refresh", `"token_type":"refresh"`, claims.ErrKind},
		{"token_type Bearer", `"token_type":"Bearer"`, nil},
		// Flask-JWT-Extended, fastapi-jwt-auth.
		{"Flask access", `"type":"access"`, nil},
		{"Flask refresh", `"type":"refresh"`, claims.ErrKind},
		{"refresh_token", `"use":"refresh_token"`, claims.ErrKind},
		{"RefreshToken", `"type":"RefreshToken"`, claims.ErrKind},
		{"id_token", `"token_type":"id_token"`, claims.ErrKind},
		{"a word that only begins so", `"type":"refreshing"`, nil},
		{"not a word", `"type":["refresh"]`, nil},
		// OpenID Connect Back-Channel Logout §2.4; RFC 8417 §2.2.
		{"logout token", `"events":{"http://schemas.openid.net/event/backchannel-logout":{}}`, claims.ErrKind},
		{"escaped", `"\u006eonce":"x"`, claims.ErrKind},
	} {
		for typ, d := range map[string]claims.Dialect{
			"JWT": jwtTokens, "jwt": jwtTokens, "application/jwt": jwtTokens,
			"": {AccessType: "JWT", AbsentType: true}, "Bearer": {AccessType: "Bearer"},
			// The issuer moves to RFC 9068: its older type still tells nothing.
			"JOSE": {MoreAccessTypes: []string{"JOSE"}},
		} {
			_, err := verifyAt(wildVerifier(t, d), wildToken(typ, row.members))
			if !errors.Is(err, row.reason) {
				t.Errorf("%s, typ %q: %v, want %v", row.name, typ, err, row.reason)
			}
		}
		// Where typ tells the kind nothing else does: RFC 9068 §4.
		if _, err := verifyAt(wildVerifier(t, claims.Dialect{}), wildToken("at+jwt", row.members)); err != nil {
			t.Errorf("%s, at+jwt: %v", row.name, err)
		}
		any := jwtTokens
		any.InsecureAnyKind = true
		if _, err := verifyAt(wildVerifier(t, any), wildToken("JWT", row.members)); err != nil {
			t.Errorf("%s, InsecureAnyKind: %v", row.name, err)
		}
	}
	// A party is not a kind.
	d := claims.Dialect{AccessType: "JWT", PartyMember: "type"}
	if c, err := verifyAt(wildVerifier(t, d), wildToken("JWT", `"type":"id"`)); err != nil || c.Party != "id" {
		t.Errorf("a party: %v", err)
	}
}

// TestUseWords reads the words that providers write: typ of Keycloak, token_use of
// Amazon Cognito, token_type of simplejwt.
func TestUseWords(t *testing.T) {
	keycloak := claims.Dialect{AccessType: "JWT", RefreshType: "JWT", UseMember: "typ", AccessWords: []string{"Bearer", "DPoP"}, RefreshWord: "Refresh"}
	cognito := claims.Dialect{AccessType: "JWT", AbsentType: true, UseMember: "token_use"}
	for _, row := range []struct {
		dialect claims.Dialect
		use     claims.Use
		members string
		reason  error
	}{
		{keycloak, claims.Access, `"typ":"Bearer"`, nil},
		{keycloak, claims.Access, `"typ":"DPoP"`, nil},
		// Keycloak 24 and before wrote nonce into access tokens. The word decides.
		{keycloak, claims.Access, `"typ":"Bearer","nonce":"x","auth_time":1699990000`, nil},
		{keycloak, claims.Access, `"typ":"bearer"`, claims.ErrUse},
		{keycloak, claims.Access, `"typ":"ID"`, claims.ErrUse},
		{keycloak, claims.Access, `"typ":"Refresh"`, claims.ErrUse},
		{keycloak, claims.Access, `"typ":"access"`, claims.ErrUse},
		{keycloak, claims.Access, `"typ":""`, claims.ErrUse},
		{keycloak, claims.Access, `"typ":null`, claims.ErrUse},
		{keycloak, claims.Access, `"typ":["Bearer"]`, claims.ErrMemberType},
		{keycloak, claims.Access, ``, claims.ErrUse},
		{keycloak, claims.Refresh, `"typ":"Refresh"`, nil},
		{keycloak, claims.Refresh, `"typ":"Offline"`, claims.ErrUse},
		{keycloak, claims.Refresh, `"typ":"Bearer"`, claims.ErrUse},
		{cognito, claims.Access, `"token_use":"access"`, nil},
		{cognito, claims.Access, `"token_use":"id"`, claims.ErrUse},
	} {
		v := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", "")), Dialect: row.dialect, Use: row.use}))
		if _, err := verifyAt(v, wildToken("JWT", row.members)); !errors.Is(err, row.reason) {
			t.Errorf("%s as %s: %v, want %v", row.members, row.use, err, row.reason)
		}
	}
	c := claims.Claims[struct{}]{Issuer: "iss1", Subject: "a", Audience: []string{"api"}, Expiry: moment.Add(time.Hour)}
	for use, word := range map[claims.Use]string{claims.Access: "Bearer", claims.Refresh: "Refresh"} {
		c.Use = use
		if _, payload := decoded(t, encode(t, keycloak, claims.Header{Algorithm: "HS256"}, c)); !strings.Contains(payload, `"typ":"`+word+`"`) {
			t.Errorf("%s is written %s", use, payload)
		}
	}
}

// TestMembersThatTell names members of access tokens: scp of Microsoft Entra, ver,
// gty and the like.
func TestMembersThatTell(t *testing.T) {
	d := claims.Dialect{AccessType: "JWT", ScopeMember: "scp",
		AccessHas:   map[string][]string{"scp": nil, "ver": {"2.0", "1.0"}, "admin": {"false", "0"}},
		AccessLacks: []string{"nonce2", "email"}}
	for members, reason := range map[string]error{
		`"scp":"a","ver":"2.0","admin":false`:                 nil,
		`"scp":"","ver":"1.0","admin":0`:                      nil,
		`"ver":"2.0","admin":false`:                           claims.ErrKind,
		`"scp":null,"ver":"2.0","admin":false`:                claims.ErrKind,
		`"scp":"a","ver":"3.0","admin":false`:                 claims.ErrKind,
		`"scp":"a","ver":["2.0"],"admin":false`:               claims.ErrKind,
		`"scp":"a","Ver":"2.0","admin":false`:                 claims.ErrKind,
		`"scp":"a","ver":"2.0","admin":true`:                  claims.ErrKind,
		`"scp":"a","ver":"2.0"`:                               claims.ErrKind,
		`"scp":"a","ver":"2.0","admin":false,"email":"a@b.c"`: claims.ErrKind,
		`"scp":"a","ver":"2.0","admin":false,"email":null`:    nil,
		`"scp":"a","ver":"2.0","admin":false,"email":""`:      claims.ErrKind,
		`"scp":"a","ver":"2.0","admin":false,"nonce2":0`:      claims.ErrKind,
		`"scp":"a","ver":"2.0","admin":false,"nonce":"x"`:     claims.ErrKind, // the marks still count
		`"scp":"a","ver":2.0,"admin":false`:                   nil,
	} {
		if _, err := verifyAt(wildVerifier(t, d), wildToken("JWT", members)); !errors.Is(err, reason) {
			t.Errorf("%s: %v, want %v", members, err, reason)
		}
	}
	// A refresh token is known by other things.
	d.AccessHas["x"] = nil
	v := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", "")), Dialect: d, Use: claims.Refresh}))
	if _, err := verifyAt(v, wildToken("rt+jwt", "")); err != nil {
		t.Error(err)
	}
	// What was configured can't be changed from outside.
	had := map[string][]string{"ver": {"2.0"}}
	lacks := []string{"x"}
	fixed := wildVerifier(t, claims.Dialect{AccessType: "JWT", AccessHas: had, AccessLacks: lacks})
	had["ver"][0], lacks[0] = "9", "ver"
	delete(had, "ver")
	if _, err := verifyAt(fixed, wildToken("JWT", `"ver":"2.0"`)); err != nil {
		t.Error(err)
	}
}

// TestEncoderKeepsKinds writes no access token that a verifier of the same dialect
// takes for another kind.
func TestEncoderKeepsKinds(t *testing.T) {
	c := claims.Claims[map[string]any]{Use: claims.Access, Issuer: "iss1", Subject: "a", Audience: []string{"api"}, Expiry: moment.Add(time.Hour)}
	has := claims.Dialect{AccessHas: map[string][]string{"ver": {"2"}}}
	for _, row := range []struct {
		dialect claims.Dialect
		app     map[string]any
		good    bool
	}{
		{jwtTokens, map[string]any{"nonce": "x"}, false},
		{jwtTokens, map[string]any{"auth_time": 5}, false},
		{jwtTokens, map[string]any{"auth_time": 5, "client_id": "web"}, true},
		{jwtTokens, map[string]any{"type": "refresh"}, false},
		{jwtTokens, map[string]any{"type": "house"}, true},
		{claims.Dialect{}, map[string]any{"nonce": "x"}, true},
		{has, nil, false},
		{has, map[string]any{"ver": "1"}, false},
		{has, map[string]any{"ver": 2}, true},
	} {
		c.App = row.app
		e := must(claims.NewEncoder[map[string]any](row.dialect))
		input, err := e.Encode(claims.Header{Algorithm: "HS256"}, &c)
		if (err == nil) != row.good || err != nil && !errors.Is(err, claims.ErrUnencodable) {
			t.Errorf("%v: %q, %v", row.app, input, err)
		}
	}
}

// TestTypesInTransit: an issuer that writes JWT today and at+jwt tomorrow, so that
// nobody needs a day of 401s.
func TestTypesInTransit(t *testing.T) {
	d := claims.Dialect{MoreAccessTypes: []string{"JWT", "application/x+jwt"}}
	v := wildVerifier(t, d)
	for typ, reason := range map[string]error{
		"at+jwt": nil, "application/at+jwt": nil, "JWT": nil, "jwt": nil, "x+jwt": nil,
		"rt+jwt": claims.ErrType, "id+jwt": claims.ErrType, "": claims.ErrType,
	} {
		if _, err := verifyAt(v, wildToken(typ, "")); !errors.Is(err, reason) {
			t.Errorf("typ %q: %v", typ, err)
		}
	}
	refresh := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", "")), Dialect: d, Use: claims.Refresh}))
	if _, err := verifyAt(refresh, wildToken("JWT", "")); !errors.Is(err, claims.ErrType) {
		t.Errorf("a further type of access as refresh: %v", err)
	}
	c := claims.Claims[struct{}]{Use: claims.Access, Issuer: "iss1", Subject: "a", Audience: []string{"api"}, Expiry: moment.Add(time.Hour)}
	if head, _ := decoded(t, encode(t, d, claims.Header{Algorithm: "HS256"}, c)); head != `{"alg":"HS256","typ":"at+jwt"}` {
		t.Errorf("written %s", head)
	}
}

// TestDatesOfZero: Keycloak up to 9 wrote nbf 0 in every token. It is a NumericDate
// in the past, RFC 7519 §2 and §4.1.5, and exp 0 has expired.
func TestDatesOfZero(t *testing.T) {
	for format, row := range map[claims.TimeFormat]struct{ zero, before, exp string }{
		claims.Seconds:      {`0`, `-1`, `1700000100`},
		claims.Milliseconds: {`0`, `-1000`, `1700000100000`},
		claims.RFC3339:      {`"1970-01-01T00:00:00Z"`, `"1969-12-31T23:59:59Z"`, `"2023-11-14T22:15:00Z"`},
	} {
		v := wildVerifier(t, claims.Dialect{Time: format})
		of := func(members string) string {
			return tokenOf("HS256", `{"iss":"iss1","sub":"a","aud":"api",`+members+`}`)
		}
		c := accepted(t, v, of(`"exp":`+row.exp+`,"nbf":`+row.zero+`,"iat":`+row.zero))
		if c.NotBefore.IsZero() || c.NotBefore.Unix() != 0 || c.IssuedAt.Unix() != 0 {
			t.Errorf("nbf %v, iat %v", c.NotBefore, c.IssuedAt)
		}
		refused(t, v, of(`"exp":`+row.zero), claims.ErrExpired)
		refused(t, v, of(`"exp":`+row.zero+`,"nbf":`+row.exp), claims.ErrNotYet)
		refused(t, v, of(`"exp":`+row.exp+`,"nbf":`+row.before), claims.ErrDate)
		refused(t, v, of(`"exp":`+row.before), claims.ErrDate)
		// What was read is written again.
		again := *c
		_, payload := decoded(t, encode(t, claims.Dialect{Time: format}, claims.Header{Algorithm: "HS256"}, again))
		zero := row.zero
		if format == claims.RFC3339 {
			zero = `"1970-01-01T00:00:00.000Z"`
		}
		if !strings.Contains(payload, `"nbf":`+zero) {
			t.Errorf("written %s", payload)
		}
	}
	for _, zero := range []string{`0.0`, `-0`, `0e5`, `0.25`} {
		accepted(t, wildVerifier(t, claims.Dialect{}), wildToken("at+jwt", `"nbf":`+zero))
	}
}

// TestNull: .NET and Python write null for what they don't have. It is absence for
// every member that Claims has a field for, and never enough where one is required.
func TestNull(t *testing.T) {
	c := accepted(t, wildVerifier(t, claims.Dialect{}), wildToken("at+jwt", `"nbf":null,"iat":null,"jti":null,"sid":null,"scope":null,"party":null`))
	if want := accepted(t, wildVerifier(t, claims.Dialect{}), wildToken("at+jwt", "")); !reflect.DeepEqual(c, want) {
		t.Errorf("%+v, want %+v", c, want)
	}
	for member, reason := range map[string]error{"iss": claims.ErrIssuer, "sub": claims.ErrMissing, "aud": claims.ErrMissing, "exp": claims.ErrMissing} {
		payload := map[string]any{"iss": "iss1", "sub": "a", "aud": "api", "exp": 1700000100}
		payload[member] = nil
		s := tokenOf("HS256", string(must(json.Marshal(payload))))
		refused(t, wildVerifier(t, claims.Dialect{}), s, reason)
		loose := claims.Dialect{AbsentSubject: member == "sub", InsecureNoIssuer: member == "iss", InsecureNoAudience: member == "aud", InsecureNoExpiry: member == "exp"}
		accepted(t, wildVerifier(t, loose), s)
	}
	list := claims.Dialect{ScopeList: true, NumericParty: true, NumericSubject: true, AbsentSubject: true}
	accepted(t, wildVerifier(t, list), tokenOf("HS256", `{"iss":"iss1","sub":null,"aud":"api","exp":1700000100,"scope":null,"party":null}`))
	// An element that is null is not a name, and not an absent one.
	refused(t, wildVerifier(t, claims.Dialect{}), tokenOf("HS256", `{"iss":"iss1","sub":"a","aud":["api",null],"exp":1700000100}`), claims.ErrMemberType)
	refused(t, wildVerifier(t, list), tokenOf("HS256", `{"iss":"iss1","sub":1,"aud":"api","exp":1700000100,"scope":[null]}`), claims.ErrMemberType)
}

// TestEmptyAudience: Ory Hydra 2.3 and fosite write aud [] when no audience was
// asked for. It names nobody.
func TestEmptyAudience(t *testing.T) {
	of := func(aud string) string {
		return tokenOf("HS256", `{"iss":"iss1","sub":"a","exp":1700000100,"aud":`+aud+`}`)
	}
	_, err := verifyAt(wildVerifier(t, claims.Dialect{}), of(`[]`))
	if !errors.Is(err, claims.ErrAudience) || !strings.Contains(err.Error(), "empty") {
		t.Errorf("the message does not say that it is empty: %v", err)
	}
	none := wildVerifier(t, claims.Dialect{InsecureNoAudience: true})
	for _, aud := range []string{`[]`, `[ ]`, `null`} {
		if c := accepted(t, none, of(aud)); c != nil && len(c.Audience) != 0 {
			t.Errorf("%s: %q", aud, c.Audience)
		}
	}
	for _, aud := range []string{`"api"`, `["api"]`, `""`} {
		refused(t, none, of(aud), claims.ErrAudience)
	}
	refused(t, none, of(`[""]`), claims.ErrMemberType)
	refused(t, none, of(`{}`), claims.ErrMemberType)
}

// TestScopeEither: the .NET family writes one scope as a string and several as an
// array.
func TestScopeEither(t *testing.T) {
	for _, list := range []bool{false, true} {
		d := claims.Dialect{ScopeEither: true, ScopeList: list}
		for member, want := range map[string][]string{
			`"scope":"a"`: {"a"}, `"scope":"a b"`: {"a", "b"}, `"scope":["a","b"]`: {"a", "b"}, `"scope":["a"]`: {"a"}, `"scope":[]`: nil, `"scope":""`: nil,
		} {
			if c := accepted(t, wildVerifier(t, d), wildToken("at+jwt", member)); c != nil && !slices.Equal(c.Scope, want) {
				t.Errorf("%s: %q", member, c.Scope)
			}
		}
		for _, member := range []string{`"scope":["a b"]`, `"scope":["a",1]`, `"scope":1`, `"scope":{}`, `"scope":true`, `"scope":[["a"]]`} {
			refused(t, wildVerifier(t, d), wildToken("at+jwt", member), claims.ErrMemberType)
		}
		c := claims.Claims[struct{}]{Use: claims.Access, Issuer: "iss1", Subject: "a", Audience: []string{"api"}, Expiry: moment.Add(time.Hour), Scope: []string{"a", "b"}}
		want := map[bool]string{false: `"scope":"a b"`, true: `"scope":["a","b"]`}[list]
		if _, payload := decoded(t, encode(t, d, claims.Header{Algorithm: "HS256"}, c)); !strings.Contains(payload, want) {
			t.Errorf("written %s", payload)
		}
	}
}

// TestSubjects under other names, and as numbers: user_id of Django's simplejwt 5.2,
// id of gin-jwt, uid of hand-written ones.
func TestSubjects(t *testing.T) {
	of := func(members string) string {
		return tokenOf("HS256", `{"iss":"iss1","aud":"api","exp":1700000100,`+members+`}`)
	}
	named := claims.Dialect{SubjectMember: "user_id"}
	c := accepted(t, wildVerifier(t, named), of(`"user_id":"alice","sub":"her mail"`))
	if c.Subject != "alice" || c.App["sub"] != "her mail" || len(c.App) != 1 {
		t.Errorf("%+v", c)
	}
	refused(t, wildVerifier(t, named), of(`"sub":"alice"`), claims.ErrMissing)
	refused(t, wildVerifier(t, named), of(`"user_id":null`), claims.ErrMissing)
	refused(t, wildVerifier(t, named), of(`"user_id":7`), claims.ErrMemberType)
	refused(t, wildVerifier(t, named), of(`"user_id":" "`), claims.ErrSubject)
	refused(t, wildVerifier(t, claims.Dialect{}), of(`"sub":7`), claims.ErrMemberType)

	numeric := claims.Dialect{SubjectMember: "user_id", NumericSubject: true}
	for _, id := range []string{`7`, `"7"`, `0`, `-3`, `9007199254740993`, `18446744073709551615`} {
		want := strings.Trim(id, `"`)
		c := accepted(t, wildVerifier(t, numeric), of(`"user_id":`+id))
		if c == nil || c.Subject != want {
			t.Errorf("%s: %+v", id, c)
			continue
		}
		_, payload := decoded(t, encode(t, numeric, claims.Header{Algorithm: "HS256"}, *c))
		if !strings.Contains(payload, `"user_id":`+want+`,`) || strings.Contains(payload, `"sub"`) {
			t.Errorf("%s is written %s", id, payload)
		}
	}
	// Each subject has one text, or two spellings of 7 would be two people.
	for _, id := range []string{`7.0`, `7e0`, `70e-1`, `-0`, `"07"`, `"+7"`, `" 7"`, `"7 "`, `""`, `"-"`, `"alice"`, `"٧"`, `true`, `[7]`, `{}`, `123456789012345678901`} {
		refused(t, wildVerifier(t, numeric), of(`"user_id":`+id), claims.ErrMemberType)
	}
	bad := claims.Claims[struct{}]{Use: claims.Access, Issuer: "iss1", Subject: "alice", Audience: []string{"api"}, Expiry: moment.Add(time.Hour)}
	if _, err := must(claims.NewEncoder[struct{}](numeric)).Encode(claims.Header{Algorithm: "HS256"}, &bad); !errors.Is(err, claims.ErrUnencodable) {
		t.Errorf("a name was written as a number: %v", err)
	}
	type withSub struct {
		Mail string `json:"sub"`
	}
	if _, err := claims.NewVerifier[withSub](claims.Config{Issuer: "i", Audience: []string{"a"}, Keys: setOf(keyOf("HS256", "")), Dialect: named}); err != nil {
		t.Error(err)
	}
	type withUser struct {
		User string `json:"user_id"`
	}
	if _, err := claims.NewVerifier[withUser](claims.Config{Issuer: "i", Audience: []string{"a"}, Keys: setOf(keyOf("HS256", "")), Dialect: named}); !errors.Is(err, claims.ErrApp) {
		t.Error(err)
	}
}

// TestExactNumbers: snowflake ids are above 2^53, where a float64 skips every other
// integer.
func TestExactNumbers(t *testing.T) {
	const members = `"id":9007199254740993,"list":[18446744073709551617,1.10],"deep":{"id":-9007199254740993},"any":9007199254740995`
	c := accepted(t, wildVerifier(t, claims.Dialect{}), wildToken("at+jwt", members))
	want := map[string]any{
		"id": json.Number("9007199254740993"), "list": []any{json.Number("18446744073709551617"), json.Number("1.10")},
		"deep": map[string]any{"id": json.Number("-9007199254740993")}, "any": json.Number("9007199254740995"),
	}
	if !reflect.DeepEqual(c.App, want) {
		t.Errorf("read %#v", c.App)
	}
	if own := c.Clone(); !reflect.DeepEqual(own.App, want) {
		t.Errorf("cloned %#v", own.App)
	}
	_, payload := decoded(t, encode(t, claims.Dialect{}, claims.Header{Algorithm: "HS256"}, *c))
	for _, member := range strings.SplitAfterN(members, ",", 2) {
		if !strings.Contains(payload, strings.TrimSuffix(member, ",")[:12]) {
			t.Errorf("written %s", payload)
		}
	}
	type app struct {
		Any any `json:"any"`
	}
	v := must(claims.NewVerifier[app](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", ""))}))
	if c, err := verifyAt(v, wildToken("at+jwt", members)); err != nil || c.App.Any != json.Number("9007199254740995") {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestHeadersInAnyOrder: LemonLDAP::NG 2.16 writes the members of a header in three
// orders. They say the same, and what is remembered of them is bounded.
func TestHeadersInAnyOrder(t *testing.T) {
	v := wildVerifier(t, jwtTokens)
	for range 3 {
		for _, header := range []string{`{"alg":"HS256","typ":"JWT","kid":"k"}`, `{"typ":"JWT","kid":"k","alg":"HS256"}`, `{"kid":"k","alg":"HS256","typ":"JWT"}`} {
			accepted(t, v, token("HS256", pairs()["HS256"].private, header, goodPayload))
		}
	}
	if n := v.RememberedHeaders(); n != 3 {
		t.Errorf("%d headers are remembered", n)
	}
}

// TestDialectMistakes of what tells kinds and subjects apart.
func TestDialectMistakes(t *testing.T) {
	for name, d := range map[string]claims.Dialect{
		"words without a member":          {AccessWords: []string{"Bearer"}},
		"a refresh word without a member": {RefreshWord: "Refresh"},
		"an empty word":                   {UseMember: "typ", AccessWords: []string{""}},
		"one word for both":               {UseMember: "typ", AccessWords: []string{"a", "refresh"}},
		"one word for both, by default":   {UseMember: "typ", RefreshWord: "access"},
		"a further type that is refresh":  {MoreAccessTypes: []string{"RT+JWT"}},
		"a further type that is empty":    {MoreAccessTypes: []string{""}},
		"has and lacks":                   {AccessHas: map[string][]string{"a": nil}, AccessLacks: []string{"a"}},
		"has nothing":                     {AccessHas: map[string][]string{"": nil}},
		"lacks nothing":                   {AccessLacks: []string{""}},
		"lacks the use":                   {UseMember: "typ", AccessLacks: []string{"typ"}},
		"subject taken":                   {SubjectMember: "jti"},
		"subject taken in another case":   {SubjectMember: "Sub"},
		"subject is the party":            {SubjectMember: "party"},
		"party is sub":                    {SubjectMember: "user_id", PartyMember: "sub"},
		"number and object":               {NumericSubject: true, ObjectSubject: true},
		"the subject is not listed":       {SubjectMember: "user_id", Members: []string{"iss", "sub", "aud", "exp"}},
	} {
		if _, err := claims.NewEncoder[struct{}](d); !errors.Is(err, claims.ErrDialect) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
