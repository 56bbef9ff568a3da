package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/middleware"
)

// FuzzAuthorization (BE-28) compares the guard with a regular expression that
// was written from RFC 6750 §2.1 alone: a field is taken for a token exactly if
// the expression matches, and for the same token. With a real verifier, only
// what looks like a JWT gets in. Two runs give the same answer, and so does a
// wrapper of the verifier, of which the guard does not know what it refuses.
func FuzzAuthorization(f *testing.F) {
	good := token(f, goodHeader, goodPayload(""))
	for _, field := range []string{
		"", "Bearer", "Bearer ", "Bearer  x", "bearer x", "BEARER x=", "Bearer x y", "Bearer x,", "Bearer\tx", "Bearer =", "Bearer x=y",
		"Bearer \u00a0x", "Bearer x\ufeff", "\u212aearer x", "Bearer x\x00", "Basic dTpw", "Bearerx", "Bearer \"x\"", "Bearer %2E",
		"Bearer " + good, "bEaReR   " + good, "Bearer " + good + "=", "Bearer " + good + " ", "Bearer " + good + ", Bearer " + good,
		"Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UifQ.", "Bearer " + strings.Repeat(".", 100), "Bearer a-._~+/b==",
	} {
		f.Add(field)
	}
	strict := regexp.MustCompile(`^[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9\-._~+/]+=*)$`)
	likeJWT := regexp.MustCompile(`^[Bb][Ee][Aa][Rr][Ee][Rr] +[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)
	var seen string
	shape := middleware.New(verifyFunc(func(_ context.Context, token string) (*caller, error) {
		seen = token
		return people["token-a"], nil
	}), middleware.Config{Logger: quiet})
	verifier := realVerifier(f)
	real := middleware.New(verifier, middleware.Config{Logger: quiet})
	wrapped := middleware.New(verifyFunc(verifier.Verify), middleware.Config{Logger: quiet})
	f.Fuzz(func(t *testing.T, field string) {
		seen = ""
		_, err := shape.Check(bearer(field))
		m := strict.FindStringSubmatch(field)
		if (err == nil) != (m != nil) || m != nil && seen != m[1] {
			t.Errorf("%q: token %q, %v, want %q", field, seen, err, m)
		}
		if status := middleware.Status(err); err != nil && status != 400 && status != 401 {
			t.Errorf("%q: status %d", field, status)
		}
		c, err := real.Check(bearer(field))
		if err == nil && (!likeJWT.MatchString(field) || c.Subject != "u1") {
			t.Errorf("%q is admitted as %q", field, c.Subject)
		}
		if _, again := real.Check(bearer(field)); fmt.Sprint(again) != fmt.Sprint(err) || (errors.Is(err, middleware.ErrMissing) != errors.Is(again, middleware.ErrMissing)) {
			t.Errorf("%q: first %v, then %v", field, err, again)
		}
		answer := func(g *middleware.Guard[account]) string {
			w := serve(g.Handler(new(room)), bearer(field))
			return fmt.Sprint(w.Code, w.Header(), w.Body)
		}
		first := answer(real)
		if then := answer(real); first != then {
			t.Errorf("%q: first %s, then %s", field, first, then)
		}
		if other := answer(wrapped); first != other {
			t.Errorf("%q: %s, but with the verifier wrapped %s", field, first, other)
		}
	})
}
