package claims_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// TestExplain has the fields that examples/explain can't set, since its flags don't.
// Each row is "FIELD = VALUE" of the checks that are not OK.
func TestExplain(t *testing.T) {
	for _, row := range []struct {
		name    string
		config  func(c *claims.Config)
		typ     string
		payload string // more members of a good token
		want    []string
	}{
		{"another word of use", func(c *claims.Config) { c.Dialect.UseMember = "use" }, "at+jwt", `"use":"Bearer"`,
			[]string{`Dialect.AccessWords = []string{"access", "Bearer"}`}},
		{"no word of use", func(c *claims.Config) { c.Dialect.UseMember = "use" }, "at+jwt", `"x":1`, []string{`Dialect.UseMember = ""`}},
		{"the word of another kind", func(c *claims.Config) { c.Dialect.UseMember = "use" }, "at+jwt", `"use":"id"`, []string{"none: ID token = "}},
		{"the word of refresh", func(c *claims.Config) { c.Dialect.UseMember = "use" }, "at+jwt", `"use":"refresh"`, []string{"none: refresh token = "}},
		{"the mark of refresh", func(c *claims.Config) { c.Dialect.RefreshMark = "acjti" }, "at+jwt", `"acjti":"1"`, []string{"none: refresh token = "}},
		{"no such member", func(c *claims.Config) { c.Dialect.AccessHas = map[string][]string{"azp": {"a"}} }, "at+jwt", `"x":1`,
			[]string{`Dialect.AccessHas = map[string][]string{}`}},
		{"another value", func(c *claims.Config) { c.Dialect.AccessHas = map[string][]string{"azp": {"a"}} }, "at+jwt", `"azp":"b"`,
			[]string{`Dialect.AccessHas = map[string][]string{"azp":[]string{"a", "b"}}`}},
		{"what should not be there", func(c *claims.Config) { c.Dialect.AccessLacks = []string{"x", "y"} }, "at+jwt", `"x":"hush"`,
			[]string{`Dialect.AccessLacks = []string{"y"}`}},
		{"too long a life", func(c *claims.Config) { c.MaxLife = time.Minute }, "at+jwt", `"iat":1699999000`, []string{"Config.MaxLife = 1101 * time.Second"}},
		{"a string where a number is said", func(c *claims.Config) { c.Dialect.NumericParty = true }, "at+jwt", `"party":"a"`, []string{"Dialect.NumericParty = false"}},
		{"a scope in the other form", func(c *claims.Config) { c.Dialect.ScopeList = true }, "at+jwt", `"scope":"a b"`, []string{"Dialect.ScopeEither = true"}},
		{"seconds where milliseconds are said", func(c *claims.Config) { c.Dialect.Time = claims.Milliseconds }, "at+jwt", `"x":1`, []string{"Dialect.Time = claims.Seconds"}},
		{"an access token at refresh", func(c *claims.Config) { c.Use = claims.Refresh }, "at+jwt", `"x":1`, []string{"none: access token = "}},
		{"another typ at refresh", func(c *claims.Config) { c.Use = claims.Refresh }, "JWT", `"x":1`, []string{`Dialect.RefreshType = "JWT"`}},
		{"an issuer that is not allowed", func(c *claims.Config) {
			c.Issuer, c.AllowIssuer = "", func(context.Context, string) (bool, error) { return false, nil }
		}, "at+jwt", `"x":1`, []string{"Config.AllowIssuer = "}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", ""))}
			row.config(&c)
			v := must(claims.NewVerifier[map[string]any](c))
			s := token("HS256", pairs()["HS256"].private, `{"alg":"HS256","typ":"`+row.typ+`"}`, strings.TrimSuffix(goodPayload, "}")+","+row.payload+"}")
			checks, err := v.ExplainAt(t.Context(), s, moment)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, check := range checks {
				if !check.OK {
					got = append(got, check.Field+" = "+check.Value)
				}
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", row.want) {
				t.Errorf("%q, want %q", got, row.want)
			}
			if _, err := verifyAt(v, s); !errors.Is(err, claims.ErrInvalid) {
				t.Errorf("Verify: %v", err)
			}
			if text := fmt.Sprint(checks); strings.Contains(text, "hush") || strings.Contains(text, "alice") {
				t.Errorf("a value is told: %s", text)
			}
		})
	}
}

// TestExplain_unchecked: what can't be checked is an error, with the checks until then.
func TestExplain_unchecked(t *testing.T) {
	down := errors.New("down")
	v := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: &countingKeys{err: down}}))
	checks, err := v.ExplainAt(t.Context(), tokenOf("HS256", goodPayload), moment)
	if !errors.Is(err, down) || errors.Is(err, claims.ErrInvalid) || len(checks) == 0 {
		t.Errorf("%v, %+v", err, checks)
	}
	if checks, err := new(claims.Verifier[map[string]any]).Explain(t.Context(), "a.b.c"); err == nil || errors.Is(err, claims.ErrInvalid) || checks != nil {
		t.Errorf("a zero Verifier: %v, %+v", err, checks)
	}
}

// TestReasonOfExpired: the line begins once.
func TestReasonOfExpired(t *testing.T) {
	_, err := verifierOf(keyOf("HS256", "")).Verify(t.Context(), tokenOf("HS256", goodPayload))
	if !errors.Is(err, claims.ErrExpired) || strings.Count(err.Error(), claims.ErrInvalid.Error()) != 1 || !strings.HasSuffix(err.Error(), ": none: expired") {
		t.Error(err)
	}
}
