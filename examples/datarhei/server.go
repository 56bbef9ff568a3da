package main

import (
	"cmp"
	"crypto/rand"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

const issuerName = "datarhei-core"

// dialect is how the system writes tokens. usefor tells access from refresh.
var dialect = claims.Dialect{
	AccessType: "JWT", RefreshType: "JWT", UseMember: "usefor", LifetimeMember: "exi", InsecureNoAudience: true,
	Members: []string{"exi", "exp", "iat", "iss", "jti", "sub", "usefor"},
}

type server struct {
	config  Config
	id      string
	started time.Time
	tokens  *issuer.Issuer[struct{}]
	guard   *middleware.Guard[struct{}]
	tenant  *tenantVerifier // nil if there is none
}

// New returns the server, or every mistake in c. It answers /api and all that is
// below, and starts nothing in the background.
func New(c Config) (http.Handler, error) {
	c, err := c.settled()
	if err != nil {
		return nil, err
	}
	core := &server{config: c, id: uuid(), started: time.Now()}

	// A real server loads its secret, and keeps sessions in a store that
	// outlives it.
	secret := make([]byte, 32)
	rand.Read(secret)
	key, err := signing.NewSecret("HS256", "", secret, time.Time{})
	if err != nil {
		return nil, err
	}
	keys, err := signing.NewSchedule(key)
	if err != nil {
		return nil, err
	}
	core.tokens, err = issuer.New(issuer.Config[struct{}]{
		Issuer: issuerName, Dialect: dialect, Keys: keys, RefreshKeys: signing.NewEphemeral(), NoKeyID: true, UUIDs: true,
		Store: issuer.NewMemoryStore(), AccessLife: c.AccessLife, RefreshLife: c.RefreshLife, Logger: c.Logger,
	})
	if err != nil {
		return nil, err
	}
	verify, err := claims.NewVerifier[struct{}](claims.Config{Issuer: issuerName, Dialect: dialect, Keys: core.tokens.KeySet()})
	if err != nil {
		return nil, err
	}
	core.guard = middleware.New(verify, middleware.Config{Deny: deny, Logger: c.Logger})
	limits, err := ratelimit.NewSet(ratelimit.Config{
		Name: "DefaultRateLimitAuth", Limit: ratelimit.Per(c.AuthLimit, time.Minute),
		Key: ratelimit.RemoteIP, Quiet: true, Deny: limited, Logger: c.Logger,
	})
	if err != nil {
		return nil, err
	}
	if c.Auth0.configured() {
		if core.tenant, err = c.Auth0.verifier(); err != nil {
			return nil, err
		}
	}
	return core.routes(limits.Handler("DefaultRateLimitAuth")), nil
}

// routes puts all below /api behind the guard but for logins and the greeting:
// what there is, and by which methods, is for those who have come in.
func (s *server) routes(auth func(http.Handler) http.Handler) http.Handler {
	open, guarded := http.NewServeMux(), http.NewServeMux()
	open.Handle("/api", s.guard.Handler(guarded))
	open.Handle("/api/", s.guard.Handler(guarded))
	open.HandleFunc("GET /api", s.greet)
	open.HandleFunc("GET /api/{$}", s.greet)
	open.Handle("POST /api/login", auth(http.HandlerFunc(s.login)))
	open.Handle("GET /api/login/refresh", auth(http.HandlerFunc(s.refresh)))

	guarded.HandleFunc("/", notFound)
	guarded.HandleFunc("/api", only("GET, HEAD"))
	guarded.HandleFunc("/api/{$}", only("GET, HEAD"))
	guarded.HandleFunc("/api/login", only("POST"))
	guarded.HandleFunc("/api/login/refresh", only("GET, HEAD"))
	guarded.HandleFunc("/api/v3/log", only("GET, HEAD"))
	guarded.HandleFunc("GET /api/v3/log", s.log)

	// A preflight carries no token, so it is answered before the guard.
	pages := http.NewServeMux()
	pages.HandleFunc("/", notFound)
	pages.Handle("/api", anyOrigin(open))
	pages.Handle("/api/", anyOrigin(open))
	return pages
}

func (s *server) log(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, []string{}) }

func (s *server) failed(w http.ResponseWriter, r *http.Request, err error) {
	cmp.Or(s.config.Logger, slog.Default()).ErrorContext(r.Context(), "datarhei: request could not be answered", "path", r.URL.Path, "error", err)
	refuse(w, http.StatusServiceUnavailable)
}
