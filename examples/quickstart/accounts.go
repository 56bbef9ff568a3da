package main

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"sync"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// The kinds of account that there are.
const (
	Admin                     claims.Party = "Admin"
	PropertyManagementCompany claims.Party = "PropertyManagementCompany"
	Contractor                claims.Party = "Contractor"
)

// Account is what our tokens say besides the registered claims.
type Account struct {
	Company int `json:"companyId"`
}

// Accounts stands in for your table of users.
type Accounts struct {
	mu      sync.Mutex
	byEmail map[string]account
}

type account struct {
	party   claims.Party
	company int
	salt    []byte
	hash    []byte
}

func (a *Accounts) add(email, password string, party claims.Party, company int) {
	salt := make([]byte, 16)
	rand.Read(salt)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byEmail[email] = account{party, company, salt, hashOf(password, salt)}
}

// find returns an account by its canonical address, and that address.
func (a *Accounts) find(address string) (email string, found account, ok bool) {
	email, err := ratelimit.Email(address)
	if err != nil {
		return "", account{}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	found, ok = a.byEmail[email]
	return email, found, ok
}

// authenticate does the same work whether or not the account exists.
func (a *Accounts) authenticate(address, password string) (email string, found account, ok bool) {
	email, found, ok = a.find(address)
	same := subtle.ConstantTimeCompare(hashOf(password, found.salt), found.hash) == 1
	return email, found, ok && same
}

func (a *Accounts) setPassword(email, password string) {
	_, old, ok := a.find(email)
	if ok {
		a.add(email, password, old.party, old.company)
	}
}

// hashOf is PBKDF2 because the standard library has it; argon2id is better.
func hashOf(password string, salt []byte) []byte {
	hash, err := pbkdf2.Key(sha256.New, password, salt, 100_000, 32)
	if err != nil { // not with these parameters; if it ever is, nobody gets in
		hash = make([]byte, 32)
		rand.Read(hash)
	}
	return hash
}
