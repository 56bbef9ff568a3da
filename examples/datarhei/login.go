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

// pair is what a login answers, and with Rotate a refresh.
type pair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token,omitempty"`
}

// login knows two kinds of callers: the one with the password, and those who
// bring a token of the tenant. A body with a name and a password decides first,
// whatever stands in the header: clients send old tokens along. A client of the
// tenant sends no body, or one in which both are empty.
func (s *server) login(w http.ResponseWriter, r *http.Request) {
	in, status := readBody(w, r)
	name, password := in.text("username"), in.text("password")
	subject, ok := name, true
	token, err := middleware.Bearer(r)
	switch {
	case status == http.StatusRequestEntityTooLarge:
		refuse(w, status)
		return
	case name != "" && password != "":
		ok = equal(name, s.config.Username)&equal(password, s.config.Password) == 1
		if !ok {
			refuse(w, http.StatusUnauthorized, badLogin)
		}
	case err == nil && s.tenant != nil:
		subject, ok = s.foreigner(w, r, token)
	default:
		refuse(w, http.StatusBadRequest, emptyLogin)
		return
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

// equal returns 1 or 0, and takes as long wherever the two differ.
func equal(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

// foreigner reads a token of the tenant. If it is not good, it has answered.
func (s *server) foreigner(w http.ResponseWriter, r *http.Request, token string) (string, bool) {
	subject, err := s.tenant.subject(r.Context(), token)
	switch {
	case errors.Is(err, claims.ErrInvalid):
		refuse(w, http.StatusUnauthorized, badTenantToken)
		return "", false
	case err != nil: // the tenant's keys can't be had: that says nothing about the token
		s.failed(w, r, err)
		return "", false
	}
	return subject, true
}

// refresh takes the refresh token where others take an access token. The
// system's clients keep it, so it is not spent unless Rotate says so.
func (s *server) refresh(w http.ResponseWriter, r *http.Request) {
	token, err := middleware.Bearer(r)
	if err != nil {
		refuse(w, http.StatusUnauthorized, badToken)
		return
	}
	refresh := s.tokens.RefreshWithoutRotation
	if s.config.Rotate {
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
