package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// dialect is how the system writes tokens. That a refresh token names its access
// token, tells the two apart. Nothing says who wrote them, and for whom, but the
// key: it must sign nothing else.
var dialect = claims.Dialect{
	AccessType: "JWT", RefreshType: "JWT", TypeFirst: true, RefreshMark: "acjti", PartyMember: "role",
	InsecureNoIssuer: true, InsecureNoAudience: true,
	Members: []string{"acc", "sub", "acjti", "role", "exp", "jti"},
}

// app is what access tokens say besides: the account's id in the ledger.
type app struct {
	Account string `json:"acc"`
}

type server struct {
	config     Config
	accounts   accounts
	tokens     *issuer.Issuer[app]
	challenges *challenges
}

// newSchedule returns a schedule of one random key.
func newSchedule() (*signing.Schedule, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := signing.NewKey("EdDSA", private, time.Time{})
	if err != nil {
		return nil, err
	}
	return signing.NewSchedule(key)
}

// New returns the server, or every mistake in c. It answers what is below
// /auth/api/v1/, and starts nothing in the background.
func New(c Config) (http.Handler, error) {
	c, err := c.settled()
	if err != nil {
		return nil, err
	}
	// A real server loads its keys, and keeps sessions in a store that outlives it.
	keys, err := newSchedule()
	if err != nil {
		return nil, err
	}
	// Refresh tokens of this system are signed with the same algorithm. Keys of their own
	// keep them from being taken for access tokens, since no aud does.
	refreshKeys, err := newSchedule()
	if err != nil {
		return nil, err
	}
	store := issuer.NewMemoryStore()
	fib := &server{config: c, accounts: newAccounts(c.Accounts), challenges: newChallenges(c.Audience, store)}
	fib.tokens, err = issuer.New(issuer.Config[app]{
		Dialect: dialect, Keys: keys, RefreshKeys: refreshKeys, NoKeyID: true, UUIDs: true, Store: store, Renew: fib.renew,
		AccessLife: c.AccessLife, RefreshLife: c.RefreshLife, Logger: c.Logger,
	})
	if err != nil {
		return nil, err
	}
	verify, err := claims.NewVerifier[app](claims.Config{Dialect: dialect, Keys: fib.tokens.KeySet()})
	if err != nil {
		return nil, err
	}
	// A logout ends the access token too.
	live, err := issuer.NewSessionVerifier(issuer.SessionVerifierConfig[app]{Verifier: verify, Store: store})
	if err != nil {
		return nil, err
	}
	guard := middleware.New(live, middleware.Config{Deny: deny, Logger: c.Logger})
	limits, err := ratelimit.NewSet(ratelimit.Config{
		Name: "DefaultRateLimitAuth", Limit: ratelimit.Per(c.AuthLimit, time.Minute),
		Key: ratelimit.RemoteIP, Quiet: true, Deny: limited, Logger: c.Logger,
	})
	if err != nil {
		return nil, err
	}

	const auth, peers = "/auth/api/v1/authentication-management", "/auth/api/v1/peer-management"
	limit := limits.Handler("DefaultRateLimitAuth")
	mux := http.NewServeMux()
	mux.Handle("POST "+auth+"/session", limit(http.HandlerFunc(fib.login)))
	mux.Handle("PATCH "+auth+"/session", limit(http.HandlerFunc(fib.refresh)))
	mux.Handle(auth+"/session", only("POST, PATCH"))
	mux.Handle("POST "+auth+"/challenge", limit(http.HandlerFunc(fib.challenge)))
	mux.Handle(auth+"/challenge", only("POST"))
	mux.Handle("POST "+auth+"/logout", guard.Handler(http.HandlerFunc(fib.logout)))
	mux.Handle(auth+"/logout", only("POST"))
	mux.Handle("GET "+peers+"/account", guard.Handler(http.HandlerFunc(fib.account)))
	mux.Handle(peers+"/account", only("GET, HEAD"))
	mux.HandleFunc("/", notFound)
	return mux, nil
}

// login is for the holder of the key that is registered for an address. The
// proof is the signature of the address, as the original wants it, or of a
// challenge. Nothing of it is logged: the former is good for ever.
func (s *server) login(w http.ResponseWriter, r *http.Request) {
	in, status := readBody(w, r)
	email, challenge := in.text("email"), in.text("challenge")
	if status == 0 && (email == "" || in.text("signature") == "" || in.text("authPublicKeyHex") == "") {
		status = http.StatusBadRequest
	}
	if status != 0 {
		refuse(w, status, "An email, a signature and an authPublicKeyHex are required.")
		return
	}
	presented, readable := readProof(in.text("authPublicKeyHex"), in.text("signature"))
	found, known := s.accounts.find(email)
	text, nonce, expiry := email, "", time.Time{}
	switch {
	case challenge == "" && s.config.ChallengeOnly:
		refuse(w, http.StatusForbidden, "A challenge is required.")
		return
	case !known && !s.config.HideUnknown:
		refuse(w, http.StatusNotFound, "User not found.")
		return
	case challenge != "":
		var fresh bool
		text = challenge
		nonce, expiry, fresh = s.challenges.fresh(challenge, found.Email, time.Now())
		readable = readable && fresh
	}
	// The key must be the registered one: anybody can sign with a new one.
	if !readable || !presented.of(text) || !known || !presented.key.Equal(found.Key) {
		refuse(w, http.StatusUnprocessableEntity, "The signature could not be verified.")
		return
	}
	if challenge != "" {
		first, err := s.challenges.spend(r.Context(), nonce, expiry)
		if err != nil {
			s.failed(w, r, err)
			return
		}
		if !first {
			refuse(w, http.StatusUnprocessableEntity, "The signature could not be verified.")
			return
		}
	}
	pair, err := s.tokens.Issue(r.Context(), claims.Claims[app]{Subject: found.Email, Party: found.Role, App: app{found.ID}})
	s.answerPair(w, r, pair, err, "User authorization has been successful.")
}

// challenge is ours: a text to sign in place of the address. It is the same for
// addresses that nobody has.
func (s *server) challenge(w http.ResponseWriter, r *http.Request) {
	in, status := readBody(w, r)
	if status == 0 {
		var email string
		var err error
		if email, err = ratelimit.Email(in.text("email")); err == nil {
			answer(w, http.StatusOK, "", map[string]any{
				"challenge": s.challenges.make(email, time.Now()), "expirationTime": seconds(challengeLife),
			})
			return
		}
		status = http.StatusBadRequest
	}
	refuse(w, status, "An email is required.")
}

// refresh takes the refresh token where others take an access token.
func (s *server) refresh(w http.ResponseWriter, r *http.Request) {
	token, err := middleware.Bearer(r)
	if err != nil {
		refuse(w, http.StatusUnauthorized, "")
		return
	}
	pair, err := s.tokens.Refresh(r.Context(), token)
	s.answerPair(w, r, pair, err, "User authorization has been successful.")
}

func (s *server) answerPair(w http.ResponseWriter, r *http.Request, pair issuer.Pair, err error, message string) {
	switch {
	case errors.Is(err, issuer.ErrGrant):
		refuse(w, http.StatusUnauthorized, "")
	case err != nil:
		s.failed(w, r, err)
	default:
		answer(w, http.StatusOK, message, tokens{pair.AccessToken, pair.RefreshToken, seconds(pair.ExpiresIn)})
	}
}

func (s *server) failed(w http.ResponseWriter, r *http.Request, err error) {
	cmp.Or(s.config.Logger, slog.Default()).ErrorContext(r.Context(), "fib: request could not be answered", "path", r.URL.Path, "error", err)
	refuse(w, http.StatusServiceUnavailable, "")
}

// renew reads the account again at every refresh.
func (s *server) renew(_ context.Context, c *claims.Claims[app]) error {
	found, known := s.accounts.find(c.Subject)
	if !known {
		return issuer.ErrRefused
	}
	c.Party, c.App = found.Role, app{found.ID}
	return nil
}

func (s *server) logout(w http.ResponseWriter, r *http.Request) {
	caller := claims.MustFromContext[app](r.Context())
	if err := s.tokens.RevokeSession(r.Context(), caller.Subject, s.tokens.SessionOf(&caller)); err != nil {
		s.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, "", struct{}{})
}

// account shows the caller's account as it is now, whatever the token says.
func (s *server) account(w http.ResponseWriter, r *http.Request) {
	caller := claims.MustFromContext[app](r.Context())
	found, known := s.accounts.find(caller.Subject)
	if !known {
		refuse(w, http.StatusNotFound, "User not found.")
		return
	}
	answer(w, http.StatusOK, "", found.shown())
}
