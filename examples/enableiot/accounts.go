package main

import (
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// What here changes somebody's access is in that user's next token. These are
// the three reasons of the document to fetch one: an account was created, an
// invitation accepted, a role changed.

// maxAccounts is how many a user may have: they must fit into a token.
const maxAccounts = 20

// maxInvites is how many invitations to one account may be open.
const maxInvites = 100

// member admits to an account whom the token makes a member, if its user still is
// one: what is granted counts from the next token on, what is taken away at once.
func (s *server) member(r *http.Request, c *claims.Claims[access]) error {
	return s.holds(r, c, func(membership) bool { return true })
}

// admin admits to an account's management, after the same law.
func (s *server) admin(r *http.Request, c *claims.Claims[access]) error {
	return s.holds(r, c, func(m membership) bool { return m.Role == "admin" })
}

func (s *server) holds(r *http.Request, c *claims.Claims[access], enough func(membership) bool) error {
	is := func(m membership) bool { return m.ID == r.PathValue("account") && enough(m) }
	u, _ := s.users.byID(c.Subject)
	if !slices.ContainsFunc(c.App.Accounts, is) || !slices.ContainsFunc(u.accounts, is) {
		return middleware.ErrForbidden
	}
	return nil
}

// addAccount makes the caller admin of a new account.
func (s *server) addAccount(w http.ResponseWriter, r *http.Request) {
	in, status := readBody(w, r)
	name := in.text("name")
	if status == 0 && (name == "" || len(name) > 100) {
		status = http.StatusBadRequest
	}
	if status != 0 {
		refuse(w, status)
		return
	}
	created := membership{randomID(), name, "admin"}
	if !s.users.join(claims.MustFromContext[access](r.Context()).Subject, created) {
		refuse(w, http.StatusConflict)
		return
	}
	answer(w, http.StatusCreated, map[string]string{"id": created.ID, "name": created.Name})
}

// held is the account of the path, as the caller's token names it. The guard has
// seen that there is one.
func held(r *http.Request) membership {
	all := claims.MustFromContext[access](r.Context()).App.Accounts
	return all[slices.IndexFunc(all, func(m membership) bool { return m.ID == r.PathValue("account") })]
}

func (s *server) account(w http.ResponseWriter, r *http.Request) {
	m := held(r)
	answer(w, http.StatusOK, map[string]string{"id": m.ID, "name": m.Name})
}

// members lists who is in an account.
func (s *server) members(w http.ResponseWriter, r *http.Request) {
	type one struct {
		ID       string            `json:"id"`
		Email    string            `json:"email"`
		Accounts map[string]string `json:"accounts"` // roles by id, of this account alone
	}
	list, account := []one{}, r.PathValue("account")
	for _, u := range s.users.in(account) {
		list = append(list, one{u.id, u.email, map[string]string{account: u.roleIn(account)}})
	}
	answer(w, http.StatusOK, list)
}

// setRole changes what a member is. An admin stays one, as in the original:
// otherwise two of them could shut each other out.
func (s *server) setRole(w http.ResponseWriter, r *http.Request) {
	in, status := readBody(w, r)
	account := r.PathValue("account")
	accounts, _ := in["accounts"].(map[string]any)
	role, _ := accounts[account].(string)
	if object, is := accounts[account].(map[string]any); is {
		role = fields(object).text("role")
	}
	if status == 0 && (len(accounts) != 1 || role != "admin" && role != "user") {
		status = http.StatusBadRequest
	}
	if status != 0 {
		refuse(w, status)
		return
	}
	found, reduced := false, false
	s.users.change(r.PathValue("user"), func(u *user) {
		i := slices.IndexFunc(u.accounts, func(m membership) bool { return m.ID == account })
		if found = i >= 0; !found {
			return
		}
		if reduced = u.accounts[i].Role == "admin" && role != "admin"; !reduced {
			// A copy: readers hold the old one.
			u.accounts, u.updated = slices.Clone(u.accounts), time.Now()
			u.accounts[i].Role = role
		}
	})
	switch {
	case !found:
		answer(w, http.StatusNotFound, failure{Code: 2404, Message: "User not found"})
	case reduced:
		answer(w, http.StatusForbidden, failure{Code: 2503, Message: "An admin stays one"})
	default:
		answer(w, http.StatusOK, struct{}{})
	}
}

// invite is an invitation to an account. It stands until its address accepts or
// declines, also if no user has that address yet.
type invite struct {
	ID      string `json:"_id"`
	Account string `json:"accountId"`
	Email   string `json:"email"`
	Domain  string `json:"domainId"` // the account again, by its old name
	Name    string `json:"accountName"`
}

func (s *server) addInvite(w http.ResponseWriter, r *http.Request) {
	in, status := readBody(w, r)
	email, err := ratelimit.Email(in.text("email"))
	if status == 0 && (err != nil || len(in) != 1) {
		status = http.StatusBadRequest
	}
	if status != 0 {
		refuse(w, status)
		return
	}
	m := held(r)
	added := invite{randomID(), m.ID, email, m.ID, m.Name}
	switch s.users.invite(added) {
	case errThere:
		answer(w, http.StatusConflict, failure{Code: 2420, Message: "User is already invited"})
	case errFull:
		refuse(w, http.StatusConflict)
	default:
		answer(w, http.StatusCreated, added)
	}
}

// invites lists whom an account waits for.
func (s *server) invites(w http.ResponseWriter, r *http.Request) {
	emails := []string{}
	for _, i := range s.users.invited(func(i invite) bool { return i.Account == r.PathValue("account") }) {
		emails = append(emails, i.Email)
	}
	answer(w, http.StatusOK, emails)
}

// myInvites lists which accounts wait for the caller.
func (s *server) myInvites(w http.ResponseWriter, r *http.Request) {
	u, _ := s.users.byID(claims.MustFromContext[access](r.Context()).Subject)
	if email, err := ratelimit.Email(r.PathValue("email")); err != nil || email != u.email {
		refuse(w, http.StatusForbidden)
		return
	}
	answer(w, http.StatusOK, s.users.invited(func(i invite) bool { return i.Email == u.email }))
}

// answerInvite makes the caller a member, or not. The invitation is over then.
func (s *server) answerInvite(w http.ResponseWriter, r *http.Request) {
	in, status := readBody(w, r)
	accept, is := in["accept"].(bool)
	if status == 0 && (!is || len(in) != 1) {
		status = http.StatusBadRequest
	}
	if status != 0 {
		refuse(w, status)
		return
	}
	i, err := s.users.settle(r.PathValue("invite"), claims.MustFromContext[access](r.Context()).Subject, accept)
	switch {
	case err == errThere: // or somebody else's, which is nobody else's business
		answer(w, http.StatusNotFound, failure{Code: 10404, Message: "Invitation not found"})
	case err == errFull:
		refuse(w, http.StatusConflict)
	case accept:
		answer(w, http.StatusOK, i)
	default:
		answer(w, http.StatusOK, failure{Code: http.StatusNoContent, Message: "Delete OK"})
	}
}
