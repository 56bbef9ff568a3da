package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// The roles, which are the parties of this system.
const (
	Admin       claims.Party = "ROLE_ADMIN"
	DomainAdmin claims.Party = "ROLE_DOMAIN_ADMIN"
	Peer        claims.Party = "ROLE_PEER"
)

// Account is a row of a table of accounts. Email, Key and Role are required.
type Account struct {
	Email string
	// ID names the account in the ledger, NAME@DOMAIN. It is acc in access
	// tokens, and services that read them decide by it.
	ID string
	// Key checks the signatures by which the account logs in.
	Key  ed25519.PublicKey
	Role claims.Party
	// Profile is shown to the account itself, and decides nothing here.
	Profile Profile
}

// Profile is what else the system knows of an account. The zero Profile is that
// of a vendor without a name.
type Profile struct {
	IrohaKey             []byte // the public key of the ledger's own key pair
	Salt                 string
	PhoneNumber          string
	FirstName, LastName  string
	RoleName             string // in the company
	PeerCompanyName      string
	PeerOperatingCountry string
	PeerType             string // LARGE_TELCO, MEDIUM_TELCO, SMALL_TELCO or VENDOR; the last if empty
	PeerConnectionType   string // "Web" if empty
	PeerGroup            string
	Privileged           bool
	Registered           time.Time // when the server starts, if zero
	SubscriptionType     string    // TRIAL, FREEMIUM, PREMIUM or PAID; FREEMIUM if empty
	SubscriptionExpiry   time.Time // the end of the year 9999 if zero
}

func (p *Profile) settle() error {
	defaults := map[*string]string{&p.PeerType: "VENDOR", &p.PeerConnectionType: "Web", &p.SubscriptionType: "FREEMIUM"}
	for field, value := range defaults {
		if *field == "" {
			*field = value
		}
	}
	p.IrohaKey = slices.Clone(p.IrohaKey)
	if p.Registered.IsZero() {
		p.Registered = time.Now()
	}
	if p.SubscriptionExpiry.IsZero() {
		p.SubscriptionExpiry = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	switch {
	case !slices.Contains([]string{"LARGE_TELCO", "MEDIUM_TELCO", "SMALL_TELCO", "VENDOR"}, p.PeerType):
		return fmt.Errorf("PeerType %q is none of those that there are", p.PeerType)
	case !slices.Contains([]string{"TRIAL", "FREEMIUM", "PREMIUM", "PAID"}, p.SubscriptionType):
		return fmt.Errorf("SubscriptionType %q is none of those that there are", p.SubscriptionType)
	}
	return nil
}

// shown is an account as the system shows it. Its documentation has two names for
// each key and for isPrivileged, one in its table and one in its example: clients
// that were written by either find theirs.
type shown struct {
	Email                  string       `json:"email"`
	AccountID              string       `json:"accountId"`
	AuthPubKeyHex          string       `json:"authPubKeyHex"`
	AuthPublicKeyHex       string       `json:"authPublicKeyHex"`
	IrohaPubKeyHex         string       `json:"irohaPubKeyHex"`
	IrohaPublicKeyHex      string       `json:"irohaPublicKeyHex"`
	Salt                   string       `json:"salt"`
	Role                   claims.Party `json:"role"`
	Status                 string       `json:"status"`
	PhoneNumber            string       `json:"phoneNumber"`
	FirstName              string       `json:"firstName"`
	LastName               string       `json:"lastName"`
	RoleName               string       `json:"roleName"`
	PeerCompanyName        string       `json:"peerCompanyName"`
	PeerOperatingCountry   string       `json:"peerOperatingCountry"`
	PeerType               string       `json:"peerType"`
	PeerConnectionType     string       `json:"peerConnectionType"`
	PeerGroup              string       `json:"peerGroup"`
	PeerIsPrivileged       bool         `json:"peerIsPrivileged"`
	IsPrivileged           bool         `json:"isPrivileged"`
	RegistrationDate       string       `json:"registrationDate"`
	SubscriptionType       string       `json:"subscriptionType"`
	SubscriptionExpiryDate string       `json:"subscriptionExpiryDate"`
}

func (a Account) shown() shown {
	key, iroha, p := hex.EncodeToString(a.Key), hex.EncodeToString(a.Profile.IrohaKey), a.Profile
	return shown{
		Email: a.Email, AccountID: a.ID, AuthPubKeyHex: key, AuthPublicKeyHex: key, IrohaPubKeyHex: iroha, IrohaPublicKeyHex: iroha,
		Salt: p.Salt, Role: a.Role, Status: "ACTIVE",
		PhoneNumber: p.PhoneNumber, FirstName: p.FirstName, LastName: p.LastName, RoleName: p.RoleName,
		PeerCompanyName: p.PeerCompanyName, PeerOperatingCountry: p.PeerOperatingCountry, PeerType: p.PeerType,
		PeerConnectionType: p.PeerConnectionType, PeerGroup: p.PeerGroup, PeerIsPrivileged: p.Privileged, IsPrivileged: p.Privileged,
		RegistrationDate: date(p.Registered), SubscriptionType: p.SubscriptionType, SubscriptionExpiryDate: date(p.SubscriptionExpiry),
	}
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// checkedKey returns a copy of a key, or what is wrong with it.
func checkedKey(key ed25519.PublicKey) (ed25519.PublicKey, error) {
	if len(key) != ed25519.PublicKeySize {
		return nil, errors.New("the public key is not 32 bytes long")
	}
	key = slices.Clone(key)
	_, err := claims.NewKey("EdDSA", "", key)
	return key, err
}

// accounts stands in for a table of accounts, by e-mail.
type accounts map[string]Account

func newAccounts(all []Account) accounts {
	table := accounts{}
	for _, a := range all {
		table[a.Email] = a
	}
	return table
}

// find returns the account of an address, however it is spelled.
func (a accounts) find(address string) (Account, bool) {
	email, err := ratelimit.Email(address)
	found, ok := a[email]
	return found, ok && err == nil
}
