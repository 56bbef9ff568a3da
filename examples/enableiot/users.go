package main

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// access is what a token says that its user may do: his accounts.
type access struct {
	Accounts []membership `json:"accounts"`
}

// membership is what a user is in one account.
type membership struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"` // such as "admin" or "user"
}

// credentials are a user as a flag gives him.
type credentials struct{ email, password, role string }

// roles are words such as admin and user; this server decides by none of them.
var roles = regexp.MustCompile(`^\w{1,32}$`)

func parseUser(text string) (credentials, error) {
	address, rest, _ := strings.Cut(text, ":")
	end := strings.LastIndexByte(rest, ':')
	if end < 1 {
		return credentials{}, errors.New("must be EMAIL:PASSWORD:ROLE")
	}
	email, err := ratelimit.Email(address)
	if err != nil {
		return credentials{}, fmt.Errorf("EMAIL: %w", err)
	}
	role := rest[end+1:]
	if !roles.MatchString(role) {
		return credentials{}, errors.New("ROLE is no word")
	}
	return credentials{email, rest[:end], role}, nil
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

// users stands in for a table of users.
type users struct {
	mu  sync.RWMutex
	all []user
}

// newUsers puts everybody into one account.
func newUsers(s settings) (*users, error) {
	us, account, now := &users{}, randomID(), time.Now()
	for _, c := range s.users {
		if _, twice := us.named(c.email); twice {
			return nil, fmt.Errorf("-user: %s is given twice", c.email)
		}
		u := user{id: randomID(), email: c.email, created: now, updated: now, salt: make([]byte, 16)}
		u.accounts = []membership{{account, "demo", c.role}}
		rand.Read(u.salt)
		u.hash = hashOf(c.password, u.salt)
		us.all = append(us.all, u)
	}
	for _, email := range s.locked {
		found, ok := us.named(email)
		if !ok {
			return nil, fmt.Errorf("-locked: there is no user %s", email)
		}
		us.change(found.id, func(u *user) { u.locked = true })
	}
	return us, nil
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
		u := us.all[i]
		u.accounts = slices.Clone(u.accounts)
		return u, true
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
