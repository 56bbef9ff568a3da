package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// ResourceConfig is what a second server is made of: one that lets in whom the
// tokens of the first name, and knows of it no more than its public keys.
type ResourceConfig struct {
	// Keys verify: such as jwks.NewFiles follows, or claims.ParsePEM reads once.
	Keys claims.KeySet
	// Parties are the kinds of account that see buildings. At least one is needed.
	Parties []claims.Party
	// PartyMember is the token's member that holds the party type, "partyType" if
	// empty.
	PartyMember string
	// Logger hears of requests that can't be answered; slog.Default() if nil.
	Logger *slog.Logger
}

// NewResource returns the second server, or every mistake in c. It answers
// GET /api/whoami for every account, and GET /api/buildings for some kinds.
//
// It learns of a session that has ended only when the access token expires.
func NewResource(c ResourceConfig) (http.Handler, error) {
	var mistakes []error
	if len(c.Parties) == 0 || slices.ContainsFunc(c.Parties, func(p claims.Party) bool { return !isParty(p) }) {
		mistakes = append(mistakes, fmt.Errorf("%s: party types are needed, and nothing else: %q", "Parties", c.Parties))
	}
	verify, err := claims.NewVerifier[struct{}](claims.Config{
		Issuer: issuerName, Audience: []string{audience}, Dialect: dialect(cmp.Or(c.PartyMember, "partyType")), Keys: c.Keys,
	})
	if err := errors.Join(append(mistakes, err)...); err != nil {
		return nil, err
	}
	guard := middleware.New(verify, middleware.Config{Logger: c.Logger})
	mux := http.NewServeMux()
	mux.Handle("GET /api/whoami", guard.Handler(http.HandlerFunc(whoAmI)))
	mux.Handle("GET /api/buildings", guard.Only(c.Parties[0], c.Parties[1:]...).Handler(http.HandlerFunc(buildings)))
	return inOneForm(mux), nil
}

func whoAmI(w http.ResponseWriter, r *http.Request) {
	c := claims.MustFromContext[struct{}](r.Context())
	who, err := subjectOf(c.Subject)
	if err != nil {
		problem(w, http.StatusForbidden, "")
		return
	}
	ok(w, struct {
		subject
		Party int `json:"partyType"`
	}{who, number(c.Party)})
}

// buildings stands in for what a property management system is about: each
// company has one.
func buildings(w http.ResponseWriter, r *http.Request) {
	who, err := subjectOf(claims.MustFromContext[struct{}](r.Context()).Subject)
	if err != nil {
		problem(w, http.StatusForbidden, "")
		return
	}
	type building struct {
		ID      int `json:"id"`
		Company int `json:"companyId"`
	}
	ok(w, []building{{100 + who.Company, who.Company}})
}
