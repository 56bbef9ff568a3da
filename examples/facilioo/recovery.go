package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/gatehouse-go/gatehouse/issuer/recovery"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// recoverPassword answers the same for every address. A mail ends the code of the
// mail before, so recovery sends a few in a row to one account and then no more
// while the last is good: or strangers could keep its owner from ever using one.
func (s *server) recoverPassword(w http.ResponseWriter, r *http.Request) {
	_, email, good := s.addressed(w, r)
	if !good {
		return
	}
	var send func(context.Context, string) error
	if _, exists := s.accounts.find(email); exists {
		send = func(_ context.Context, code string) error {
			return s.config.Mails.Put(email, "your recovery code is "+code+s.linkWith(email, code))
		}
	}
	if !s.failed(w, r, s.codes.Start(r.Context(), email, send)) {
		ok(w, struct{}{})
	}
}

// linkWith is the rest of a mail: a link that spares its reader the typing. Only
// the configuration says where it leads, and nothing in the request does, such
// as its Host. A fragment is in no log and in no Referer.
func (s *server) linkWith(email, code string) string {
	if s.config.RecoveryPage == "" {
		return ""
	}
	return "\nor open " + s.config.RecoveryPage + "#" + url.Values{"email": {email}, "code": {code}}.Encode()
}

// changePassword sets a new password and ends all sessions.
func (s *server) changePassword(w http.ResponseWriter, r *http.Request) {
	in, email, good := s.addressed(w, r)
	if !good {
		return
	}
	if !longEnough(in.text("password")) { // before the code, which it must not cost
		problem(w, http.StatusBadRequest, "The password must have at least 8 characters.")
		return
	}
	right, err := s.codes.Redeem(r.Context(), email, in.text("recoveryCode"))
	if err == nil && !right || errors.Is(err, recovery.ErrMalformed) {
		problem(w, http.StatusBadRequest, "The recovery code is wrong or expired.")
		return
	}
	if s.failed(w, r, err) {
		return
	}
	found, _ := s.accounts.find(email) // no code is right for an account that isn't there
	s.accounts.setPassword(found.Account, in.text("password"))
	if !s.failed(w, r, s.tokens.RevokeAll(r.Context(), found.subject.String())) {
		ok(w, struct{}{})
	}
}

// unblock is for managers of the company that the account belongs to. The guard
// has seen to the party type.
//
// The document can be read in two ways: that the caller must be Admin or
// PropertyManagementCompany and also own the account, or that an Admin need not
// own it. The first is how it is here, and AdminUnblocksAll is the second.
func (s *server) unblock(w http.ResponseWriter, r *http.Request) {
	_, email, good := s.addressed(w, r)
	if !good {
		return
	}
	me, isKnown := s.caller(r)
	found, exists := s.accounts.find(email)
	owns := found.Company == me.Company || s.config.AdminUnblocksAll && me.party == Admin
	if !isKnown || !exists || !owns { // no telling which accounts there are
		w.Header().Set("WWW-Authenticate", `Bearer realm="api", error="insufficient_scope"`)
		problem(w, http.StatusForbidden, "The account is not yours to unblock.")
		return
	}
	err := errors.Join(s.codes.Unblock(r.Context(), email), s.second.Unblock(r.Context(), email))
	if !s.failed(w, r, err) {
		ok(w, struct{}{})
	}
}

// addressed reads a body with an e-mail, in its one canonical form. If it isn't
// good, it has answered.
func (s *server) addressed(w http.ResponseWriter, r *http.Request) (in fields, email string, good bool) {
	in, status := readBody(w, r)
	if status == 0 {
		var err error
		if email, err = ratelimit.Email(in.text("email")); err != nil {
			status = http.StatusBadRequest
		}
	}
	if status != 0 {
		problem(w, status, "An e-mail address is required.")
	}
	return in, email, status == 0
}
