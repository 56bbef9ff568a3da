package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// ofAccount logs in and returns the client and the id of its one account.
func ofAccount(t *testing.T, c client, email, password string) (*client, string) {
	t.Helper()
	c.login(email, password)
	var in struct{ Accounts []struct{ ID string } }
	if err := json.Unmarshal([]byte(segment(t, c.access, 1)), &in); err != nil || len(in.Accounts) != 1 {
		t.Fatal(segment(t, c.access, 1), err)
	}
	return &c, "/v1/api/accounts/" + in.Accounts[0].ID
}

func inviteID(t *testing.T, r reply) string {
	t.Helper()
	var in struct {
		ID string `json:"_id"`
	}
	if err := json.Unmarshal([]byte(r.body), &in); err != nil || in.ID == "" {
		t.Fatal(r.body, err)
	}
	return in.ID
}

// TestInvitation goes through all that can become of one.
func TestInvitation(t *testing.T) {
	iot, err := New(platform(t))
	c := mounted(t, iot, err)
	boss, account := ofAccount(t, *c, "admin@example.com", "secret:of:admin")
	worker, _ := ofAccount(t, *c, "member@example.com", "secret-of-member")
	guest := *c
	guest.login("newcomer@example.com", "secret-of-newcomer")
	const mine = "/v1/api/invites/newcomer@example.com"

	worker.expect(403, "POST", account+"/invites", `{"email":"newcomer@example.com"}`) // no admin
	worker.expect(403, "GET", account+"/invites", "")
	guest.expect(403, "POST", account+"/invites", `{"email":"newcomer@example.com"}`) // no member
	for _, body := range []string{``, `{}`, `{"email":"nobody"}`, `{"email":"newcomer@example.com","role":"admin"}`} {
		boss.expect(400, "POST", account+"/invites", body)
	}
	first := boss.expect(201, "POST", account+"/invites", `{"email":"Newcomer@example.com"}`)
	same(t, "invitation", id.ReplaceAllString(first.body, `"ID"`), `{"_id":"ID","accountId":"ID","email":"newcomer@example.com","domainId":"ID","accountName":"demo"}`+"\n")
	for _, email := range []string{"newcomer@example.com", "member@example.com"} { // invited, and in it
		same(t, email, boss.expect(409, "POST", account+"/invites", `{"email":"`+email+`"}`).body, `{"code":2420,"message":"User is already invited"}`+"\n")
	}
	boss.expect(201, "POST", account+"/invites/", `{"email":"nobody@example.com"}`) // who may register later; a page of the original asks so
	same(t, "of the account", boss.expect(200, "GET", account+"/invites", "").body, `["newcomer@example.com","nobody@example.com"]`+"\n")
	same(t, "of the user", guest.expect(200, "GET", mine, "").body, "["+strings.TrimSpace(first.body)+"]\n")

	status := "/v1/api/invites/" + inviteID(t, first) + "/status"
	worker.expect(403, "GET", mine, "")
	same(t, "somebody else's", worker.expect(404, "PUT", status, `{"accept":true}`).body, `{"code":10404,"message":"Invitation not found"}`+"\n")
	for _, body := range []string{`{}`, `{"accept":"yes"}`, `{"accept":true,"role":"admin"}`} {
		guest.expect(400, "PUT", status, body)
	}
	guest.expect(200, "PUT", status, `{"accept":false}`)
	guest.expect(404, "PUT", status, `{"accept":true}`)
	same(t, "declined", guest.expect(200, "GET", mine, "").body, "[]\n")

	status = "/v1/api/invites/" + inviteID(t, boss.expect(201, "POST", account+"/invites", `{"email":"newcomer@example.com"}`)) + "/status"
	guest.expect(200, "PUT", status, `{"accept":true}`)
	guest.expect(403, "GET", account, "") // with this token
	guest.login("newcomer@example.com", "secret-of-newcomer")
	guest.expect(200, "GET", account, "")
	if says := segment(t, guest.access, 1); !strings.Contains(says, `"role":"user"`) {
		t.Error(says)
	}
}

// TestFullUsers are in as many accounts as fit into a token.
func TestFullUsers(t *testing.T) {
	iot, err := New(platform(t))
	c := mounted(t, iot, err)
	boss, account := ofAccount(t, *c, "admin@example.com", "secret:of:admin")
	guest := *c
	guest.login("newcomer@example.com", "secret-of-newcomer")
	for range maxAccounts {
		guest.expect(201, "POST", "/v1/api/accounts", `{"name":"`+strings.Repeat("ü", 50)+`"}`)
	}
	guest.expect(409, "POST", "/v1/api/accounts", `{"name":"one more"}`)
	invite := inviteID(t, boss.expect(201, "POST", account+"/invites", `{"email":"newcomer@example.com"}`))
	guest.expect(409, "PUT", "/v1/api/invites/"+invite+"/status", `{"accept":true}`)
	guest.expect(200, "PUT", "/v1/api/invites/"+invite+"/status", `{"accept":false}`)
	guest.login("newcomer@example.com", "secret-of-newcomer")
	guest.expect(200, "GET", me, "")
	for i := range maxInvites {
		boss.expect(201, "POST", account+"/invites", fmt.Sprintf(`{"email":"nobody%d@example.com"}`, i))
	}
	boss.expect(409, "POST", account+"/invites", `{"email":"newcomer@example.com"}`)
}

// TestRoles changes what members are.
func TestRoles(t *testing.T) {
	iot, err := New(platform(t))
	c := mounted(t, iot, err)
	boss, account := ofAccount(t, *c, "admin@example.com", "secret:of:admin")
	worker, _ := ofAccount(t, *c, "member@example.com", "secret-of-member")
	_, accountID, _ := strings.Cut(account, "accounts/")
	list := boss.expect(200, "GET", account+"/users", "")
	same(t, "members", id.ReplaceAllString(strings.ReplaceAll(list.body, accountID, "ACCOUNT"), `"ID"`),
		`[{"id":"ID","email":"admin@example.com","accounts":{"ACCOUNT":"admin"}},{"id":"ID","email":"member@example.com","accounts":{"ACCOUNT":"user"}}]`+"\n")
	var in []struct{ ID string }
	if err := json.Unmarshal([]byte(list.body), &in); err != nil {
		t.Fatal(err)
	}
	path := account + "/users/" + in[1].ID
	role := func(role string) string { return `{"accounts":{"` + accountID + `":` + role + `}}` }
	worker.expect(403, "PUT", path, role(`"admin"`)) // nobody promotes oneself
	worker.expect(403, "GET", account+"/users", "")
	for _, body := range []string{``, `{}`, `{"accounts":{}}`, role(`"king"`), role(`1`), `{"accounts":{"x":"admin"}}`, `{"accounts":{"` + accountID + `":"admin","x":"admin"}}`, `{"accounts":["admin"]}`} {
		boss.expect(400, "PUT", path, body)
	}
	same(t, "no member", boss.expect(404, "PUT", account+"/users/nobody", role(`"admin"`)).body, `{"code":2404,"message":"User not found"}`+"\n")
	boss.expect(200, "PUT", path, `{"id":"`+in[1].ID+`","email":"member@example.com",`+role(`"admin"`)[1:]) // as it was listed, but for the role
	worker.expect(403, "GET", account+"/users", "")                                                         // with this token
	worker.login("member@example.com", "secret-of-member")
	worker.expect(200, "GET", account+"/users", "")
	same(t, "an admin stays one", worker.expect(403, "PUT", account+"/users/"+in[0].ID, role(`{"role":"user"}`)).body, `{"code":2503,"message":"An admin stays one"}`+"\n")
	worker.expect(200, "PUT", account+"/users/"+in[0].ID, role(`{"role":"admin"}`))
}

// TestMembersAtOnce has many readers while accounts and roles change.
func TestMembersAtOnce(t *testing.T) {
	iot, err := New(platform(t))
	c := mounted(t, iot, err)
	boss, account := ofAccount(t, *c, "admin@example.com", "secret:of:admin")
	guest := *c
	guest.login("newcomer@example.com", "secret-of-newcomer")
	var all sync.WaitGroup
	for i := range 15 {
		all.Go(func() { guest.expect(201, "POST", "/v1/api/accounts", fmt.Sprintf(`{"name":"%d"}`, i)) })
		all.Go(func() { guest.expect(200, "GET", tokenInfo, "") })
		all.Go(func() { boss.expect(200, "GET", account+"/users", "") })
		all.Go(func() { boss.do("POST", account+"/invites", `{"email":"newcomer@example.com"}`) })
	}
	all.Wait()
	var in []struct {
		ID string `json:"_id"`
	}
	if err := json.Unmarshal([]byte(guest.do("GET", "/v1/api/invites/newcomer@example.com", "").body), &in); err != nil || len(in) != 1 {
		t.Fatalf("%d invitations, %v", len(in), err)
	}
	var accepted sync.Map
	for i := range 8 {
		all.Go(func() {
			accepted.Store(i, guest.do("PUT", "/v1/api/invites/"+in[0].ID+"/status", `{"accept":true}`).status)
		})
	}
	all.Wait()
	n := 0
	accepted.Range(func(_, status any) bool {
		if status == 200 {
			n++
		}
		return true
	})
	guest.login("newcomer@example.com", "secret-of-newcomer")
	if got := strings.Count(segment(t, guest.access, 1), `"role"`); n != 1 || got != 16 {
		t.Errorf("accepted %d times, %d accounts", n, got)
	}
}
