package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
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
	if token := bearer(r); token != "" && s.foreign != nil {
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

// bearer returns the token of a request, RFC 6750 §2.1; "" unless there is one.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if len(r.Header.Values("Authorization")) != 1 || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimLeft(token, " ")
}

// refresh takes the refresh token where others take an access token.
func (s *server) refresh(w http.ResponseWriter, r *http.Request) {
	var fresh pair
	var err error
	if s.settings.rotate {
		var next issuer.Pair
		next, err = s.tokens.Refresh(r.Context(), bearer(r))
		fresh = pair{next.AccessToken, next.RefreshToken}
	} else {
		fresh.Access, err = s.another(r.Context(), bearer(r))
	}
	switch {
	case errors.Is(err, issuer.ErrGrant), errors.Is(err, claims.ErrInvalid):
		refuse(w, http.StatusUnauthorized, badToken)
	case err != nil:
		s.failed(w, r, err)
	default:
		answer(w, http.StatusOK, fresh)
	}
}

// another makes a further access token for a refresh token that stays good, as
// the system's clients expect. It lives no longer than that.
func (s *server) another(ctx context.Context, refreshToken string) (string, error) {
	held, err := s.renewals.Verify(ctx, refreshToken)
	if err != nil {
		return "", err
	}
	live, err := s.tokens.Sessions(ctx, held.Subject)
	if err != nil {
		return "", err
	}
	id := s.tokens.SessionOf(held)
	if !slices.ContainsFunc(live, func(one issuer.Session) bool { return one.ID == id }) {
		return "", fmt.Errorf("%w: its session has ended", claims.ErrInvalid)
	}
	now := time.Now()
	expiry := now.Add(s.settings.access)
	if expiry.After(held.Expiry) {
		expiry = held.Expiry
	}
	input, err := s.encoder.Encode(claims.Header{Algorithm: "HS256"}, &claims.Claims[struct{}]{
		Use: claims.Access, Issuer: issuerName, Subject: held.Subject, IssuedAt: now, Expiry: expiry, ID: uuid(),
	})
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
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
