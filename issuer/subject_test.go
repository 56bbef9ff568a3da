package issuer_test

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
)

func TestObjectSubjects(t *testing.T) {
	const one = `{"accountId":2,"companyId":-30,"tags":["a<b",{"x":null,"y":true}]}`
	dialect := claims.Dialect{ObjectSubject: true}
	for _, spelling := range []string{
		one,
		`{"tags":["a<b",{"y":true,"x":null}],"companyId":-30,"accountId":2}`,
		" { \"accountId\" : 2 ,\n\"companyId\":-30,\t\"tags\":[ \"a<b\", {\"x\":null,\"y\":true} ] } ",
		`{"account\u0049d":2,"companyId":-30,"tags":["\u0061\u003cb",{"x":null,"y":true}]}`,
	} {
		tokens := newIssuer(t, issuer.Config[account]{Dialect: dialect})
		pair := issue(t, tokens, spelling)
		if c, err := verifier(t, tokens, dialect).Verify(t.Context(), pair.AccessToken); err != nil || c.Subject != one {
			t.Errorf("issued to %s: %+v, %v", spelling, c, err)
		}
		for _, other := range []string{one, spelling} {
			if live, err := tokens.Sessions(t.Context(), other); err != nil || len(live) != 1 {
				t.Errorf("issued to %s, listed for %s: %v, %v", spelling, other, live, err)
			}
		}
		pair = refresh(t, tokens, pair.RefreshToken)

		again := issue(t, tokens, one)
		if err := tokens.RevokeSession(t.Context(), spelling, again.Session); err != nil {
			t.Error(err)
		}
		refused(t, tokens, again.RefreshToken, issuer.ErrGrant)
		again = issue(t, tokens, one)
		if err := tokens.RevokeAll(t.Context(), spelling); err != nil {
			t.Error(err)
		}
		refused(t, tokens, pair.RefreshToken, issuer.ErrGrant)
		refused(t, tokens, again.RefreshToken, issuer.ErrGrant)
	}
}

// TestObjectSubjectsThatCouldBeTwo are refused wherever they are given: to find
// no sessions would pass for having ended them.
func TestObjectSubjectsThatCouldBeTwo(t *testing.T) {
	tokens := newIssuer(t, issuer.Config[account]{Dialect: claims.Dialect{ObjectSubject: true}})
	for _, subject := range []string{
		``, `alice`, `"alice"`, `2`, `[]`, `null`, `{}`, ` {} `, `{"a":1}{"a":1}`, `{"a":1`, `{"a":1,}`,
		`{"a":2.0}`, `{"a":2e0}`, `{"a":2E0}`, `{"a":-0}`, `{"a":0.1}`, `{"a":[{"b":1e2}]}`,
		`{"a":1,"a":1}`, `{"a":1,"\u0061":2}`, `{"a":{"b":1,"b":2}}`,
		`{"a":"\ud800"}`, `{"\udfff":1}`, "{\"a\":\"\xff\"}", "{\"\xff\":1}", "{\"a\":1\xff}", "\xff{\"a\":1}", "{\"a\":1}\xff",
	} {
		if pair, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: subject}); err == nil || pair != (issuer.Pair{}) {
			t.Errorf("issued to %q: %v, %v", subject, pair, err)
		}
		if err := tokens.RevokeAll(t.Context(), subject); err == nil {
			t.Errorf("all of %q are revoked", subject)
		}
		if err := tokens.Outdate(t.Context(), subject); err == nil {
			t.Errorf("all of %q are outdated", subject)
		}
		if _, err := tokens.Sessions(t.Context(), subject); err == nil {
			t.Errorf("sessions of %q are listed", subject)
		}
		if err := tokens.RevokeSession(t.Context(), subject, "AAAAAAAAAAAAAAAAAAAAAA"); err == nil {
			t.Errorf("a session of %q is revoked", subject)
		}
	}
}
