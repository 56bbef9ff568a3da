package main

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// subject is the sub of a token, a JSON object in this system.
type subject struct {
	Account int `json:"accountId"`
	Company int `json:"companyId"`
}

func (s subject) String() string {
	return fmt.Sprintf(`{"accountId":%d,"companyId":%d}`, s.Account, s.Company)
}

// subjectOf reads the sub of a token that the verifier has passed.
func subjectOf(text string) (s subject, err error) {
	return s, json.Unmarshal([]byte(text), &s)
}

// account is an account as it is kept.
type account struct {
	subject
	email     string
	party     claims.Party
	second    bool // there is a second factor
	skippable bool // which the client may leave out
	salt      []byte
	hash      []byte
}

// accounts stands in for a table of users.
type accounts struct {
	mu  sync.RWMutex
	all []account // the account with id n at n-1
}

func newAccounts(given []Account) *accounts {
	a := &accounts{}
	for i, one := range given {
		salt := newSalt()
		a.all = append(a.all, account{
			subject: subject{i + 1, one.Company}, email: one.Email, party: one.Party,
			second: one.SecondFactor, skippable: one.Skippable, salt: salt, hash: hashOf(one.Password, salt),
		})
	}
	return a
}

// find returns the account of an address, however it is spelled.
func (a *accounts) find(address string) (account, bool) {
	email, err := ratelimit.Email(address)
	a.mu.RLock()
	defer a.mu.RUnlock()
	i := slices.IndexFunc(a.all, func(one account) bool { return one.email == email })
	if err != nil || i < 0 {
		return account{}, false
	}
	return a.all[i], true
}

func (a *accounts) of(s subject) (account, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if s.Account < 1 || s.Account > len(a.all) || a.all[s.Account-1].subject != s {
		return account{}, false
	}
	return a.all[s.Account-1], true
}

// company returns the accounts of one company.
func (a *accounts) company(id int) (all []account) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, one := range a.all {
		if one.Company == id {
			all = append(all, one)
		}
	}
	return all
}

// authenticate does the same work whether or not the account exists.
func (a *accounts) authenticate(address, password string) (account, bool) {
	found, ok := a.find(address)
	same := subtle.ConstantTimeCompare(hashOf(password, found.salt), found.hash) == 1
	return found, ok && same
}

func (a *accounts) setPassword(id int, password string) {
	salt := newSalt()
	hash := hashOf(password, salt)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all[id-1].salt, a.all[id-1].hash = salt, hash
}

// minPassword is how many characters a new password must have, after NIST SP
// 800-63B.
const minPassword = 8

func longEnough(password string) bool { return utf8.RuneCountInString(password) >= minPassword }

func newSalt() []byte {
	salt := make([]byte, 16)
	rand.Read(salt)
	return salt
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
