package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-go/gatehouse/claims"
)

// Only returns a copy of g that admits only callers of the parties given, and
// answers 403 to others. Parties are compared exactly; a token without a party
// never passes. Only of Only admits what both admit: a guard can't be widened.
//
// A party is a word of the issuer that wrote it. Behind verifiers that are joined, add
// [Guard.From].
//
// The empty Party is a mistake: a guard that was given it admits nobody.
func (g *Guard[T]) Only(party claims.Party, more ...claims.Party) *Guard[T] {
	admitted := append([]claims.Party{party}, more...)
	if slices.Contains(admitted, "") {
		return g.spoiled(errors.New("middleware: Only: a party is empty"))
	}
	return g.narrowed(func(_ *http.Request, c *claims.Claims[T]) error {
		if !slices.Contains(admitted, c.Party) {
			return fmt.Errorf("%w: party %.64q", ErrForbidden, c.Party)
		}
		return nil
	})
}

// From returns a copy of g that admits only callers whose tokens are from one of the
// issuers given, and answers 403 to others. Issuers are compared exactly.
//
// Behind verifiers that are joined it tells apart what two issuers call by one name. A
// partner's "Admin" is not ours, and neither are its scopes and subjects:
//
//	guard.From("https://id.example").Only(Admin)
//
// The empty name is a mistake: a guard that was given it admits nobody.
func (g *Guard[T]) From(issuer string, more ...string) *Guard[T] {
	admitted := append([]string{issuer}, more...)
	if slices.Contains(admitted, "") {
		return g.spoiled(errors.New("middleware: From: an issuer is empty"))
	}
	return g.narrowed(func(_ *http.Request, c *claims.Claims[T]) error {
		if !slices.Contains(admitted, c.Issuer) {
			return fmt.Errorf("%w: issuer %.64q", ErrForbidden, c.Issuer)
		}
		return nil
	})
}

// Scope returns a copy of g that admits only callers whose token has all the
// scopes given, and answers 403 with their names to others (RFC 6750 §3.1).
// Scopes are compared exactly.
//
// No scope at all, or one that is not a scope-token of RFC 6749 §3.3, is a mistake:
// a guard that was given it admits nobody.
func (g *Guard[T]) Scope(scopes ...string) *Guard[T] {
	needed := slices.Clone(scopes)
	if len(needed) == 0 {
		return g.spoiled(errors.New("middleware: Scope: no scope is given"))
	}
	for _, s := range needed {
		if !isScope(s) {
			return g.spoiled(fmt.Errorf("middleware: Scope: %.64q is not a scope (RFC 6749 §3.3)", s))
		}
	}
	narrowed := g.narrowed(func(_ *http.Request, c *claims.Claims[T]) error {
		for _, s := range needed {
			if !slices.Contains(c.Scope, s) {
				return fmt.Errorf("%w: the token lacks scope %.64q", ErrForbidden, s)
			}
		}
		return nil
	})
	// The challenge names what all narrowings ask for, each scope once.
	for _, s := range needed {
		if !slices.Contains(narrowed.scope, s) {
			narrowed.scope = append(narrowed.scope, s)
		}
	}
	return narrowed
}

// isScope reports whether s is a scope-token: 1*( %x21 / %x23-5B / %x5D-7E ).
func isScope(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '\\'
	})
}

// Require returns a copy of g that admits only callers for whom admit returns
// nil: for what is only known at run time, such as whether the token's company
// owns the building in the path. It is called after everything that g checks,
// for good tokens only, and by many goroutines at once. It gets a copy of the
// claims: what it changes there has no effect.
//
// What admit returns decides the answer: an error that matches [ErrForbidden] is
// 403, one that matches [claims.ErrInvalid] 401. Every other error, such as that
// of a database, says nothing about the caller and is 503. So is one that matches
// ErrUnavailable, [context.Canceled] or [context.DeadlineExceeded], whatever
// else it matches. If admit panics, the answer is 500.
//
// A nil admit is a mistake: a guard that was given it admits nobody.
func (g *Guard[T]) Require(admit func(*http.Request, *claims.Claims[T]) error) *Guard[T] {
	if admit == nil {
		return g.spoiled(errors.New("middleware: Require: the function is nil"))
	}
	return g.narrowed(func(r *http.Request, c *claims.Claims[T]) error {
		own := c.Clone()
		return admit(r, &own)
	})
}

// narrowed returns a copy of g with one check more.
func (g *Guard[T]) narrowed(c check[T]) *Guard[T] {
	n := g.copied()
	n.checks = append(n.checks, c)
	return n
}
