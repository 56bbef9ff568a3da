package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/recovery"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

const demoPassword = "demo-password"

// Settings are what differs between a real start and a tour.
type Settings struct {
	AccessLife time.Duration
	Mail       func(to, text string)
	Logger     *slog.Logger
}

// App is the whole server.
type App struct {
	http.Handler
	accounts *Accounts
	tokens   *issuer.Issuer[Account]
	codes    *recovery.Recovery
	mails    *ratelimit.Limiter
	settings Settings
}

func newApp(s Settings) (*App, error) {
	app := &App{accounts: &Accounts{byEmail: map[string]account{}}, settings: s}
	app.accounts.add("admin@example.com", demoPassword, Admin, 1)
	app.accounts.add("manager@example.com", demoPassword, PropertyManagementCompany, 2)
	app.accounts.add("contractor@example.com", demoPassword, Contractor, 3)

	// Who hands out passes. A real server loads its keys, and keeps sessions in
	// a store that outlives it.
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := signing.NewKey("EdDSA", private, time.Time{})
	if err != nil {
		return nil, err
	}
	keys, err := signing.NewSchedule(key)
	if err != nil {
		return nil, err
	}
	store := issuer.NewMemoryStore()
	app.tokens, err = issuer.New(issuer.Config[Account]{
		Issuer: "https://id.example", Audience: []string{"api"},
		Keys: keys, RefreshKeys: signing.NewEphemeral(), Store: store, AccessLife: s.AccessLife, Renew: app.renew, Logger: s.Logger,
	})
	if err != nil {
		return nil, err
	}

	// Who may come in.
	verify, err := claims.NewVerifier[Account](claims.Config{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: app.tokens.KeySet(),
	})
	if err != nil {
		return nil, err
	}
	guard := middleware.New(verify, middleware.Config{Logger: s.Logger})

	// How often.
	limits, err := ratelimit.NewSet(
		ratelimit.Config{Name: "DefaultRateLimitAuth", Limit: ratelimit.Per(40, time.Minute), Key: ratelimit.RemoteIP, Quiet: true, Logger: s.Logger},
		ratelimit.Config{Name: "Account", Limit: ratelimit.Per(60, time.Minute), Key: subject, Logger: s.Logger},
		ratelimit.Config{Name: "Admin", Limit: ratelimit.Per(600, time.Minute), Key: subject, Logger: s.Logger},
	)
	if err != nil {
		return nil, err
	}
	app.mails, err = ratelimit.New(ratelimit.Config{Name: "RecoveryMail", Limit: ratelimit.Per(3, time.Hour), Logger: s.Logger})
	if err != nil {
		return nil, err
	}
	auth, perAccount := limits.Handler("DefaultRateLimitAuth"), limits.Choose(byParty)

	// How to come back without a password. The limit in front of its routes (auth)
	// bounds the records that strangers can make; recovery itself bounds the mails.
	guesses, err := lockout.New(lockout.Config{Name: "recovery", Logger: s.Logger})
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	app.codes, err = recovery.New(recovery.Config{Store: store, Lockout: guesses, Secret: func() []byte { return secret }, Logger: s.Logger})
	if err != nil {
		return nil, err
	}

	mux := http.NewServeMux()
	mux.Handle("POST /login", auth(app.tokens.LoginHandler(app.login)))
	mux.Handle("POST /refresh", auth(app.tokens.RefreshHandler()))
	mux.Handle("POST /logout", app.tokens.RevokeHandler())
	mux.Handle("GET /me", guard.Handler(perAccount(http.HandlerFunc(me))))
	mux.Handle("GET /buildings", guard.Only(Admin, PropertyManagementCompany).Handler(http.HandlerFunc(buildings)))
	mux.Handle("POST /recovery", auth(app.codes.StartHandler(app.findAccount)))
	mux.Handle("PUT /recovery", auth(app.codes.RedeemHandler(goodPassword, app.setPassword)))
	mux.Handle("POST /recovery/unblock", guard.Only(Admin, PropertyManagementCompany).Handler(app.codes.UnblockHandler(anyAccount)))
	app.Handler = http.MaxBytesHandler(mux, 64<<10)
	return app, nil
}

// login says whom the password of a request belongs to.
func (app *App) login(r *http.Request) (claims.Claims[Account], error) {
	in, err := issuer.ReadBody(r, "email", "password") // a form or JSON
	if err != nil {
		return claims.Claims[Account]{}, err
	}
	email, found, ok := app.accounts.authenticate(in["email"], in["password"])
	if !ok {
		return claims.Claims[Account]{}, issuer.ErrRefused
	}
	return claims.Claims[Account]{Subject: email, Party: found.party, App: Account{found.company}}, nil
}

// renew reads the account again at every refresh, so that a change of its
// access takes effect then.
func (app *App) renew(_ context.Context, c *claims.Claims[Account]) error {
	_, found, ok := app.accounts.find(c.Subject)
	if !ok {
		return issuer.ErrRefused
	}
	c.Party, c.App = found.party, Account{found.company}
	return nil
}

// subject is whose bucket a guarded request is charged to.
func subject(r *http.Request) (string, error) {
	caller := claims.MustFromContext[Account](r.Context())
	return caller.Subject, nil
}

// byParty is the policy that a guarded request is under.
func byParty(r *http.Request) string {
	if caller, _ := claims.FromContext[Account](r.Context()); caller.Party == Admin {
		return "Admin"
	}
	return "Account"
}

func me(w http.ResponseWriter, r *http.Request) {
	caller := claims.MustFromContext[Account](r.Context())
	answer(w, map[string]any{"email": caller.Subject, "party": caller.Party, "companyId": caller.App.Company})
}

func buildings(w http.ResponseWriter, r *http.Request) {
	answer(w, []string{"Gatehouse 1", "Gatehouse 2"})
}

// findAccount returns what sends a recovery code, nil for unknown addresses. Known
// or not, an address gets three mails an hour. Each mail voids the code before it:
// without the limit, anybody could void the owner's code again and again.
func (app *App) findAccount(ctx context.Context, email string) (func(context.Context, string) error, error) {
	if d, err := app.mails.Allow(ctx, email); err != nil {
		return nil, err
	} else if !d.Allowed {
		return nil, &lockout.BlockedError{RetryAfter: d.RetryAfter}
	}
	if _, _, ok := app.accounts.find(email); !ok {
		return nil, nil
	}
	return func(_ context.Context, code string) error {
		app.settings.Mail(email, "your recovery code is "+code)
		return nil
	}, nil
}

func goodPassword(password string) bool { return len(password) >= 8 }

// setPassword ends all sessions as well.
func (app *App) setPassword(ctx context.Context, email, password string) error {
	app.accounts.setPassword(email, password)
	return app.tokens.RevokeAll(ctx, email)
}

// anyAccount may be unblocked by those whom the guard lets in. A real server asks
// whether the account is theirs.
func anyAccount(*http.Request, string) (bool, error) { return true, nil }

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		slog.Error("quickstart: an answer could not be written", "error", err)
	}
}
