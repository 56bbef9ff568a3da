package main

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// The kinds of account that there are.
const (
	Manager    claims.Party = "Manager"
	Contractor claims.Party = "Contractor"
)

// Account is what our tokens say besides the registered claims.
type Account struct {
	Company int `json:"companyId"`
}

// demoPassword opens both of the accounts.
const demoPassword = "demo-password"

// accounts stands in for your table of users. A real one has a salt for each.
var accounts = map[string]claims.Claims[Account]{
	"manager@example.com":    {Party: Manager, Scope: []string{"orders:write"}, App: Account{Company: 2}},
	"contractor@example.com": {Party: Contractor, App: Account{Company: 3}},
}

var passwordHash = hashOf(demoPassword)

// authenticate says whom the password of a request belongs to. It does the same
// work whether or not the account exists.
func authenticate(r *http.Request) (claims.Claims[Account], error) {
	in, err := issuer.ReadBody(r, "email", "password") // a form or JSON
	if err != nil {
		return claims.Claims[Account]{}, err
	}
	same := subtle.ConstantTimeCompare(hashOf(in["password"]), passwordHash) == 1
	email, err := ratelimit.Email(in["email"])
	found, ok := accounts[email]
	if err != nil || !ok || !same {
		return claims.Claims[Account]{}, issuer.ErrRefused
	}
	found.Subject = email
	return found, nil
}

// hashOf is PBKDF2 because the standard library has it; argon2id is better.
func hashOf(password string) []byte {
	hash, err := pbkdf2.Key(sha256.New, password, []byte("salt of the demo"), 100_000, 32)
	if err != nil {
		panic(err) // these parameters are fixed
	}
	return hash
}
