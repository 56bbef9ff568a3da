package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

const issuerName = "http://enableiot.com"

// dialect is how the system writes tokens. Nothing says for whom they are.
func dialect(exp claims.TimeFormat) claims.Dialect {
	return claims.Dialect{
		AccessType: "JWT", RefreshType: "rt+jwt", TypeFirst: true, Time: exp, InsecureNoAudience: true,
		Members: []string{"jti", "iss", "sub", "exp", "accounts"},
	}
}

type server struct {
	http.Handler
	settings settings
	users    *users
	tokens   *issuer.Issuer[access]
	holders  *claims.Verifier[access]   // reads access tokens, also expired ones
	renewals *claims.Verifier[struct{}] // reads refresh tokens
	lockout  *lockout.Lockout
}

func newServer(s settings) (*server, error) {
	users, err := newUsers(s)
	if err != nil {
		return nil, err
	}
	iot := &server{settings: s, users: users}

	// A real server loads its keys, and keeps sessions in a store that
	// outlives it.
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	key, err := signing.NewKey("RS256", private, time.Time{})
	if err != nil {
		return nil, err
	}
	keys, err := signing.NewSchedule(key)
	if err != nil {
		return nil, err
	}
	if !s.refreshable { // nobody gets a refresh token, so no session need outlive its access token
		s.refresh = s.access
	}
	s.access = min(s.access, s.refresh)
	iot.tokens, err = issuer.New(issuer.Config[access]{
		Issuer: issuerName, Dialect: dialect(s.time), Keys: keys, NoKeyID: true, UUIDs: true,
		Store: issuer.NewMemoryStore(), Renew: iot.renew, AccessLife: s.access, RefreshLife: s.refresh, Logger: s.logger,
	})
	if err != nil {
		return nil, err
	}
	check := claims.Config{Issuer: issuerName, Dialect: dialect(s.time), Keys: iot.tokens.KeySet()}
	verify, err := claims.NewVerifier[access](check)
	if err != nil {
		return nil, err
	}
	check.InsecureAnyTime = true
	if iot.holders, err = claims.NewVerifier[access](check); err != nil {
		return nil, err
	}
	check.Use, check.InsecureAnyTime = claims.Refresh, false
	if iot.renewals, err = claims.NewVerifier[struct{}](check); err != nil {
		return nil, err
	}
	iot.lockout, err = lockout.New(lockout.Config{Name: "login", Tries: 30, Block: 15 * time.Minute, Logger: s.logger})
	if err != nil {
		return nil, err
	}
	limits, err := ratelimit.NewSet(
		ratelimit.Config{Name: "DefaultRateLimitAuth", Limit: ratelimit.Per(s.authLimit, time.Minute), Key: ratelimit.RemoteIP, Quiet: true, Deny: limited, Logger: s.logger},
		ratelimit.Config{Name: "Hourly", Limit: ratelimit.Per(s.hourlyLimit, time.Hour), Key: userAndRoute, Legacy: "X-Rate-Limit", Deny: limited, Logger: s.logger},
	)
	if err != nil {
		return nil, err
	}
	iot.Handler = iot.routes(middleware.New(verify, middleware.Config{Deny: deny, Logger: s.logger}).Require(iot.current), limits)
	return iot, nil
}

// routes puts all but logins behind the guard, so that nobody learns without a
// token what there is.
func (s *server) routes(guard *middleware.Guard[access], limits *ratelimit.Set) http.Handler {
	auth, hourly := limits.Handler("DefaultRateLimitAuth"), limits.Handler("Hourly")
	open, guarded := http.NewServeMux(), http.NewServeMux()
	open.Handle("/v1/api/", guard.Handler(guarded))
	open.HandleFunc("/", notFound)
	open.Handle("POST /v1/api/auth/token", auth(http.HandlerFunc(s.login)))
	guarded.HandleFunc("/", notFound)
	guarded.Handle("GET /v1/api/auth/tokenInfo", hourly(http.HandlerFunc(s.tokenInfo)))
	guarded.Handle("GET /v1/api/auth/me", hourly(http.HandlerFunc(s.me)))
	guarded.Handle("POST /v1/api/accounts", hourly(http.HandlerFunc(s.addAccount)))
	guarded.Handle("GET /v1/api/accounts/{account}", hourly(guard.Require(s.member).Handler(http.HandlerFunc(s.account))))
	if s.settings.refreshable {
		guarded.Handle("POST /v1/api/auth/refresh", hourly(http.HandlerFunc(s.startRefresh)))
		open.Handle("PUT /v1/api/auth/refresh", auth(http.HandlerFunc(s.refresh)))
		open.Handle("DELETE /v1/api/auth/refresh/revoke", auth(http.HandlerFunc(s.revoke)))
	}
	return open
}

// userAndRoute is whose bucket a request is charged to: the limit is for each
// user and each route.
func userAndRoute(r *http.Request) (string, error) {
	caller := claims.MustFromContext[access](r.Context())
	return caller.Subject + " " + r.Pattern, nil
}

// current refuses the tokens of users who are gone or locked.
func (s *server) current(_ *http.Request, c *claims.Claims[access]) error {
	if u, known := s.users.byID(c.Subject); !known || u.locked {
		return fmt.Errorf("%w: its user is gone or locked", claims.ErrInvalid)
	}
	return nil
}

// member admits to an account whom his token makes a member, if he still is one:
// what is granted counts from the next token on, what is taken away at once.
func (s *server) member(r *http.Request, c *claims.Claims[access]) error {
	is := func(m membership) bool { return m.ID == r.PathValue("account") }
	u, _ := s.users.byID(c.Subject)
	if !slices.ContainsFunc(c.App.Accounts, is) || !slices.ContainsFunc(u.accounts, is) {
		return middleware.ErrForbidden
	}
	return nil
}

// renew reads the user again at every refresh.
func (s *server) renew(_ context.Context, c *claims.Claims[access]) error {
	u, known := s.users.byID(c.Subject)
	if !known || u.locked {
		return issuer.ErrRefused
	}
	c.App = access{u.accounts}
	return nil
}

// tokenInfo says what the caller's token says.
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
	var exp any = c.Expiry.UnixMilli()
	if s.settings.time == claims.RFC3339 {
		exp = c.Expiry.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	answer(w, http.StatusOK, struct {
		Header  header  `json:"header"`
		Payload payload `json:"payload"`
	}{header{"JWT", "RS256"}, payload{c.ID, c.Issuer, c.Subject, exp, c.App.Accounts}})
}

func (s *server) me(w http.ResponseWriter, r *http.Request) {
	c := claims.MustFromContext[access](r.Context())
	u, _ := s.users.byID(c.Subject)
	answer(w, http.StatusOK, struct {
		ID       string `json:"id"`
		Created  int64  `json:"created"`
		Email    string `json:"email"`
		Terms    bool   `json:"termsAndConditions"`
		Updated  int64  `json:"updated"`
		Verified bool   `json:"verified"`
	}{u.id, u.created.UnixMilli(), u.email, true, u.updated.UnixMilli(), true})
}

// addAccount makes the caller admin of a new account. To use it, he needs a new
// token.
func (s *server) addAccount(w http.ResponseWriter, r *http.Request) {
	in, status := readBody(w, r)
	name := in.text("name")
	if status == 0 && (name == "" || len(name) > 100) {
		status = http.StatusBadRequest
	}
	if status != 0 {
		refuse(w, status)
		return
	}
	c := claims.MustFromContext[access](r.Context())
	created, full := membership{randomID(), name, "admin"}, false
	s.users.change(c.Subject, func(u *user) {
		if full = len(u.accounts) >= 20; !full { // they must fit into a token
			u.accounts, u.updated = append(u.accounts, created), time.Now()
		}
	})
	if full {
		refuse(w, http.StatusConflict)
		return
	}
	answer(w, http.StatusCreated, map[string]string{"id": created.ID, "name": created.Name})
}

func (s *server) account(w http.ResponseWriter, r *http.Request) {
	c := claims.MustFromContext[access](r.Context())
	i := slices.IndexFunc(c.App.Accounts, func(m membership) bool { return m.ID == r.PathValue("account") })
	answer(w, http.StatusOK, map[string]string{"id": c.App.Accounts[i].ID, "name": c.App.Accounts[i].Name})
}

// failed answers what is not about what the caller sent.
func (s *server) failed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, issuer.ErrGrant) {
		refuse(w, http.StatusUnauthorized)
		return
	}
	s.settings.logger.ErrorContext(r.Context(), "request could not be answered", "path", r.URL.Path, "error", err)
	refuse(w, http.StatusServiceUnavailable)
}
