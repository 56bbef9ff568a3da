package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/recovery"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

func (s *server) login(w http.ResponseWriter, r *http.Request) {
	in, status := readBody(w, r)
	if status == 0 && (in.text("email") == "" || in.text("password") == "") {
		status = http.StatusBadRequest
	}
	if status != 0 {
		problem(w, status, "An e-mail and a password are required.")
		return
	}
	found, known := s.accounts.authenticate(in.text("email"), in.text("password"))
	if !known {
		wrong(w)
		return
	}
	// Whether the second factor may be skipped is not the client's to say.
	skipped := found.skippable && in["skipMultiFactorAuthentication"] == true
	if found.second && !skipped && !s.secondFactor(w, r, found, in.text("twoFactorCode")) {
		return
	}
	pair, err := s.tokens.Issue(r.Context(), claims.Claims[struct{}]{Subject: found.subject.String(), Party: found.party})
	s.answerPair(w, r, pair, err)
}

// wrong is the one answer to logins that fail, whatever is wrong with them.
func wrong(w http.ResponseWriter) {
	problem(w, http.StatusUnauthorized, "The credentials are wrong.")
}

// secondFactor reports whether code is the one that was sent. If not, it has
// answered: it sends one when there is none.
func (s *server) secondFactor(w http.ResponseWriter, r *http.Request, a account, code string) bool {
	if code == "" {
		err := s.second.Start(r.Context(), a.email, func(_ context.Context, code string) error {
			return s.config.Mails.Put(a.email, "your login code is "+code)
		})
		if !s.failed(w, r, err) {
			// Some clients look for the first, others for "multifactor" anywhere.
			ok(w, struct {
				TwoFactor   bool `json:"twoFactorRequired"`
				MultiFactor bool `json:"multiFactorAuthenticationRequired"`
			}{true, true})
		}
		return false
	}
	passed, err := s.second.Redeem(r.Context(), a.email, code)
	if err == nil && !passed || errors.Is(err, recovery.ErrMalformed) {
		wrong(w)
		return false
	}
	return !s.failed(w, r, err)
}

// failed answers an error that is not about what the caller sent.
func (s *server) failed(w http.ResponseWriter, r *http.Request, err error) bool {
	var block *lockout.BlockedError
	switch {
	case err == nil:
		return false
	case errors.As(err, &block):
		wait(w, block.RetryAfter, "Too many wrong codes.")
	default:
		cmp.Or(s.config.Logger, slog.Default()).ErrorContext(r.Context(), "facilioo: request could not be answered", "path", r.URL.Path, "error", err)
		w.Header().Set("Retry-After", "5")
		problem(w, http.StatusServiceUnavailable, "")
	}
	return true
}

func (s *server) refresh(w http.ResponseWriter, r *http.Request) {
	in, status := readBody(w, r)
	token := in.text("refreshToken")
	if object, is := in["refreshToken"].(map[string]any); is && s.config.ObjectRefreshToken && len(object) == 1 {
		token = fields(object).text("token") // as it was answered
	}
	if status == 0 && token == "" {
		status = http.StatusBadRequest
	}
	if status != 0 {
		problem(w, status, "A refreshToken is required.")
		return
	}
	pair, err := s.tokens.Refresh(r.Context(), token)
	s.answerPair(w, r, pair, err)
}

func (s *server) answerPair(w http.ResponseWriter, r *http.Request, pair issuer.Pair, err error) {
	if errors.Is(err, issuer.ErrGrant) {
		problem(w, http.StatusUnauthorized, "The refresh token is not valid.")
		return
	}
	if s.failed(w, r, err) {
		return
	}
	answer := struct {
		Access  string `json:"accessToken"`
		Refresh any    `json:"refreshToken"`
	}{pair.AccessToken, pair.RefreshToken}
	if s.config.ObjectRefreshToken { // the document types it as an object, and doesn't say which
		answer.Refresh = map[string]string{"token": pair.RefreshToken}
	}
	ok(w, answer)
}
