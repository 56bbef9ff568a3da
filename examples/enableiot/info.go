package main

import (
	"net/http"

	"github.com/gatehouse-go/gatehouse/claims"
)

// health is public: programs ask it before they log in. It says that the server
// answers, and nothing of what it is made of.
func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, struct {
		Kind     string   `json:"kind"`
		Healthy  bool     `json:"isHealthy"`
		Setting  string   `json:"currentSetting"`
		Name     string   `json:"name"`
		Build    string   `json:"build"`
		Revision string   `json:"revision"`
		Date     string   `json:"date"`
		Items    []string `json:"items"`
	}{"healthcheck", true, "", "enableiot", "0.0.0", "unknown", "", []string{}})
}

// tokenInfo says what the caller's token says, and which accounts its user has
// now. If those differ from the token's, it is time for a new token.
func (s *server) tokenInfo(w http.ResponseWriter, r *http.Request) {
	type header struct {
		Type      string `json:"typ"`
		Algorithm string `json:"alg"`
	}
	type payload struct {
		ID       string       `json:"jti"`
		Issuer   string       `json:"iss"`
		Subject  string       `json:"sub"`
		Expiry   any          `json:"exp"`
		Accounts []membership `json:"accounts"`
	}
	c := claims.MustFromContext[access](r.Context())
	var exp any = c.Expiry.UTC().Format("2006-01-02T15:04:05.000Z")
	if s.config.MillisecondExpiry {
		exp = c.Expiry.UnixMilli()
	}
	u, _ := s.users.byID(c.Subject)
	answer(w, http.StatusOK, struct {
		Header  header  `json:"header"`
		Payload payload `json:"payload"`
	}{header{"JWT", "RS256"}, payload{c.ID, c.Issuer, c.Subject, exp, u.accounts}})
}

// profile is a user as the API shows one.
type profile struct {
	ID       string `json:"id"`
	Created  int64  `json:"created"`
	Email    string `json:"email"`
	Terms    bool   `json:"termsAndConditions"`
	Updated  int64  `json:"updated"`
	Verified bool   `json:"verified"`
}

func profileOf(u user) profile {
	return profile{u.id, u.created.UnixMilli(), u.email, true, u.updated.UnixMilli(), true}
}

func (s *server) me(w http.ResponseWriter, r *http.Request) {
	u, _ := s.users.byID(claims.MustFromContext[access](r.Context()).Subject)
	answer(w, http.StatusOK, profileOf(u))
}

// user shows a user with accounts. Nobody sees another than oneself.
func (s *server) user(w http.ResponseWriter, r *http.Request) {
	u, _ := s.users.byID(claims.MustFromContext[access](r.Context()).Subject)
	if r.PathValue("user") != u.id {
		refuse(w, http.StatusForbidden)
		return
	}
	type named struct {
		Name string `json:"name"`
		Role string `json:"role"`
	}
	accounts := map[string]named{}
	for _, m := range u.accounts {
		accounts[m.ID] = named{m.Name, m.Role}
	}
	answer(w, http.StatusOK, struct {
		profile
		Accounts   map[string]named  `json:"accounts"`
		Attributes map[string]string `json:"attributes"`
	}{profileOf(u), accounts, map[string]string{}})
}
