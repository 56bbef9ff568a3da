package main

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// access is what a token says that its user may do: the user's accounts.
type access struct {
	Accounts []membership `json:"accounts"`
}

// membership is what a user is in one account.
type membership struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"` // such as "admin" or "user"
}

type user struct {
	id, email string
	locked    bool
	created   time.Time
	updated   time.Time
	accounts  []membership
	salt      []byte
	hash      []byte
}

// roleIn is what the user is in an account, "" if nothing.
func (u user) roleIn(account string) string {
	for _, m := range u.accounts {
		if m.ID == account {
			return m.Role
		}
	}
	return ""
}

// users stands in for tables of users and of invitations. It never changes a
// user's list of accounts in place, so what it returned may be read.
type users struct {
	mu   sync.RWMutex
	all  []user
	open []invite
}

// newUsers puts everybody who has a role into one account.
func newUsers(given []User) *users {
	us, account, now := &users{}, randomID(), time.Now()
	for _, one := range given {
		u := user{id: randomID(), email: one.Email, locked: one.Locked, created: now, updated: now, accounts: []membership{}, salt: make([]byte, 16)}
		if one.Role != "" {
			u.accounts = []membership{{account, "demo", one.Role}}
		}
		rand.Read(u.salt)
		u.hash = hashOf(one.Password, u.salt)
		us.all = append(us.all, u)
	}
	return us
}

// named returns the user with an address, however it is spelled.
func (us *users) named(address string) (user, bool) {
	email, err := ratelimit.Email(address)
	found, ok := us.find(func(u user) bool { return u.email == email })
	return found, ok && err == nil
}

func (us *users) byID(id string) (user, bool) {
	return us.find(func(u user) bool { return u.id == id })
}

func (us *users) find(is func(user) bool) (user, bool) {
	us.mu.RLock()
	defer us.mu.RUnlock()
	if i := slices.IndexFunc(us.all, is); i >= 0 {
		return us.all[i], true
	}
	return user{}, false
}

func (us *users) change(id string, edit func(*user)) {
	us.mu.Lock()
	defer us.mu.Unlock()
	for i := range us.all {
		if us.all[i].id == id {
			edit(&us.all[i])
		}
	}
}

// in returns the members of an account.
func (us *users) in(account string) (members []user) {
	us.mu.RLock()
	defer us.mu.RUnlock()
	for _, u := range us.all {
		if u.roleIn(account) != "" {
			members = append(members, u)
		}
	}
	return members
}

// join makes a user a member, if there is room for one more account.
func (us *users) join(id string, m membership) (room bool) {
	us.change(id, func(u *user) { room = u.join(m) })
	return room
}

func (u *user) join(m membership) (room bool) {
	if len(u.accounts) >= maxAccounts {
		return false
	}
	u.accounts, u.updated = append(slices.Clone(u.accounts), m), time.Now()
	return true
}

var (
	errThere = errors.New("it is there already, or is not there to be changed")
	errFull  = errors.New("there is no room for one more")
)

// invite adds an invitation. errThere says that its address has one to this
// account, or is in it.
func (us *users) invite(i invite) error {
	us.mu.Lock()
	defer us.mu.Unlock()
	open := 0
	for _, other := range us.open {
		if other.Account != i.Account {
			continue
		}
		if open++; other.Email == i.Email {
			return errThere
		}
	}
	for _, u := range us.all {
		if u.email == i.Email && u.roleIn(i.Account) != "" {
			return errThere
		}
	}
	if open >= maxInvites {
		return errFull
	}
	us.open = append(us.open, i)
	return nil
}

func (us *users) invited(is func(invite) bool) []invite {
	us.mu.RLock()
	defer us.mu.RUnlock()
	some := []invite{}
	for _, i := range us.open {
		if is(i) {
			some = append(some, i)
		}
	}
	return some
}

// settle ends the invitation of a user, in one step with joining the account.
// errThere says that there is no such invitation to this user.
func (us *users) settle(id, to string, accept bool) (invite, error) {
	us.mu.Lock()
	defer us.mu.Unlock()
	at := slices.IndexFunc(us.all, func(u user) bool { return u.id == to })
	n := slices.IndexFunc(us.open, func(i invite) bool { return at >= 0 && i.ID == id && i.Email == us.all[at].email })
	if n < 0 {
		return invite{}, errThere
	}
	i := us.open[n]
	if accept && !us.all[at].join(membership{i.Account, i.Name, "user"}) {
		return invite{}, errFull
	}
	us.open = slices.Delete(us.open, n, n+1)
	return i, nil
}

// authenticate does the same work whether or not the user exists.
func (us *users) authenticate(address, password string) (user, bool) {
	found, ok := us.named(address)
	same := subtle.ConstantTimeCompare(hashOf(password, found.salt), found.hash) == 1
	return found, ok && same
}

func randomID() string {
	b := make([]byte, 12)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// rounds make a guess cost about 20 ms.
var rounds = 100_000

// hashOf is PBKDF2 because the standard library has it; argon2id is better.
func hashOf(password string, salt []byte) []byte {
	hash, err := pbkdf2.Key(sha256.New, password, salt, rounds, 32)
	if err != nil { // not with these parameters; if it ever is, nobody gets in
		hash = make([]byte, 32)
		rand.Read(hash)
	}
	return hash
}
