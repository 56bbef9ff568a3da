package main

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// pair is what a login answers, and with -rotate a refresh.
type pair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token,omitempty"`
}

// login knows two kinds of callers: the one with the password, and those who
// bring a token of the tenant.
func (s *server) login(w http.ResponseWriter, r *http.Request) {
	subject, ok := "", false
	if token, err := middleware.Bearer(r); err == nil && s.foreign != nil {
		subject, ok = s.foreigner(w, r, token)
	} else {
		subject, ok = s.user(w, r)
	}
	if !ok {
		return
	}
	issued, err := s.tokens.Issue(r.Context(), claims.Claims[struct{}]{Subject: subject})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, pair{issued.AccessToken, issued.RefreshToken})
}

// user reads a name and a password. If they are not right, it has answered.
func (s *server) user(w http.ResponseWriter, r *http.Request) (string, bool) {
	in, status := readBody(w, r)
	name, password := in.text("username"), in.text("password")
	switch {
	case status == http.StatusRequestEntityTooLarge:
		refuse(w, status)
	case status != 0 || name == "" || password == "":
		refuse(w, http.StatusBadRequest, emptyLogin)
	case equal(name, s.settings.username)&equal(password, s.settings.password) != 1:
		refuse(w, http.StatusUnauthorized, badLogin)
	default:
		return name, true
	}
	return "", false
}

// equal takes as long wherever the two differ.
func equal(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

// foreigner reads a token of the tenant. If it is not good, it has answered.
func (s *server) foreigner(w http.ResponseWriter, r *http.Request, token string) (string, bool) {
	c, err := s.foreign.Verify(r.Context(), token)
	switch {
	case errors.Is(err, claims.ErrInvalid), err == nil && !s.settings.auth0.allows(c.Subject):
		refuse(w, http.StatusUnauthorized, badToken)
		return "", false
	case err != nil:
		s.failed(w, r, err)
		return "", false
	}
	return c.Subject, true
}

// refresh takes the refresh token where others take an access token. The
// system's clients keep it, so it is not spent unless -rotate says so.
func (s *server) refresh(w http.ResponseWriter, r *http.Request) {
	token, err := middleware.Bearer(r)
	if err != nil {
		refuse(w, http.StatusUnauthorized, badToken)
		return
	}
	refresh := s.tokens.RefreshWithoutRotation
	if s.settings.rotate {
		refresh = s.tokens.Refresh
	}
	fresh, err := refresh(r.Context(), token)
	switch {
	case errors.Is(err, issuer.ErrGrant):
		refuse(w, http.StatusUnauthorized, badToken)
	case err != nil:
		s.failed(w, r, err)
	default:
		answer(w, http.StatusOK, pair{fresh.AccessToken, fresh.RefreshToken})
	}
}

// uuid is random, RFC 9562 §5.4.
func uuid() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (s *server) failed(w http.ResponseWriter, r *http.Request, err error) {
	s.settings.logger.ErrorContext(r.Context(), "request could not be answered", "path", r.URL.Path, "error", err)
	refuse(w, http.StatusServiceUnavailable)
}
