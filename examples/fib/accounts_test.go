package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// TestOneLocalPart has two accounts in that differ behind the @ alone, at once
// and for several rounds: each is itself everywhere.
func TestOneLocalPart(t *testing.T) {
	people := []struct {
		email, id string
		key       ed25519.PrivateKey
	}{
		{"alice@mail.com", "alice@wonderland", keyOf(t, strings.Repeat("01", 32))},
		{alice, "alice@sora", keyOf(t, aliceSeed)},
	}
	base := start(t, "-auth-limit", "1000", "-account", flagOf(people[0].email, people[0].key, "ROLE_PEER"),
		"-account", flagOf(people[1].email, people[1].key, "ROLE_DOMAIN_ADMIN:alice@sora"))
	clients := make([]*client, len(people))
	var rounds sync.WaitGroup
	for i, p := range people {
		c := &client{t: t, base: base}
		clients[i] = c
		rounds.Go(func() {
			if got := c.session(p.email, p.key, p.email, 0, ""); got.status != 200 {
				t.Errorf("%s: login: %d %s", p.email, got.status, got.body)
			}
			for range 8 {
				var token struct{ Acc, Sub string }
				var says struct {
					Data struct{ Email, AccountID string }
				}
				if err := json.Unmarshal([]byte(segment(t, c.access, 1)), &token); err != nil || token.Acc != p.id || token.Sub != p.email {
					t.Errorf("%s: token of %+v, %v", p.email, token, err)
				}
				got := c.expect(200, "GET", accountPath, "")
				if err := json.Unmarshal([]byte(got.body), &says); err != nil || says.Data.Email != p.email || says.Data.AccountID != p.id {
					t.Errorf("%s: account of %+v, %v", p.email, says, err)
				}
				if got := c.renew(); got.status != 200 {
					t.Errorf("%s: refresh: %d", p.email, got.status)
				}
			}
		})
	}
	rounds.Wait()
	c := &client{t: t, base: base}
	if got := c.session(people[0].email, people[1].key, people[0].email, 0, ""); got.status != 422 {
		t.Errorf("with the key of the other: %d", got.status)
	}
	clients[0].expect(200, "POST", logoutPath, "")
	clients[0].expect(401, "GET", accountPath, "")
	clients[1].expect(200, "GET", accountPath, "")
}

// TestAccountMembers compares the members of an account with those that are
// documented, by either of their names, and their values with what is known.
func TestAccountMembers(t *testing.T) {
	key := keyOf(t, aliceSeed)
	public := key.Public().(ed25519.PublicKey)
	c := mounted(t, Config{Audience: "https://fib.example", Accounts: []Account{{
		Email: alice, ID: "alice@sora", Key: public, Role: Peer,
		Profile: Profile{
			IrohaKey: []byte{0xab, 0xcd}, Salt: "a2b4", PhoneNumber: "+81123456789", FirstName: "Alice", LastName: "Liddell", RoleName: "Technician",
			PeerCompanyName: "Sora", PeerOperatingCountry: "Japan", PeerType: "MEDIUM_TELCO", PeerGroup: "Group1", Privileged: true,
			Registered: time.Date(2024, 1, 20, 12, 2, 50, 118297000, time.FixedZone("", 7200)), SubscriptionType: "PREMIUM",
			SubscriptionExpiry: time.Date(2024, 12, 3, 10, 15, 30, 0, time.UTC),
		},
	}}})
	c.session(alice, key, alice, 0, "")
	h := hex.EncodeToString(public)
	same(t, "account", golden(c.do("GET", accountPath, "")), "OK\nCache-Control: no-store\nContent-Type: application/json\n"+
		`{"status":{"code":200,"name":"OK"},"data":{"email":"alice@wonderland.space","accountId":"alice@sora","authPubKeyHex":"`+h+`","authPublicKeyHex":"`+h+`",`+
		`"irohaPubKeyHex":"abcd","irohaPublicKeyHex":"abcd","salt":"a2b4","role":"ROLE_PEER","status":"ACTIVE","phoneNumber":"+81123456789",`+
		`"firstName":"Alice","lastName":"Liddell","roleName":"Technician","peerCompanyName":"Sora","peerOperatingCountry":"Japan","peerType":"MEDIUM_TELCO",`+
		`"peerConnectionType":"Web","peerGroup":"Group1","peerIsPrivileged":true,"isPrivileged":true,"registrationDate":"2024-01-20T10:02:50Z",`+
		`"subscriptionType":"PREMIUM","subscriptionExpiryDate":"2024-12-03T10:15:30Z"}}`)
}

// TestRenew changes the table of accounts under a session: the next refresh goes
// by it, and an account that is gone has none.
func TestRenew(t *testing.T) {
	key := keyOf(t, aliceSeed)
	a := Account{Email: alice, ID: "alice@sora", Key: key.Public().(ed25519.PublicKey), Role: Peer}
	table := newAccounts([]Account{a})
	fib := &server{accounts: table}
	a.Role, a.ID = Admin, "alice@admin"
	table[alice] = a
	c := claims.Claims[app]{Subject: alice, Party: Peer, App: app{"alice@sora"}}
	if err := fib.renew(t.Context(), &c); err != nil || c.Party != Admin || c.App.Account != "alice@admin" {
		t.Errorf("renewed: %+v, %v", c, err)
	}
	delete(table, alice)
	if err := fib.renew(t.Context(), &c); err == nil {
		t.Error("an account that is gone is renewed")
	}
}
