package claims_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// TestPayloadAttacks signs each payload correctly, so that nothing but what it
// says can be the reason. The moment is 1700000000.
func TestPayloadAttacks(t *testing.T) {
	v := verifierOf(keyOf("HS256", ""))
	exp := func(exp string) string { return `{"iss":"iss1","sub":"alice","aud":"api","exp":` + exp + `}` }
	with := func(more string) string { return strings.TrimSuffix(goodPayload, "}") + "," + more + "}" }
	aud := func(aud string) string { return `{"iss":"iss1","sub":"alice","aud":` + aud + `,"exp":1700000100}` }
	iss := func(iss string) string { return `{` + iss + `"sub":"alice","aud":"api","exp":1700000100}` }
	sub := func(sub string) string { return `{"iss":"iss1",` + sub + `"aud":"api","exp":1700000100}` }
	nested := func(n int) string { return with(`"x":` + strings.Repeat("[", n) + strings.Repeat("]", n)) }
	for _, row := range []struct {
		id, payload string
		reason      error // nil: accepted
	}{
		{"CL-01", exp(`1699999999`), claims.ErrExpired},
		{"CL-02 now", exp(`1700000000`), claims.ErrExpired},
		{"CL-02 a second later", exp(`1700000001`), nil},
		{"CL-03", `{"iss":"iss1","sub":"alice","aud":"api"}`, claims.ErrMissing},
		{"CL-04", exp(`0`), claims.ErrExpired},
		{"CL-05 null", exp(`null`), claims.ErrMissing},
		{"CL-05 empty", exp(`""`), claims.ErrMemberType},
		{"CL-05 quoted", exp(`"1700000100"`), claims.ErrMemberType},
		{"CL-05 true", exp(`true`), claims.ErrMemberType},
		{"CL-05 array", exp(`[1]`), claims.ErrMemberType},
		{"CL-05 object", exp(`{}`), claims.ErrMemberType},
		{"CL-06 half", exp(`1700000000.5`), nil},
		{"CL-06 half gone", exp(`1699999999.999`), claims.ErrExpired},
		{"CL-06 17e8", exp(`17e8`), claims.ErrExpired},
		{"CL-06 1e10", exp(`1e10`), nil},
		{"CL-06 exponent", exp(`1.7000001e9`), nil},
		{"CL-07 year 9999", exp(`253402300799`), nil},
		{"CL-07 its last moment", exp(`253402300799.5`), nil},
		{"CL-07 year 10000", exp(`253402300800`), claims.ErrDate},
		{"CL-07 year 10000 as a float", exp(`253402300800.0`), claims.ErrDate},
		{"CL-07 milliseconds", exp(`1699996400000`), claims.ErrDate},
		{"CL-07 1e30", exp(`1e30`), claims.ErrDate},
		{"CL-07 1e300", exp(`1e300`), claims.ErrDate},
		{"CL-07 int64", exp(`9223372036854775807`), claims.ErrDate},
		{"CL-07 beyond int64", exp(`9223372036854775808`), claims.ErrDate},
		{"CL-07 -1", exp(`-1`), claims.ErrDate},
		{"CL-07 -0", exp(`-0`), claims.ErrExpired},
		{"CL-07 -1e300", exp(`-1e300`), claims.ErrDate},
		{"CL-07 1e400", exp(`1e400`), claims.ErrDate},
		{"CL-07 1e-400", exp(`1e-400`), claims.ErrExpired},
		{"CL-08 NaN", exp(`NaN`), claims.ErrSyntax},
		{"CL-08 Infinity", exp(`Infinity`), claims.ErrSyntax},
		{"CL-08 0x10", exp(`0x10`), claims.ErrSyntax},
		{"CL-08 01", exp(`01`), claims.ErrSyntax},
		{"CL-08 1_000", exp(`1_700_000_100`), claims.ErrSyntax},
		{"CL-08 +5", exp(`+1700000100`), claims.ErrSyntax},
		{"CL-08 1.", exp(`1700000100.`), claims.ErrSyntax},
		{"CL-08 .5", exp(`.5`), claims.ErrSyntax},
		{"CL-08 1e", exp(`1e`), claims.ErrSyntax},
		{"CL-09 1e300", with(`"nbf":1e300`), claims.ErrDate},
		{"CL-09 int64", with(`"nbf":9223372036854775807`), claims.ErrDate},
		{"CL-10 a second early", with(`"nbf":1700000001`), claims.ErrNotYet},
		{"CL-10 now", with(`"nbf":1700000000`), nil},
		{"CL-10 string", with(`"nbf":"1700000000"`), claims.ErrMemberType},
		{"CL-10 null", with(`"nbf":null`), nil},
		{"CL-10 after exp", with(`"nbf":1700000101`), claims.ErrDate},
		{"CL-11", with(`"iat":1700003600`), claims.ErrNotYet},
		{"CL-11 a second", with(`"iat":1700000001`), claims.ErrNotYet},
		{"CL-11 now", with(`"iat":1700000000`), nil},
		{"CL-13 string", aud(`"api"`), nil},
		{"CL-13 array", aud(`["api"]`), nil},
		{"CL-13 others", aud(`["a", "api" ,"z"]`), nil},
		{"CL-13 escaped", aud(`"\u0061pi"`), nil},
		{"CL-14 []", aud(`[]`), claims.ErrAudience},
		{"CL-14 empty", aud(`""`), claims.ErrAudience},
		{"CL-14 [empty]", aud(`[""]`), claims.ErrMemberType},
		{"CL-14 null", aud(`null`), claims.ErrMissing},
		{"CL-14 number", aud(`5`), claims.ErrMemberType},
		{"CL-14 true", aud(`true`), claims.ErrMemberType},
		{"CL-14 object", aud(`{"api":1}`), claims.ErrMemberType},
		{"CL-14 nested", aud(`[["api"]]`), claims.ErrMemberType},
		{"CL-14 mixed", aud(`["api",1]`), claims.ErrMemberType},
		{"CL-14 with null", aud(`["api",null]`), claims.ErrMemberType},
		{"CL-15 API", aud(`"API"`), claims.ErrAudience},
		{"CL-15 api2", aud(`"api2"`), claims.ErrAudience},
		{"CL-15 ap", aud(`"ap"`), claims.ErrAudience},
		{"CL-15 api/", aud(`"api/"`), claims.ErrAudience},
		{"CL-15 blank", aud(`" api"`), claims.ErrAudience},
		{"CL-15 NUL", aud(`"api\u0000"`), claims.ErrAudience},
		{"CL-15 URL", aud(`"https://api.example.com."`), claims.ErrAudience},
		{"CL-15 variants only", aud(`["API","api/"]`), claims.ErrAudience},
		{"CL-16 absent", `{"iss":"iss1","sub":"alice","exp":1700000100}`, claims.ErrMissing},
		{"CL-17 absent", iss(``), claims.ErrIssuer},
		{"CL-17 empty", iss(`"iss":"",`), claims.ErrIssuer},
		{"CL-17 case", iss(`"iss":"ISS1",`), claims.ErrIssuer},
		{"CL-17 slash", iss(`"iss":"iss1/",`), claims.ErrIssuer},
		{"CL-17 prefix", iss(`"iss":"iss",`), claims.ErrIssuer},
		{"CL-17 array", iss(`"iss":["iss1"],`), claims.ErrIssuer},
		{"CL-17 number", iss(`"iss":1,`), claims.ErrIssuer},
		{"CL-17 null", iss(`"iss":null,`), claims.ErrIssuer},
		{"CL-17 NUL", iss(`"iss":"iss1\u0000",`), claims.ErrIssuer},
		{"CL-17 other case of the name", iss(`"Iss":"iss1",`), claims.ErrIssuer},
		{"CL-18 absent", sub(``), claims.ErrMissing},
		{"CL-18 empty", sub(`"sub":"",`), claims.ErrSubject},
		{"CL-18 blank", sub(`"sub":"  ",`), claims.ErrSubject},
		{"CL-18 number", sub(`"sub":5,`), claims.ErrMemberType},
		{"CL-18 null", sub(`"sub":null,`), claims.ErrMissing},
		{"CL-18 object", sub(`"sub":{"id":1},`), claims.ErrMemberType},
		{"CL-18 10 KiB", sub(`"sub":"` + strings.Repeat("a", 10<<10) + `",`), claims.ErrSubject},
		{"CL-18 the most", sub(`"sub":"` + strings.Repeat("a", 1024) + `",`), nil},
		{"CL-18 one more", sub(`"sub":"` + strings.Repeat("a", 1025) + `",`), claims.ErrSubject},
		{"CL-19 sub", `{"iss":"iss1","sub":"a","sub":"admin","aud":"api","exp":1700000100}`, claims.ErrDuplicate},
		{"CL-19 exp", with(`"exp":1800000000`), claims.ErrDuplicate},
		{"CL-19 escaped", with(`"s\u0075b":"admin"`), claims.ErrDuplicate},
		{"CL-19 unknown member", with(`"x":1,"x":1`), claims.ErrDuplicate},
		{"CL-19 nested", with(`"x":{"a":[{"b":1,"b":2}]}`), claims.ErrDuplicate},
		{"CL-19 among many", with(`"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"a":2`), claims.ErrDuplicate},
		{"CL-21 EXP", `{"iss":"iss1","sub":"alice","aud":"api","exp":1600000000,"EXP":1800000000}`, claims.ErrExpired},
		{"CL-21 Exp alone", `{"iss":"iss1","sub":"alice","aud":"api","Exp":1800000000}`, claims.ErrMissing},
		{"CL-23 0xff", with(`"x":"` + "\xff" + `"`), claims.ErrSyntax},
		{"CL-23 in a name", with(`"` + "\xc3\x28" + `":1`), claims.ErrSyntax},
		{"CL-23 overlong", with(`"x":"` + "\xc0\xaf" + `"`), claims.ErrSyntax},
		{"CL-23 surrogate in UTF-8", with(`"x":"` + "\xed\xa0\x80" + `"`), claims.ErrSyntax},
		{"CL-23 lone surrogate", with(`"x":"\ud834"`), claims.ErrSyntax},
		{"CL-23 half and a letter", with(`"x":"\ud834\u0061"`), claims.ErrSyntax},
		{"CL-23 pair", with(`"x":"\ud834\udd1e"`), nil},
		{"CL-25 null", `null`, claims.ErrSyntax},
		{"CL-25 array", `[]`, claims.ErrSyntax},
		{"CL-25 string", `"x"`, claims.ErrSyntax},
		{"CL-25 number", `5`, claims.ErrSyntax},
		{"CL-25 true", `true`, claims.ErrSyntax},
		{"CL-25 blank", ` `, claims.ErrSyntax},
		{"CL-25 {}", `{}`, claims.ErrIssuer},
		{"CL-26 object", goodPayload + `{"sub":"admin"}`, claims.ErrSyntax},
		{"CL-26 #", goodPayload + `#`, claims.ErrSyntax},
		{"CL-26 ]", goodPayload + `]`, claims.ErrSyntax},
		{"CL-26 NUL", goodPayload + "\x00", claims.ErrSyntax},
		{"CL-26 blanks", " \r\n\t" + goodPayload + " \n", nil},
		{"CL-27 BOM", "\ufeff" + goodPayload, claims.ErrSyntax},
		{"CL-27 UTF-16", "\xff\xfe{\x00}\x00", claims.ErrSyntax},
		{"CL-27 UTF-32", "\x00\x00\xfe\xff\x00\x00\x00{", claims.ErrSyntax},
		{"CL-27 comment", `{/**/` + goodPayload[1:], claims.ErrSyntax},
		{"CL-27 trailing comma", strings.TrimSuffix(goodPayload, "}") + ",}", claims.ErrSyntax},
		{"CL-27 NaN", with(`"x":NaN`), claims.ErrSyntax},
		{"CL-28 10 levels", nested(10), nil},
		{"CL-28 32 levels", nested(31), nil},
		{"CL-28 33 levels", nested(32), claims.ErrSyntax},
		{"CL-28 5,000 levels", nested(5000), claims.ErrSyntax},
		{"CL-28 110,000 levels", nested(110_000), claims.ErrTooLarge},
		{"CL-29 1 MiB string", with(`"x":"` + strings.Repeat("a", 1<<20) + `"`), claims.ErrTooLarge},
		{"CL-29 256 members", with(`"x":[` + strings.Repeat(`{"a":1},`, 250) + `{"a":1}]`), nil},
		{"CL-29 257 members", with(`"x":[` + strings.Repeat(`{"a":1},`, 251) + `{"a":1}]`), claims.ErrTooLarge},
		{"CL-29 100,000 members", with(strings.Repeat(`"x":1,`, 100_000) + `"y":1`), claims.ErrTooLarge},
		{"sid number", with(`"sid":1`), claims.ErrMemberType},
		{"jti number", with(`"jti":1`), claims.ErrMemberType},
		{"scope array", with(`"scope":["a"]`), claims.ErrMemberType},
		{"party number", with(`"party":1`), claims.ErrMemberType},
		{"member without a name", with(`"":5`), nil},
	} {
		t.Run(row.id, func(t *testing.T) {
			s := tokenOf("HS256", row.payload)
			if row.reason == nil {
				accepted(t, v, s)
				return
			}
			refused(t, v, s, row.reason)
			// Expiry is a fact about genuine tokens only.
			forged := s[:len(s)-43] + b64(make([]byte, 32))
			if _, err := verifyAt(v, forged); errors.Is(err, claims.ErrExpired) {
				t.Errorf("a forged token is told that it is expired: %v", err)
			}
		})
	}
}

func TestClaimAttacks(t *testing.T) {
	config := claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", ""))}
	secret := pairs()["HS256"].private

	t.Run("CL-02 leeway", func(t *testing.T) {
		c := config
		c.Leeway = time.Minute
		v := must(claims.NewVerifier[map[string]any](c))
		for _, row := range []struct {
			member string
			reason error
		}{
			{`"exp":1699999940`, claims.ErrExpired},
			{`"exp":1699999941`, nil},
			{`"exp":1700000100,"nbf":1700000060`, nil},
			{`"exp":1700000100,"nbf":1700000061`, claims.ErrNotYet},
			{`"exp":1700000100,"iat":1700000060`, nil},
			{`"exp":1700000100,"iat":1700000061`, claims.ErrNotYet},
		} {
			s := tokenOf("HS256", `{"iss":"iss1","sub":"alice","aud":"api",`+row.member+`}`)
			if _, err := verifyAt(v, s); !errors.Is(err, row.reason) {
				t.Errorf("%s: %v, want %v", row.member, err, row.reason)
			}
		}
	})
	t.Run("CL-01 by the clock", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v := verifierOf(keyOf("HS256", ""))
			s := tokenOf("HS256", fmt.Sprintf(`{"iss":"iss1","sub":"alice","aud":"api","exp":%d}`, time.Now().Add(time.Hour).Unix()))
			time.Sleep(time.Hour - time.Nanosecond)
			if _, err := v.Verify(context.Background(), s); err != nil {
				t.Errorf("in its last moment: %v", err)
			}
			time.Sleep(time.Nanosecond)
			if _, err := v.Verify(context.Background(), s); !errors.Is(err, claims.ErrExpired) {
				t.Errorf("at exp: %v", err)
			}
		})
	})
	t.Run("CL-06 fractions", func(t *testing.T) {
		c := accepted(t, verifierOf(keyOf("HS256", "")), tokenOf("HS256", `{"iss":"iss1","sub":"a","aud":"api","exp":1700000099.75,"iat":1699999999.25}`))
		if c.Expiry.UnixMilli() != 1700000099750 || c.IssuedAt.UnixMilli() != 1699999999250 {
			t.Errorf("exp %v, iat %v", c.Expiry, c.IssuedAt)
		}
	})
	t.Run("CL-16 no audience configured", func(t *testing.T) {
		for _, audience := range [][]string{nil, {}, {""}, {"api", ""}} {
			c := config
			c.Audience = audience
			if _, err := claims.NewVerifier[struct{}](c); !errors.Is(err, claims.ErrVerifier) {
				t.Errorf("%q: %v", audience, err)
			}
		}
		c := config
		c.Audience, c.Dialect.InsecureNoAudience = nil, true
		v := must(claims.NewVerifier[map[string]any](c))
		accepted(t, v, tokenOf("HS256", `{"iss":"iss1","sub":"alice","exp":1700000100}`))
		refused(t, v, tokenOf("HS256", goodPayload), claims.ErrAudience)
	})
	t.Run("CL-17 no issuer by dialect", func(t *testing.T) {
		c := config
		c.Issuer, c.Dialect.InsecureNoIssuer = "", true
		v := must(claims.NewVerifier[map[string]any](c))
		accepted(t, v, tokenOf("HS256", `{"sub":"alice","aud":"api","exp":1700000100}`))
		accepted(t, v, tokenOf("HS256", `{"iss":null,"sub":"alice","aud":"api","exp":1700000100}`))
		for _, iss := range []string{`"iss1"`, `""`, `"null"`, `5`, `{}`} {
			refused(t, v, tokenOf("HS256", `{"iss":`+iss+`,"sub":"alice","aud":"api","exp":1700000100}`), claims.ErrIssuer)
		}
	})
	t.Run("CL-21", func(t *testing.T) {
		type app struct {
			PartyType string `json:"party_type"`
			Deep      struct {
				Role string `json:"role"`
			} `json:"deep"`
		}
		v := must(claims.NewVerifier[app](config))
		c, err := verifyAt(v, tokenOf("HS256", strings.TrimSuffix(goodPayload, "}")+
			`,"party_type":"user","Party_Type":"admin","SUB":"root","deep":{"role":"user","Role":"admin"},"Scope":"all"}`))
		if err != nil || c.App.PartyType != "user" || c.App.Deep.Role != "user" || c.Subject != "alice" || c.Scope != nil {
			t.Errorf("%+v, %v", c, err)
		}
		// In a map the look-alikes of registered members do not appear at all.
		loose := accepted(t, verifierOf(keyOf("HS256", "")), tokenOf("HS256", strings.TrimSuffix(goodPayload, "}")+`,"SUB":"root","Exp":9,"own":1}`))
		if len(loose.App) != 1 || loose.App["own"] != json.Number("1") {
			t.Errorf("App is %v", loose.App)
		}
	})
	t.Run("CL-24", func(t *testing.T) {
		for _, sub := range []string{`alice\u0000admin`, `alice\nrole=admin`} {
			c := accepted(t, verifierOf(keyOf("HS256", "")), tokenOf("HS256", `{"iss":"iss1","sub":"`+sub+`","aud":"api","exp":1700000100}`))
			if want := strings.NewReplacer(`\u0000`, "\x00", `\n`, "\n").Replace(sub); c.Subject != want {
				t.Errorf("sub is %q, want %q", c.Subject, want)
			}
		}
	})
	t.Run("CL-31", func(t *testing.T) {
		v := verifierOf(keyOf("HS256", ""))
		id := `{"iss":"iss1","sub":"alice","aud":"client","exp":1700000100,"nonce":"n"}`
		refused(t, v, token("HS256", secret, `{"alg":"HS256","typ":"JWT"}`, id), claims.ErrType)
		refused(t, v, tokenOf("HS256", id), claims.ErrAudience)
	})
	t.Run("CL-32", func(t *testing.T) {
		v := verifierOf(keyOf("HS256", ""))
		for _, typ := range []string{"rt+jwt", "recovery+jwt", "verify-email+jwt"} {
			refused(t, v, token("HS256", secret, `{"alg":"HS256","typ":"`+typ+`"}`, goodPayload), claims.ErrType)
		}
		usefor := claims.Dialect{AccessType: "JWT", RefreshType: "JWT", UseMember: "usefor"}
		acjti := claims.Dialect{AccessType: "JWT", RefreshType: "JWT", RefreshMark: "acjti"}
		for _, row := range []struct {
			dialect claims.Dialect
			use     claims.Use
			member  string
			reason  error
		}{
			{usefor, claims.Access, `,"usefor":"access"`, nil},
			{usefor, claims.Access, `,"usefor":"refresh"`, claims.ErrUse},
			{usefor, claims.Access, `,"usefor":"recovery"`, claims.ErrUse},
			{usefor, claims.Access, `,"usefor":"Access"`, claims.ErrUse},
			{usefor, claims.Access, `,"usefor":""`, claims.ErrUse},
			{usefor, claims.Access, `,"usefor":["access"]`, claims.ErrMemberType},
			{usefor, claims.Access, ``, claims.ErrUse},
			{usefor, claims.Refresh, `,"usefor":"refresh"`, nil},
			{usefor, claims.Refresh, `,"usefor":"access"`, claims.ErrUse},
			{usefor, claims.Refresh, ``, claims.ErrUse},
			{acjti, claims.Access, ``, nil},
			{acjti, claims.Access, `,"acjti":"a"`, claims.ErrUse},
			{acjti, claims.Access, `,"acjti":""`, claims.ErrMemberType},
			{acjti, claims.Access, `,"acjti":null`, claims.ErrMemberType},
			{acjti, claims.Refresh, `,"acjti":"a"`, nil},
			{acjti, claims.Refresh, ``, claims.ErrUse},
			{acjti, claims.Refresh, `,"Acjti":"a"`, claims.ErrUse},
			{acjti, claims.Refresh, `,"acjti":5`, claims.ErrMemberType},
			{usefor, claims.Access, `,"usefor":"access","":"x"`, nil},
			{acjti, claims.Refresh, `,"acjti":"a","":5`, nil},
		} {
			c := config
			c.Dialect, c.Use = row.dialect, row.use
			v := must(claims.NewVerifier[map[string]any](c))
			s := token("HS256", secret, `{"alg":"HS256","typ":"JWT"}`, strings.TrimSuffix(goodPayload, "}")+row.member+"}")
			got, err := verifyAt(v, s)
			if !errors.Is(err, row.reason) {
				t.Errorf("%s as %s: %v, want %v", row.member, row.use, err, row.reason)
			}
			if err == nil && got.Use != row.use {
				t.Errorf("%s: use is %q", row.member, got.Use)
			}
			if err == nil && (got.AccessID != "") != (row.dialect.RefreshMark != "" && row.use == claims.Refresh) {
				t.Errorf("%s as %s: AccessID is %q", row.member, row.use, got.AccessID)
			}
		}
	})
	t.Run("CL-35", func(t *testing.T) {
		for _, leeway := range []time.Duration{-1, 5*time.Minute + 1, 24 * time.Hour, math.MaxInt64, math.MinInt64} {
			c := config
			c.Leeway = leeway
			if _, err := claims.NewVerifier[struct{}](c); !errors.Is(err, claims.ErrVerifier) {
				t.Errorf("%v: %v", leeway, err)
			}
		}
	})
	t.Run("CL-36", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			keys := &countingKeys{keys: []*claims.Key{keyOf("HS256", "")}}
			c := config
			c.Keys = keys
			v := must(claims.NewVerifier[map[string]any](c))
			s := tokenOf("HS256", fmt.Sprintf(`{"iss":"iss1","sub":"alice","aud":"api","exp":%d}`, time.Now().Add(time.Minute).Unix()))
			verify := func(want error) {
				t.Helper()
				if _, err := v.Verify(context.Background(), s); !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			}
			verify(nil)
			verify(nil)
			offered := keys.keys
			keys.keys = nil
			verify(claims.ErrUnknownKey)
			keys.keys, keys.err = offered, errors.New("down")
			verify(claims.ErrKeySetAnswer)
			keys.err = nil
			verify(nil)
			time.Sleep(time.Minute)
			verify(claims.ErrExpired)
		})
	})
	t.Run("scope is split at spaces only", func(t *testing.T) {
		v := verifierOf(keyOf("HS256", ""))
		c := accepted(t, v, tokenOf("HS256", strings.TrimSuffix(goodPayload, "}")+`,"scope":" a  b\tadmin c\u00a0admin "}`))
		if len(c.Scope) != 3 || c.Scope[1] != "b\tadmin" || c.Scope[2] != "c\u00a0admin" {
			t.Errorf("scope is %q", c.Scope)
		}
	})
}

// TestConfigMistakes are reported all at once.
func TestConfigMistakes(t *testing.T) {
	_, err := claims.NewVerifier[int](claims.Config{Use: "both", MaxBytes: -1, Dialect: claims.Dialect{AccessType: "JWT", RefreshType: "jwt"}})
	for _, want := range []error{claims.ErrVerifier, claims.ErrDialect, claims.ErrApp} {
		if !errors.Is(err, want) {
			t.Errorf("%v is not among %v", want, err)
		}
	}
	for _, field := range []string{"Keys", "Issuer", "Audience", "Use", "MaxBytes"} {
		if !strings.Contains(err.Error(), "claims: Config."+field) {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
	ok := claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", ""))}
	for name, d := range map[string]claims.Dialect{
		"one type for both uses":       {AccessType: "JWT", RefreshType: "application/jwt"},
		"a type that can't be written": {AccessType: "a\"b"},
		"an unknown time":              {Time: 3},
		"a party named sub":            {PartyMember: "Sub"},
		"one member twice":             {UseMember: "use", RefreshMark: "USE"},
		"no exp written":               {Members: []string{"iss", "sub", "aud"}},
		"no usefor written":            {UseMember: "usefor", Members: []string{"iss", "sub", "aud", "exp"}},
		"a member listed twice":        {Members: []string{"iss", "sub", "aud", "exp", "exp"}},
		"a member without a name":      {Members: []string{"iss", "sub", "aud", "exp", ""}},
	} {
		c := ok
		c.Dialect = d
		if _, err := claims.NewVerifier[struct{}](c); !errors.Is(err, claims.ErrDialect) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := claims.NewEncoder[struct{}](d); !errors.Is(err, claims.ErrDialect) {
			t.Errorf("%s: the encoder says %v", name, err)
		}
	}
	for name, keys := range map[string]claims.KeySet{"a nil pointer": (*named)(nil), "another issuer's": &named{issuer: "iss2"}} {
		c := ok
		c.Keys = keys
		if _, err := claims.NewVerifier[struct{}](c); !errors.Is(err, claims.ErrVerifier) {
			t.Errorf("Keys: %s: %v", name, err)
		}
	}
	for _, issuer := range []string{"", "iss1"} {
		c := ok
		c.Keys = &named{issuer: issuer}
		if _, err := claims.NewVerifier[struct{}](c); err != nil {
			t.Errorf("Keys of issuer %q: %v", issuer, err)
		}
	}
	// What was given is copied.
	audience := []string{"api"}
	c := ok
	c.Audience = audience
	v := must(claims.NewVerifier[map[string]any](c))
	audience[0] = "other"
	accepted(t, v, tokenOf("HS256", goodPayload))
}

// named is a key set that knows whose it is.
type named struct {
	claims.KeySet
	issuer string
}

func (n *named) Issuer() string { return n.issuer }

type limits struct {
	ReadOnly bool `json:"readOnly"`
}

// TestAppOfEveryKind writes and reads what App can be made of.
func TestAppOfEveryKind(t *testing.T) {
	with := func(more string) string { return strings.TrimSuffix(goodPayload, "}") + "," + more + "}" }
	type app struct {
		limits `json:"limits"`
		Big    json.Number    `json:"big"`
		Int    int64          `json:"int"`
		Any    any            `json:"any"`
		Map    map[string]int `json:"map"`
		Next   *limits        `json:"next"`
		Pair   []limits       `json:"pair"`
	}
	want := app{limits{true}, "9007199254740993", 9007199254740993, []any{json.Number("1.5"), "x"}, map[string]int{"a": 1}, &limits{true}, []limits{{true}, {false}}}
	written := encode(t, claims.Dialect{}, claims.Header{Algorithm: "EdDSA"}, claims.Claims[app]{Use: claims.Access, Issuer: "iss1", Subject: "a", Audience: []string{"api"}, Expiry: moment.Add(time.Hour), App: want})
	v := must(claims.NewVerifier[app](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("EdDSA", ""))}))
	c, err := v.VerifyAt(t.Context(), signed(t, written, pairs()["EdDSA"].private.(ed25519.PrivateKey)), moment)
	if err != nil || !reflect.DeepEqual(c.App, want) {
		t.Errorf("%+v, %v, want %+v", c, err, want)
	}
	clone := c.Clone()
	if !reflect.DeepEqual(clone, *c) {
		t.Errorf("the clone is %+v, not %+v", clone, c)
	}
	for _, wrong := range []string{`"big":"1"`, `"big":true`, `"limits":{"readOnly":1}`, `"limits":[]`} {
		if _, err := v.VerifyAt(t.Context(), tokenOf("EdDSA", with(wrong)), moment); !errors.Is(err, claims.ErrMemberType) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	// An expired token is one that is good in every other respect.
	past := moment.Add(1000 * time.Hour)
	if _, err := v.VerifyAt(t.Context(), tokenOf("EdDSA", with(`"big":"1"`)), past); errors.Is(err, claims.ErrExpired) || !errors.Is(err, claims.ErrInvalid) {
		t.Errorf("expired, and App does not fit: %v", err)
	}
	if _, err := v.VerifyAt(t.Context(), tokenOf("EdDSA", with(`"big":1`)), past); !errors.Is(err, claims.ErrExpired) {
		t.Errorf("expired: %v", err)
	}
}

type (
	when struct{ time.Time }
	then struct{ time.Time }
)

// TestAppSkipsWhatNobodyCanSet embeds unexported structs that read themselves:
// nothing outside can set them.
func TestAppSkipsWhatNobodyCanSet(t *testing.T) {
	type app struct {
		when `json:"when"`
		then `json:"then"`
		Name string `json:"name"`
	}
	v := must(claims.NewVerifier[app](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("EdDSA", ""))}))
	payload := strings.TrimSuffix(goodPayload, "}") + `,"when":"2026-01-01T00:00:00Z","name":"x"}`
	if c, err := v.VerifyAt(t.Context(), tokenOf("EdDSA", payload), moment); err != nil || c.App.Name != "x" {
		t.Errorf("%+v, %v", c, err)
	}
}

// slow is a key set that takes its time.
type slow struct{ claims.KeySet }

func (s slow) Keys(ctx context.Context, h claims.Header) ([]*claims.Key, error) {
	time.Sleep(10 * time.Second)
	return s.KeySet.Keys(ctx, h)
}

// TestExpiresWhileWaiting (RFC 7519 §4.1.4) lets a token expire while its key is
// looked for, at first sight and when it is remembered.
func TestExpiresWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := must(claims.NewVerifier[struct{}](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: slow{setOf(keyOf("EdDSA", ""))}}))
		made := func(life time.Duration) string {
			return tokenOf("EdDSA", fmt.Sprintf(`{"iss":"iss1","sub":"a","aud":"api","exp":%d}`, time.Now().Add(life).Unix()))
		}
		if _, err := v.Verify(t.Context(), made(9*time.Second)); !errors.Is(err, claims.ErrExpired) {
			t.Errorf("expired after 9 s, after 10 s: %v", err)
		}
		lasting := made(19 * time.Second)
		if _, err := v.Verify(t.Context(), lasting); err != nil {
			t.Errorf("expires after 19 s, after 10 s: %v", err)
		}
		if _, err := v.Verify(t.Context(), lasting); !errors.Is(err, claims.ErrExpired) {
			t.Errorf("expired after 19 s, after 20 s: %v", err)
		}
	})
}
