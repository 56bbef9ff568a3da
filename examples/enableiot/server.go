package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
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
func (c Config) dialect() claims.Dialect {
	exp := claims.RFC3339
	if c.MillisecondExpiry {
		exp = claims.Milliseconds
	}
	return claims.Dialect{
		AccessType: "JWT", RefreshType: "rt+jwt", TypeFirst: true, Time: exp, InsecureNoAudience: true,
		Members: []string{"jti", "iss", "sub", "exp", "accounts"},
	}
}

type server struct {
	http.Handler
	config   Config
	users    *users
	tokens   *issuer.Issuer[access]
	holders  *claims.Verifier[access]   // reads access tokens, also expired ones
	renewals *claims.Verifier[struct{}] // reads refresh tokens
	lockout  *lockout.Lockout
}

// New returns the server, or every mistake in c. It answers all that is below
// /v1/api, and starts nothing in the background.
func New(c Config) (http.Handler, error) {
	iot, err := newServer(c)
	if err != nil {
		return nil, err
	}
	return iot, nil
}

func newServer(c Config) (*server, error) {
	c, err := c.settled()
	if err != nil {
		return nil, err
	}
	iot := &server{config: c, users: newUsers(c.Users)}
	iot.config.Users = nil // their passwords
	iot.tokens, err = issuer.New(issuer.Config[access]{
		Issuer: issuerName, Dialect: c.dialect(), Keys: c.Keys, RefreshKeys: c.RefreshKeys, NoKeyID: true, UUIDs: true,
		Store: c.Store, Renew: iot.renew, AccessLife: c.AccessLife, RefreshLife: c.RefreshLife, Logger: c.Logger,
	})
	if err != nil {
		return nil, err
	}
	check := claims.Config{Issuer: issuerName, Dialect: c.dialect(), Keys: iot.tokens.KeySet()}
	verify, err := claims.NewVerifier[access](check)
	if err != nil {
		return nil, err
	}
	check.InsecureAnyTime = true
	if iot.holders, err = claims.NewVerifier[access](check); err != nil {
		return nil, err
	}
	check.Use, check.InsecureAnyTime = claims.Refresh, false
	check.Keys = c.RefreshKeys.KeySet(signing.Window{Hold: c.RefreshLife})
	if iot.renewals, err = claims.NewVerifier[struct{}](check); err != nil {
		return nil, err
	}
	iot.lockout, err = lockout.New(lockout.Config{Name: "login", Tries: 30, Block: 15 * time.Minute, Logger: c.Logger})
	if err != nil {
		return nil, err
	}
	limits, err := ratelimit.NewSet(
		ratelimit.Config{Name: "DefaultRateLimitAuth", Limit: ratelimit.Per(c.AuthLimit, time.Minute), Key: ratelimit.RemoteIP, Quiet: true, Deny: limited, Logger: c.Logger},
		ratelimit.Config{Name: "Hourly", Limit: ratelimit.Per(c.HourlyLimit, time.Hour), Key: userAndRoute, Legacy: "X-Rate-Limit", Deny: limited, Logger: c.Logger},
	)
	if err != nil {
		return nil, err
	}
	iot.Handler = iot.routes(middleware.New(verify, middleware.Config{Deny: deny, Logger: c.Logger}).Require(iot.current), limits)
	return iot, nil
}

// routes puts all but logins and health behind the guard, so that nobody learns
// without a token what there is.
func (s *server) routes(guard *middleware.Guard[access], limits *ratelimit.Set) http.Handler {
	auth, hourly := limits.Handler("DefaultRateLimitAuth"), limits.Handler("Hourly")
	member, admin := guard.Require(s.member), guard.Require(s.admin)
	open, guarded := http.NewServeMux(), http.NewServeMux()
	open.Handle("/v1/api/", guard.Handler(guarded))
	open.HandleFunc("/", notFound)
	open.HandleFunc("GET /v1/api/health", s.health)
	open.Handle("POST /v1/api/auth/token", auth(http.HandlerFunc(s.login)))
	guarded.HandleFunc("/", notFound)
	for pattern, handler := range map[string]http.Handler{
		"GET /v1/api/auth/tokenInfo":                  http.HandlerFunc(s.tokenInfo),
		"GET /v1/api/auth/me":                         http.HandlerFunc(s.me),
		"GET /v1/api/users/{user}":                    http.HandlerFunc(s.user),
		"POST /v1/api/accounts":                       http.HandlerFunc(s.addAccount),
		"GET /v1/api/accounts/{account}":              member.Handler(http.HandlerFunc(s.account)),
		"GET /v1/api/accounts/{account}/users":        admin.Handler(http.HandlerFunc(s.members)),
		"PUT /v1/api/accounts/{account}/users/{user}": admin.Handler(http.HandlerFunc(s.setRole)),
		"GET /v1/api/accounts/{account}/invites":      admin.Handler(http.HandlerFunc(s.invites)),
		"POST /v1/api/accounts/{account}/invites":     admin.Handler(http.HandlerFunc(s.addInvite)),
		"GET /v1/api/invites/{email}":                 http.HandlerFunc(s.myInvites),
		"PUT /v1/api/invites/{invite}/status":         http.HandlerFunc(s.answerInvite),
	} {
		guarded.Handle(pattern, hourly(handler))
	}
	if s.config.RefreshTokens {
		guarded.Handle("POST /v1/api/auth/refresh", hourly(http.HandlerFunc(s.startRefresh)))
		open.Handle("PUT /v1/api/auth/refresh", auth(http.HandlerFunc(s.refresh)))
		open.Handle("DELETE /v1/api/auth/refresh/revoke", auth(http.HandlerFunc(s.revoke)))
	}
	return anyOrigin(oneSlashLess(open))
}

// oneSlashLess takes a path with a slash at its end for the one without, as the
// original does: one of its own pages asks so.
func oneSlashLess(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if below, is := strings.CutPrefix(r.URL.Path, "/v1/api/"); is && len(below) > 1 && strings.HasSuffix(below, "/") {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = strings.TrimSuffix(r.URL.Path, "/"), strings.TrimSuffix(r.URL.RawPath, "/")
		}
		next.ServeHTTP(w, r)
	})
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

// renew reads the user again at every refresh.
func (s *server) renew(_ context.Context, c *claims.Claims[access]) error {
	u, known := s.users.byID(c.Subject)
	if !known || u.locked {
		return issuer.ErrRefused
	}
	c.App = access{u.accounts}
	return nil
}

// failed answers what is not about what the caller sent.
func (s *server) failed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, issuer.ErrGrant) {
		refuse(w, http.StatusUnauthorized)
		return
	}
	cmp.Or(s.config.Logger, slog.Default()).ErrorContext(r.Context(), "enableiot: request could not be answered", "path", r.URL.Path, "error", err)
	refuse(w, http.StatusServiceUnavailable)
}
