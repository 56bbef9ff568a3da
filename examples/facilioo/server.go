package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/recovery"
	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

const (
	issuerName = "dev-api.facilioo.de"
	audience   = "dev-app.facilioo.de"
)

// dialect is how the system writes tokens. The original's have no jti; one more
// member breaks no client.
func dialect(partyMember string) claims.Dialect {
	return claims.Dialect{
		AccessType: "JWT", RefreshType: "rt+jwt", ObjectSubject: true, PartyMember: partyMember, NumericParty: true,
		Members: []string{"nbf", "exp", "iss", "aud", "sub", partyMember, "jti"},
	}
}

type server struct {
	http.Handler
	config   Config
	accounts *accounts
	tokens   *issuer.Issuer[struct{}]
	codes    *recovery.Recovery // for lost passwords
	second   *recovery.Recovery // for second factors
}

// New returns the server, or every mistake in c. It answers all that is below
// /api, and starts nothing in the background.
func New(c Config) (http.Handler, error) {
	app, err := newServer(c)
	if err != nil {
		return nil, err
	}
	return app, nil
}

func newServer(c Config) (*server, error) {
	c, err := c.settled()
	if err != nil {
		return nil, err
	}
	app := &server{config: c, accounts: newAccounts(c.Accounts)}
	c.Accounts, app.config.Accounts = nil, nil // their passwords
	app.tokens, err = issuer.New(issuer.Config[struct{}]{
		Issuer: issuerName, Audience: []string{audience}, Dialect: dialect(c.PartyMember), Keys: c.Keys, RefreshKeys: c.RefreshKeys, Lead: c.Lead, NoKeyID: true,
		Store: c.Store, Renew: app.renew, AccessLife: c.AccessLife, RefreshLife: c.RefreshLife, Logger: c.Logger,
	})
	if err != nil {
		return nil, err
	}
	if app.codes, err = newCodes("recovery", c); err != nil {
		return nil, err
	}
	if app.second, err = newCodes("second-factor", c); err != nil {
		return nil, err
	}
	verify, err := claims.NewVerifier[struct{}](claims.Config{
		Issuer: issuerName, Audience: []string{audience}, Dialect: dialect(c.PartyMember), Keys: app.tokens.KeySet(),
	})
	if err != nil {
		return nil, err
	}
	// A new password ends sessions, and access tokens of them stop at once.
	live, err := issuer.NewSessionVerifier(issuer.SessionVerifierConfig[struct{}]{Verifier: verify, Store: c.Store})
	if err != nil {
		return nil, err
	}
	limits, err := ratelimit.NewSet(ratelimit.Config{
		Name: "DefaultRateLimitAuth", Limit: ratelimit.Per(c.AuthLimit, time.Minute),
		Key: ratelimit.RemoteIP, Quiet: true, Logger: c.Logger,
	})
	if err != nil {
		return nil, err
	}
	app.Handler = app.routes(middleware.New(live, middleware.Config{Logger: c.Logger}), limits.Handler("DefaultRateLimitAuth"))
	return app, nil
}

func (s *server) routes(guard *middleware.Guard[struct{}], auth func(http.Handler) http.Handler) http.Handler {
	managers := guard.Only(Admin, PropertyManagementCompany)
	mux := http.NewServeMux()
	for pattern, handler := range map[string]http.Handler{
		"POST /api/auth/login":                             auth(http.HandlerFunc(s.login)),
		"POST /api/auth/refresh":                           auth(http.HandlerFunc(s.refresh)),
		"POST /api/auth/recover-password":                  auth(http.HandlerFunc(s.recoverPassword)),
		"PUT /api/auth/change-password-with-recovery-code": auth(http.HandlerFunc(s.changePassword)),
		"GET /api/auth/keys.pem":                           http.HandlerFunc(s.publicPEM),
		"GET /api/auth/jwks.json":                          s.tokens.JWKS(),
		"POST /api/account/unblock-recovery-code":          managers.Handler(http.HandlerFunc(s.unblock)),
		"GET /api/accounts/myself":                         guard.Handler(http.HandlerFunc(s.myself)),
		"GET /api/accounts":                                managers.Handler(http.HandlerFunc(s.list)),
	} {
		mux.Handle(pattern, handler)
	}
	return withOrigins(s.config.Origins, inOneForm(mux))
}

// newCodes returns six-digit codes that five wrong guesses block for 24 hours.
// The blocks outlive the process where the sessions do. Strangers write records
// there, for each address that they ask or guess for: the limit in front of
// /api/auth bounds them.
func newCodes(name string, c Config) (*recovery.Recovery, error) {
	guesses, err := recovery.NewLog(c.Store)
	if err != nil {
		return nil, err
	}
	blocks, err := lockout.New(lockout.Config{Name: name, Store: guesses, Tries: 5, Block: 24 * time.Hour, Logger: c.Logger})
	if err != nil {
		return nil, err
	}
	return recovery.New(recovery.Config{
		Store: c.Store, Lockout: blocks, Secret: func() []byte { return append([]byte(name), c.Secret...) }, Logger: c.Logger,
		Codes: c.MailLimit, Alphabet: "0123456789", Length: 6, InsecureShortCodes: true, // the wire's
	})
}

// renew reads the account again at every refresh.
func (s *server) renew(_ context.Context, c *claims.Claims[struct{}]) error {
	sub, err := subjectOf(c.Subject)
	found, ok := s.accounts.of(sub)
	if err != nil || !ok {
		return issuer.ErrRefused
	}
	c.Party = found.party
	return nil
}

// caller is the account of whom the guard let in.
func (s *server) caller(r *http.Request) (account, bool) {
	c := claims.MustFromContext[struct{}](r.Context())
	sub, err := subjectOf(c.Subject)
	found, ok := s.accounts.of(sub)
	return found, ok && err == nil
}

// item is an account as the API shows it.
type item struct {
	ID      int    `json:"id"`
	Email   string `json:"email"`
	Party   int    `json:"partyType"`
	Company int    `json:"companyId"`
}

func itemOf(a account) item {
	return item{a.Account, a.email, number(a.party), a.Company}
}

func (s *server) myself(w http.ResponseWriter, r *http.Request) {
	me, found := s.caller(r)
	if !found {
		problem(w, http.StatusNotFound, "")
		return
	}
	ok(w, itemOf(me))
}

// page is one page of a list.
type page struct {
	Items    []item `json:"items"`
	Number   int    `json:"pageNumber"`
	Size     int    `json:"pageSize"`
	Pages    int    `json:"totalPages"`
	Count    int    `json:"totalCount"`
	Previous bool   `json:"hasPreviousPage"`
	Next     bool   `json:"hasNextPage"`
}

// list shows the accounts of the caller's company.
func (s *server) list(w http.ResponseWriter, r *http.Request) {
	number, err1 := strconv.Atoi(cmp.Or(r.URL.Query().Get("PageNumber"), "1"))
	size, err2 := strconv.Atoi(cmp.Or(r.URL.Query().Get("PageSize"), "20"))
	if errors.Join(err1, err2) != nil || number < 1 || number > 1_000_000 || size < 1 || size > 100 {
		problem(w, http.StatusBadRequest, "PageNumber must be 1 or more, PageSize from 1 to 100.")
		return
	}
	me, _ := s.caller(r)
	all := s.accounts.company(me.Company)
	p := page{Items: []item{}, Number: number, Size: size, Count: len(all), Pages: (len(all) + size - 1) / size}
	p.Previous, p.Next = number > 1, number < p.Pages
	for i := (number - 1) * size; i < min(number*size, len(all)); i++ {
		p.Items = append(p.Items, itemOf(all[i]))
	}
	ok(w, p)
}
