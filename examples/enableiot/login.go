package main

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

// login gives a token for a name and a password, and a newer one as often as it
// is asked: that is how a change of access gets into a token.
func (s *server) login(w http.ResponseWriter, r *http.Request) {
	in, status := readBody(w, r)
	if status != 0 {
		refuse(w, status)
		return
	}
	if wrong := wrongMembers(in); wrong != nil {
		invalid(w, wrong...)
		return
	}
	var u user
	var err error
	var guess lockout.Outcome
	if email, noAddress := ratelimit.Email(in.text("username")); noAddress == nil {
		guess, err = s.lockout.Attempt(r.Context(), email, func(context.Context) (is bool, _ error) {
			u, is = s.users.authenticate(email, in.text("password"))
			return is, nil
		})
	}
	switch {
	case errors.Is(err, lockout.ErrBlocked), guess.Right && u.locked:
		locked(w)
	case err != nil:
		s.failed(w, r, err)
	case !guess.Right:
		refuse(w, http.StatusUnauthorized)
	default:
		pair, err := s.tokens.Issue(r.Context(), claims.Claims[access]{Subject: u.id, App: access{u.accounts}})
		if err != nil {
			s.failed(w, r, err)
			return
		}
		answer(w, http.StatusOK, map[string]string{"token": pair.AccessToken})
	}
}

// wrongMembers says what keeps a body from being exactly a username and a
// password. It repeats nothing of it.
func wrongMembers(in fields) (wrong []string) {
	for _, name := range []string{"username", "password"} {
		if in.text(name) == "" {
			wrong = append(wrong, name+" must be a string that is not empty")
		}
	}
	for name := range in {
		if !slices.Contains([]string{"username", "password"}, name) {
			return append(wrong, "there must be no other members than username and password")
		}
	}
	return wrong
}

// startRefresh gives the holder of an access token a refresh token: one of a
// session of its own, whose access token nobody needs.
func (s *server) startRefresh(w http.ResponseWriter, r *http.Request) {
	c := claims.MustFromContext[access](r.Context())
	u, _ := s.users.byID(c.Subject)
	pair, err := s.tokens.Issue(r.Context(), claims.Claims[access]{Subject: u.id, App: access{u.accounts}})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]string{"refreshToken": pair.RefreshToken})
}

// refresh spends a refresh token. The access token that comes with it may have
// expired, and must be of the same subject.
func (s *server) refresh(w http.ResponseWriter, r *http.Request) {
	in, status := readBody(w, r)
	if status == 0 && in.text("refreshToken") == "" {
		status = http.StatusBadRequest
	}
	if status != 0 {
		refuse(w, status)
		return
	}
	held, err := s.holder(r)
	var spent *claims.Claims[struct{}]
	if err == nil {
		spent, err = s.renewals.Verify(r.Context(), in.text("refreshToken"))
	}
	switch {
	case errors.Is(err, claims.ErrInvalid), err == nil && held != spent.Subject:
		refuse(w, http.StatusUnauthorized)
		return
	case err != nil:
		s.failed(w, r, err)
		return
	}
	pair, err := s.tokens.Refresh(r.Context(), in.text("refreshToken"))
	if err != nil {
		s.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, struct {
		JWT     string `json:"jwt"`
		Refresh string `json:"refreshToken"`
	}{pair.AccessToken, pair.RefreshToken})
}

// holder returns the subject of the request's access token, also if that has
// expired.
func (s *server) holder(r *http.Request) (string, error) {
	token, err := middleware.Bearer(r)
	if err != nil {
		return "", claims.ErrInvalid
	}
	c, err := s.holders.Verify(r.Context(), token)
	if err != nil {
		return "", err
	}
	return c.Subject, nil
}

// revoke ends a refresh token. Whoever has it may.
func (s *server) revoke(w http.ResponseWriter, r *http.Request) {
	in, status := readBody(w, r)
	if status == 0 && in.text("refreshToken") == "" {
		status = http.StatusBadRequest
	}
	if status != 0 {
		refuse(w, status)
		return
	}
	if err := s.tokens.Revoke(r.Context(), in.text("refreshToken")); err != nil {
		s.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, struct{}{})
}
