package main

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// The party types that guards name. Tokens hold their numbers.
const (
	Admin                     claims.Party = "1"
	PropertyManagementCompany claims.Party = "2"
)

var partyNames = map[string]claims.Party{
	"Admin": Admin, "PropertyManagementCompany": PropertyManagementCompany, "PoolManager": "3", "Contractor": "5", "User": "7",
	"EnergyProvider": "10", "Guest": "11", "InsuranceBroker": "13", "Insurer": "14", "Mediator": "15",
}

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

// user is an account as a flag gives it.
type user struct {
	email, password string
	party           claims.Party
	company         int
}

func parseUser(text string) (user, error) {
	address, rest, _ := strings.Cut(text, ":")
	end := strings.LastIndexByte(rest, ':')
	if end < 1 {
		return user{}, errors.New("must be EMAIL:PASSWORD:PARTY")
	}
	u := user{password: rest[:end], company: 2}
	name, company, hasCompany := strings.Cut(rest[end+1:], "@")
	var err error
	if u.email, err = ratelimit.Email(address); err != nil {
		return user{}, fmt.Errorf("EMAIL: %w", err)
	}
	if u.party = partyNames[name]; u.party == "" {
		u.party = claims.Party(name)
		if !slices.Contains(numbers(), u.party) {
			return user{}, errors.New("PARTY is neither the name nor the number of a party type")
		}
	}
	if hasCompany {
		if u.company, err = strconv.Atoi(company); err != nil || u.company < 1 {
			return user{}, errors.New("COMPANY is no number from 1")
		}
	}
	return u, nil
}

func numbers() (all []claims.Party) {
	for _, n := range partyNames {
		all = append(all, n)
	}
	return all
}

// secondFactor says whether an account has one.
type secondFactor struct{ required, skippable bool }

type account struct {
	subject
	email  string
	party  claims.Party
	second secondFactor
	salt   []byte
	hash   []byte
}

// accounts stands in for a table of users.
type accounts struct {
	mu  sync.RWMutex
	all []account // the account with id n at n-1
}

func newAccounts(s settings) (*accounts, error) {
	a := &accounts{}
	for _, u := range s.users {
		if _, twice := a.find(u.email); twice {
			return nil, fmt.Errorf("-user: %s is given twice", u.email)
		}
		salt := make([]byte, 16)
		rand.Read(salt)
		a.all = append(a.all, account{
			subject: subject{len(a.all) + 1, u.company}, email: u.email, party: u.party,
			salt: salt, hash: hashOf(u.password, salt),
		})
	}
	for address, second := range s.second {
		found, ok := a.find(address)
		if !ok {
			return nil, fmt.Errorf("-two-factor: there is no account %s", address)
		}
		second.required = true
		a.all[found.Account-1].second = second
	}
	return a, nil
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
	salt := make([]byte, 16)
	rand.Read(salt)
	hash := hashOf(password, salt)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all[id-1].salt, a.all[id-1].hash = salt, hash
}

// minPassword is how many characters a new password must have, after NIST SP
// 800-63B.
const minPassword = 8

func longEnough(password string) bool { return utf8.RuneCountInString(password) >= minPassword }

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
