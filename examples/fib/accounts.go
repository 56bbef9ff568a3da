package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// The roles, which are the parties of this system.
const (
	Admin       claims.Party = "ROLE_ADMIN"
	DomainAdmin claims.Party = "ROLE_DOMAIN_ADMIN"
	Peer        claims.Party = "ROLE_PEER"
)

// demoAccount is the one of a public test vector.
const demoAccount = "alice@wonderland.space:7fbedb314a9b0c00caef967ac5cabb982ec45da828a0c58a9aafc854f32422ac:ROLE_PEER"

type account struct {
	email string
	role  claims.Party
	key   ed25519.PublicKey
}

// accounts stands in for a table of accounts, by e-mail.
type accounts map[string]account

// add adds an account as a flag gives it.
func (a accounts) add(text string) error {
	part := strings.Split(text, ":")
	if len(part) != 3 {
		return errors.New("must be EMAIL:PUBLICKEYHEX:ROLE")
	}
	email, err := ratelimit.Email(part[0])
	if err != nil {
		return fmt.Errorf("EMAIL: %w", err)
	}
	key, err := hex.DecodeString(part[1])
	if err == nil {
		_, err = claims.NewKey("EdDSA", "", ed25519.PublicKey(key))
	}
	if err != nil {
		return fmt.Errorf("PUBLICKEYHEX: %w", err)
	}
	role := claims.Party(part[2])
	if !slices.Contains([]claims.Party{Admin, DomainAdmin, Peer}, role) {
		return fmt.Errorf("ROLE %q is none of %s, %s and %s", role, Admin, DomainAdmin, Peer)
	}
	if _, twice := a[email]; twice {
		return fmt.Errorf("EMAIL %s is given twice", email)
	}
	a[email] = account{email, role, key}
	return nil
}

// find returns the account of an address, however it is spelled.
func (a accounts) find(address string) (account, bool) {
	email, err := ratelimit.Email(address)
	found, ok := a[email]
	return found, ok && err == nil
}
