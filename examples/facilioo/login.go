package main

import (
	"context"
	"errors"
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
	skipped := found.second.skippable && in["skipMultiFactorAuthentication"] == true
	if found.second.required && !skipped && !s.secondFactor(w, r, found, in.text("twoFactorCode")) {
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
		err := s.second.Start(r.Context(), a.email, s.sender(a.email, "your login code is "))
		if !s.failed(w, r, err) {
			ok(w, map[string]bool{"twoFactorRequired": true})
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

// sender sends a code in a mail.
func (s *server) sender(email, text string) func(context.Context, string) error {
	return func(_ context.Context, code string) error { return s.settings.mails.put(email, text+code) }
}

// failed answers an error that is not about what the caller sent.
func (s *server) failed(w http.ResponseWriter, r *http.Request, err error) bool {
	var block *lockout.BlockedError
	switch {
	case err == nil:
		return false
	case errors.As(err, &block):
		blocked(w, block.RetryAfter)
	default:
		s.settings.logger.ErrorContext(r.Context(), "request could not be answered", "path", r.URL.Path, "error", err)
		w.Header().Set("Retry-After", "5")
		problem(w, http.StatusServiceUnavailable, "")
	}
	return true
}

func (s *server) refresh(w http.ResponseWriter, r *http.Request) {
	in, status := readBody(w, r)
	if status == 0 && in.text("refreshToken") == "" {
		status = http.StatusBadRequest
	}
	if status != 0 {
		problem(w, status, "A refreshToken is required.")
		return
	}
	pair, err := s.tokens.Refresh(r.Context(), in.text("refreshToken"))
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
	if s.settings.objectToken { // the document types it as an object, and doesn't say which
		answer.Refresh = map[string]string{"token": pair.RefreshToken}
	}
	ok(w, answer)
}
