package claims_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// FuzzVerify takes header and payload as they are in JSON and signs them, so
// that the fuzzer gets behind the signature; and junk as a token as it is.
func FuzzVerify(f *testing.F) {
	secret := pairs()["HS256"].private
	for _, header := range []string{
		`{"alg":"HS256","typ":"at+jwt"}`, `{"alg":"HS256","typ":"Application/AT+jwt","kid":"k"}`, `{"alg":"none"}`, `{"alg":"HS256","crit":["x"]}`,
		`{"alg":"HS256","typ":"at+jwt","x":{"a":1,"a":2}}`, "\ufeff{}", `{"ALG":"none","alg":"HS256","typ":"at+jwt"}`, `null`,
	} {
		f.Add(header, goodPayload, "")
	}
	for _, payload := range []string{
		`null`, `{}`, `{"iss":"iss1","sub":"alice","aud":["api","b"],"exp":1.7000001e9,"nbf":1,"iat":1.5,"jti":"j","sid":"s","scope":"a b","party":"P"}`,
		`{"iss":"iss1","sub":"a","SUB":"b","aud":"api","exp":1700000100,"x":{"y":[1,null,true,"\ud834\udd1e"]}}`,
		`{"iss":"iss1","sub":"a","sub":"b","aud":"api","exp":1700000100}`, goodPayload + "{}", strings.Repeat("[", 50),
		`{"iss":"iss1","sub":"a","aud":"api","exp":1e300}`, `{"iss":"iss1","sub":"a","aud":"api","exp":1700000100,"":5}`,
	} {
		f.Add(`{"alg":"HS256","typ":"at+jwt"}`, payload, "")
	}
	for _, junk := range []string{".", "..", "a.b", "a.b.c", "a.b.c.d", tokenOf("HS256", goodPayload), tokenOf("HS384", goodPayload) + "\n", tokenOf("HS256", goodPayload) + "="} {
		f.Add("", "", junk)
	}
	v := verifierOf(keyOf("HS256", ""), keyOf("HS384", ""))
	f.Fuzz(func(t *testing.T, header, payload, junk string) {
		s := junk
		if s == "" {
			s = token("HS256", secret, header, payload)
		}
		c, err := verifyAt(v, s)
		explains(t, v, s, c, err)
		if err != nil {
			if c != nil || !errors.Is(err, claims.ErrInvalid) {
				t.Fatalf("%v, %v", c, err)
			}
			return
		}
		part := strings.Split(s, ".")
		for i, p := range part {
			b, err := base64.RawURLEncoding.DecodeString(p)
			if err != nil || b64(b) != p {
				t.Fatalf("segment %d is another spelling: %q", i, p)
			}
		}
		agrees(t, unb64(part[1]), c)
	})
}

// explains holds what Explain says of a token to what Verify did: it accepts the same
// tokens. All that it says is short and printable, and each refusal names a field.
func explains(t *testing.T, v *claims.Verifier[map[string]any], s string, c *claims.Claims[map[string]any], refused error) {
	t.Helper()
	checks, err := v.ExplainAt(context.Background(), s, moment)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(checks, func(c claims.Check) bool { return !c.OK && c.Name != "cnf" })
	if (i < 0) != (refused == nil) {
		t.Fatalf("Verify: %v; Explain: %+v", refused, checks)
	}
	for _, check := range checks {
		if check.OK && strings.HasPrefix(check.Field, "none: ") || !check.OK && check.Field == "" {
			t.Fatalf("%+v", check)
		}
		for _, text := range []string{check.Name, check.Expected, check.Found, check.Field} {
			if len(text) > 512 || strings.Trim(text, printableASCII) != "" {
				t.Fatalf("%q", text)
			}
		}
	}
	if refused == nil && c.Confirmation != (claims.Confirmation{}) == !slices.ContainsFunc(checks, func(c claims.Check) bool { return c.Field == "none: bound to a key" }) {
		t.Fatalf("%+v, bound to %+v", checks, c.Confirmation)
	}
}

var printableASCII = func() string {
	var all []byte
	for c := byte(' '); c <= '~'; c++ {
		all = append(all, c)
	}
	return string(all)
}()

// agrees holds claims against encoding/json's reading of the same payload.
func agrees(t *testing.T, payload []byte, c *claims.Claims[map[string]any]) {
	t.Helper()
	var plain map[string]any
	exact := json.NewDecoder(bytes.NewReader(payload))
	exact.UseNumber()
	if err := exact.Decode(&plain); err != nil {
		t.Fatalf("encoding/json refuses %q: %v", payload, err)
	}
	text := func(name, got string) {
		if want, _ := plain[name].(string); got != want {
			t.Fatalf("%s is %q, want %q", name, got, want)
		}
	}
	text("iss", c.Issuer)
	text("sub", c.Subject)
	text("jti", c.ID)
	text("sid", c.Session)
	text("party", string(c.Party))
	date := func(name string, got time.Time) {
		number, ok := plain[name].(json.Number)
		want, _ := number.Float64()
		if ok == got.IsZero() || ok && math.Abs(float64(got.UnixMicro())/1e6-want) > 1e-3 {
			t.Fatalf("%s is %v, want %v", name, got, want)
		}
	}
	date("exp", c.Expiry)
	date("nbf", c.NotBefore)
	date("iat", c.IssuedAt)
	for name, value := range plain { // null is absence, in App alone it is a value
		for _, r := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "scope", "party"} { // never cnf
			if value == nil && name == r {
				delete(plain, name)
			}
		}
	}
	if aud, ok := plain["aud"].([]any); ok && len(aud) != len(c.Audience) || !ok && c.Audience[0] != plain["aud"] {
		t.Fatalf("aud is %q, want %v", c.Audience, plain["aud"])
	}
	registered := []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "cnf", "scope", "party"}
	for name := range plain {
		for _, r := range registered {
			if strings.EqualFold(name, r) {
				delete(plain, name)
			}
		}
	}
	if !reflect.DeepEqual(c.App, plain) {
		t.Fatalf("App is %v, want %v", c.App, plain)
	}
}

// FuzzPEM never panics, and reads again what it has read.
func FuzzPEM(f *testing.F) {
	for _, name := range []string{"testdata/facilioo-older.pem", "testdata/facilioo-newer.pem"} {
		f.Add(must(os.ReadFile(name)))
	}
	for _, text := range []string{
		"", "-----BEGIN X----", "-----BEGIN X-----", "-----BEGIN X-----\n-----END X----", "-----END X-----", "-----BEGIN X-----A:-----END X-----",
		"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY----------BEGIN X-----",
		"-----BEGIN PUBLIC KEY-----MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=-----END PUBLIC KEY------",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := claims.ParsePEM(bytes.Clone(text[:len(text):len(text)]), "")
		if err != nil {
			if keys != nil || !errors.Is(err, claims.ErrPEM) {
				t.Fatalf("%v, %v", keys, err)
			}
			return
		}
		if blocks := bytes.Count(text, []byte("-----BEGIN ")); blocks != len(keys) {
			t.Fatalf("%d keys of %d blocks", len(keys), blocks)
		}
		twice, err := claims.ParsePEM(append(append(bytes.Clone(text), '\n'), text...), "")
		if err != nil || len(twice) != 2*len(keys) {
			t.Fatalf("the same twice: %d keys, %v", len(twice), err)
		}
	})
}

// FuzzDates reads dates in every format and writes them again.
func FuzzDates(f *testing.F) {
	for _, s := range []string{
		`1700000000`, `1700000000.5`, `17e8`, `1e300`, `-1`, `0`, `253402300799`, `253402300800`, `253402300799999`, `9223372036854775807`, `1e-400`, `0.1`,
		`"2014-10-02T07:53:25.361Z"`, `"2014-10-02T07:53:25Z"`, `"2014-10-02T07:53:25,3Z"`, `"2014-10-02T07:53:25+00:00"`, `"9999-12-31T23:59:59.999999999Z"`,
		`"10000-01-01T00:00:00Z"`, `"2014-10-02t07:53:25z"`, `"2014-02-30T00:00:00Z"`, `"1969-12-31T23:59:59Z"`, `"2014-10-02T7:53:25Z"`, `"2014-10-02T24:00:00Z"`,
		`"2014-10-02T07:53:60Z"`, `"2014-10-02T07:53:25.Z"`, `""`, `"Z"`, `null`, `true`, `{}`, `[]`,
	} {
		f.Add(s)
	}
	last := time.Unix(253402300800, 0)
	f.Fuzz(func(t *testing.T, raw string) {
		if members, err := strict.Object([]byte(`{"d":`+raw+`}`), strict.Bounds{Depth: 32, Members: 256}, nil); err != nil || len(members) != 1 || string(members[0].Value) != raw {
			return // no JSON value
		}
		for format, unit := range map[claims.TimeFormat]time.Duration{claims.Seconds: time.Second, claims.Milliseconds: time.Millisecond, claims.RFC3339: time.Millisecond} {
			at, err := format.Parse([]byte(raw))
			if err != nil {
				if !errors.Is(err, claims.ErrInvalid) || !at.IsZero() {
					t.Fatalf("format %d, %s: %v, %v", format, raw, at, err)
				}
				continue
			}
			if at.Before(time.Unix(0, 0)) || !at.Before(last) {
				t.Fatalf("format %d, %s: out of range: %v", format, raw, at)
			}
			if format == claims.RFC3339 {
				if want, err := time.Parse(time.RFC3339Nano, strings.Trim(unquoted(raw), `"`)); err != nil || !want.Equal(at) {
					t.Fatalf("%s is %v, package time says %v, %v", raw, at, want, err)
				}
			} else if n, err := strconv.ParseFloat(raw, 64); err != nil || math.Abs(float64(at.UnixMicro())/1e6*float64(time.Second/unit)-n) > math.Max(1e-2, n/1e12) {
				t.Fatalf("format %d: %s is %v", format, raw, at)
			}
			written, err := format.Append(nil, at)
			if err != nil {
				if at.Unix() > 0 {
					t.Fatalf("format %d: %v can't be written: %v", format, at, err)
				}
				continue
			}
			again, err := format.Parse(written)
			if err != nil || !again.Equal(at.Truncate(unit)) {
				t.Fatalf("format %d: %s is %v, written %s, which is %v, %v", format, raw, at, written, again, err)
			}
		}
	})
}

// unquoted returns the value of a JSON string, or raw if it is none.
func unquoted(raw string) string {
	var s string
	if json.Unmarshal([]byte(raw), &s) != nil {
		return raw
	}
	return s
}

// FuzzKinds never accepts what bears the mark of another kind, however the payload is
// written, and holds every reader that a dialect can switch on against encoding/json.
func FuzzKinds(f *testing.F) {
	for _, payload := range []string{
		goodPayload, `{"iss":"iss1","sub":7,"aud":[],"exp":1700000100,"nbf":0}`, `{"iss":"iss1","sub":"7","aud":"api","exp":1700000100,"scope":["a"]}`,
		`{"iss":"iss1","sub":"7","aud":"api","exp":1700000100,"n\u006fnce":"x"}`, `{"iss":"iss1","sub":-0,"aud":"api","exp":1700000100,"type":"refresh"}`,
		`{"iss":"iss1","sub":1e3,"aud":"api","exp":1700000100,"scope":"a b","auth_time":1,"scp":null}`, `{"iss":"iss1","sub":"1","aud":"api","exp":1700000100,"typ":"ID"}`,
	} {
		f.Add([]byte(payload))
	}
	d := claims.Dialect{AccessType: "JWT", NumericSubject: true, ScopeEither: true, AccessLacks: []string{"x"}, AccessHas: map[string][]string{"sub": nil}}
	v := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", "")), Dialect: d}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		s := token("HS256", pairs()["HS256"].private, `{"alg":"HS256","typ":"JWT"}`, string(payload))
		c, err := v.VerifyAt(t.Context(), s, moment)
		again, second := v.VerifyAt(t.Context(), s, moment)
		if (err == nil) != (second == nil) || err == nil && !reflect.DeepEqual(c, again) {
			t.Fatalf("%+v, %v and then %+v, %v", c, err, again, second)
		}
		if err != nil {
			if !errors.Is(err, claims.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		var plain map[string]any
		exact := json.NewDecoder(bytes.NewReader(payload))
		exact.UseNumber()
		if err := exact.Decode(&plain); err != nil {
			t.Fatal(err)
		}
		for _, mark := range []string{"nonce", "at_hash", "c_hash", "s_hash", "events", "x"} {
			if plain[mark] != nil {
				t.Fatalf("%s is %v", mark, plain[mark])
			}
		}
		if got, ok := plain["sub"].(string); !ok && plain["sub"] != json.Number(c.Subject) || ok && got != c.Subject {
			t.Fatalf("sub is %q, want %v", c.Subject, plain["sub"])
		}
		if list, ok := plain["scope"].([]any); ok && len(list) != len(c.Scope) {
			t.Fatalf("scope is %q, want %q", c.Scope, list)
		}
	})
}
