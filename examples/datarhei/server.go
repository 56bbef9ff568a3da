package main

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
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
	http.Handler
	settings settings
	about    about
	id       string
	started  time.Time
	tokens   *issuer.Issuer[struct{}]
	guard    *middleware.Guard[struct{}]
	foreign  *claims.Verifier[struct{}] // reads tokens of the tenant; nil if there is none
	keys     *jwks.Set                  // the tenant's
}

func newServer(s settings) (*server, error) {
	core := &server{settings: s, id: uuid(), started: time.Now()}
	core.about = newAbout(s)

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
		Issuer: issuerName, Dialect: dialect, Keys: keys, NoKeyID: true, UUIDs: true,
		Store: issuer.NewMemoryStore(), AccessLife: s.access, RefreshLife: s.refresh, Logger: s.logger,
	})
	if err != nil {
		return nil, err
	}
	verify, err := claims.NewVerifier[struct{}](claims.Config{Issuer: issuerName, Dialect: dialect, Keys: core.tokens.KeySet()})
	if err != nil {
		return nil, err
	}
	core.guard = middleware.New(verify, middleware.Config{Deny: deny, Logger: s.logger})
	limits, err := ratelimit.NewSet(ratelimit.Config{
		Name: "DefaultRateLimitAuth", Limit: ratelimit.Per(s.authLimit, time.Minute),
		Key: ratelimit.RemoteIP, Quiet: true, Deny: limited, Logger: s.logger,
	})
	if err != nil {
		return nil, err
	}
	if s.auth0.configured() {
		if core.foreign, core.keys, err = s.auth0.verifier(s.logger); err != nil {
			return nil, err
		}
	}
	core.Handler = core.routes(limits.Handler("DefaultRateLimitAuth"))
	return core, nil
}

// close ends what runs in the background.
func (s *server) close() {
	if s.keys != nil {
		s.keys.Close()
	}
}

// routes puts all below /api behind the guard but for logins and the greeting:
// what there is, and by which methods, is for those who have come in.
func (s *server) routes(auth func(http.Handler) http.Handler) http.Handler {
	open, guarded := http.NewServeMux(), http.NewServeMux()
	open.HandleFunc("/", notFound)
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
	return open
}

// about is what the server says of itself.
type about struct {
	App       string   `json:"app"`
	Auths     []string `json:"auths"`
	Name      string   `json:"name,omitempty"`
	ID        string   `json:"id,omitempty"`
	CreatedAt string   `json:"created_at,omitempty"`
	Uptime    *uint64  `json:"uptime_seconds,omitempty"`
	Version   version  `json:"version"`
}

type version struct {
	Number string `json:"number"`
}

// newAbout is what strangers are told.
func newAbout(s settings) about {
	a := about{App: "datarhei-core", Auths: []string{"localjwt"}, Version: version{"16.0.0"}}
	if s.auth0.configured() {
		a.Auths = append(a.Auths, s.auth0.announcement())
	}
	return a
}

// greet answers everybody, and tells callers with an access token more. Here a
// bad token is as good as none, so it asks the guard and refuses nobody.
func (s *server) greet(w http.ResponseWriter, r *http.Request) {
	a := s.about
	if _, err := s.guard.Check(r); err == nil {
		uptime := uint64(time.Since(s.started).Seconds())
		a.Name, a.ID, a.Version.Number = "core", s.id, "16.16.0"
		a.CreatedAt, a.Uptime = s.started.UTC().Format(time.RFC3339), &uptime
	}
	answer(w, http.StatusOK, a)
}

func (s *server) log(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, []string{}) }
