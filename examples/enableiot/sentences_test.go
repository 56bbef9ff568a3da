package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// page is the document that says how the system is to be used.
const page = "EnableIoT wiki, Authorization"

// A sentence is one thing that the document says, in our words, and what it means
// on the wire. What we read otherwise than it can be read is in reading.
type sentence struct {
	document, says, reading string
	check                   func(t *testing.T, c *client)
}

const plain = head + "X-Rate-Limit-Limit: 1000\nX-Rate-Limit-Remaining: 999\n"

// sentences are all that the document says.
var sentences = []sentence{
	{page, "requests say application/json", "", func(t *testing.T, c *client) {
		body := "{\n\"username\": \"admin@example.com\",\n\"password\": \"secret:of:admin\"\n}"
		for _, kind := range []string{"application/json", "application/json; charset=utf-8"} {
			same(t, kind, golden(c.send("POST", "/v1/api/auth/token", body, http.Header{"Content-Type": {kind}})), head+`{"token":"TOKEN"}`)
		}
	}},
	{page, "POST /v1/api/auth/token takes a name, which is an e-mail address, and a password", "", func(t *testing.T, c *client) {
		same(t, "login", golden(c.login("admin@example.com", "secret:of:admin")), head+`{"token":"TOKEN"}`)
		same(t, "wrong", golden(c.login("admin@example.com", "guess")), refused)
		c.expect(400, "POST", "/v1/api/auth/token", `{"username":"admin@example.com"}`)
	}},
	{page, "the answer is 200 and an object with a token", "", func(t *testing.T, c *client) {
		var in map[string]string
		if got := c.login("admin@example.com", "secret:of:admin"); got.status != 200 || json.Unmarshal([]byte(got.body), &in) != nil || len(in) != 1 || in["token"] == "" {
			t.Errorf("%d %s", got.status, got.body)
		}
	}},
	{page, "the printed token begins as its header in this order does", "", func(t *testing.T, c *client) {
		if c.login("admin@example.com", "secret:of:admin"); !strings.HasPrefix(c.access, "eyJ0eXAi") {
			t.Error(c.access)
		}
	}},
	{page, "the same call refreshes the token", "", func(t *testing.T, c *client) {
		c.login("admin@example.com", "secret:of:admin")
		old := c.access
		time.Sleep(12 * time.Hour)
		if c.login("admin@example.com", "secret:of:admin"); c.access == old {
			t.Error("it is the old one")
		}
		time.Sleep(13 * time.Hour)
		c.expect(200, "GET", me, "")
		c.access = old
		c.expect(401, "GET", me, "")
	}},
	{page, "a token is valid for 24 hours", "", func(t *testing.T, c *client) {
		c.login("admin@example.com", "secret:of:admin")
		time.Sleep(24*time.Hour - time.Second)
		c.expect(200, "GET", me, "")
		time.Sleep(time.Minute + 2*time.Second) // a minute is for clocks that differ
		c.expect(401, "GET", me, "")
	}},
	{page, "it contains what its user may do", "", func(t *testing.T, c *client) {
		c.login("member@example.com", "secret-of-member")
		if says := masked(segment(t, c.access, 1)); !strings.Contains(says, `"accounts":[{"id":"ID","name":"demo","role":"user"}]`) {
			t.Error(says)
		}
	}},
	{page, "after a change of access a new token is needed for the new rights",
		"For what is granted. What is taken away counts at once, also with the old token: later sources look at the table for both.",
		func(t *testing.T, c *client) {
			c.login("newcomer@example.com", "secret-of-newcomer")
			path := added(t, c)
			c.expect(403, "GET", path, "")
			c.login("newcomer@example.com", "secret-of-newcomer")
			c.expect(200, "GET", path, "")
		}},
	{page, "first example: a user creates an account", "", func(t *testing.T, c *client) {
		c.login("newcomer@example.com", "secret-of-newcomer")
		path := added(t, c)
		c.expect(403, "GET", path+"/users", "")
		c.login("newcomer@example.com", "secret-of-newcomer")
		c.expect(200, "GET", path+"/users", "")
	}},
	{page, "second example: a user is invited to an account", "", func(t *testing.T, c *client) {
		boss, account := ofAccount(t, *c, "admin@example.com", "secret:of:admin")
		c.login("newcomer@example.com", "secret-of-newcomer")
		invite := inviteID(t, boss.expect(201, "POST", account+"/invites", `{"email":"newcomer@example.com"}`))
		c.expect(200, "PUT", "/v1/api/invites/"+invite+"/status", `{"accept":true}`)
		c.expect(403, "GET", account, "")
		c.login("newcomer@example.com", "secret-of-newcomer")
		c.expect(200, "GET", account, "")
	}},
	{page, "third example: a user's role becomes admin", "", func(t *testing.T, c *client) {
		boss, account := ofAccount(t, *c, "admin@example.com", "secret:of:admin")
		worker, _ := ofAccount(t, *c, "member@example.com", "secret-of-member")
		var in []struct{ ID string }
		if err := json.Unmarshal([]byte(boss.do("GET", account+"/users", "").body), &in); err != nil {
			t.Fatal(err)
		}
		_, accountID, _ := strings.Cut(account, "accounts/")
		boss.expect(200, "PUT", account+"/users/"+in[1].ID, `{"accounts":{"`+accountID+`":"admin"}}`)
		worker.expect(403, "GET", account+"/invites", "")
		worker.login("member@example.com", "secret-of-member")
		worker.expect(200, "GET", account+"/invites", "")
	}},
	{page, "calls carry the token as Bearer in Authorization", "", func(t *testing.T, c *client) {
		c.login("admin@example.com", "secret:of:admin")
		for _, path := range []string{me, tokenInfo} {
			c.expect(200, "GET", path, "")
			same(t, path, golden(c.send("GET", path, "", http.Header{})), refused)
			same(t, path, golden(c.send("GET", path+"?token="+c.access, "", http.Header{})), refused)
		}
	}},
	{page, "GET tokenInfo gives header and payload of the token",
		"With the user's accounts besides, which the document does not print. They are those of the table, as in later sources, and not those of the token.",
		func(t *testing.T, c *client) {
			c.login("newcomer@example.com", "secret-of-newcomer")
			payload, _ := strings.CutSuffix(segment(t, c.access, 1), `,"accounts":[]}`)
			const header = `{"header":{"typ":"JWT","alg":"RS256"},"payload":`
			same(t, "token", golden(c.do("GET", tokenInfo, "")), plain+header+masked(payload)+`,"accounts":[]}}`)
			added(t, c)
			if got := c.do("GET", tokenInfo, "").body; !strings.HasPrefix(got, header+payload) || !strings.Contains(got, `"name":"a new one","role":"admin"`) {
				t.Errorf("after a change: %s", got)
			}
		}},
	{page, "the header has typ and alg", "", func(t *testing.T, c *client) {
		c.login("admin@example.com", "secret:of:admin")
		same(t, "header", segment(t, c.access, 0), `{"typ":"JWT","alg":"RS256"}`)
	}},
	{page, "the payload has jti, a UUID; iss, a name; sub, an id of 24 hexadecimal digits; and exp", "", func(t *testing.T, c *client) {
		c.login("newcomer@example.com", "secret-of-newcomer")
		same(t, "payload", masked(segment(t, c.access, 1)), `{"jti":"UUID","iss":"http://enableiot.com","sub":"ID","exp":INSTANT,"accounts":[]}`)
	}},
	{page, "exp is a text with milliseconds and a Z", "", func(t *testing.T, c *client) {
		c.login("newcomer@example.com", "secret-of-newcomer")
		const exp = `"exp":"2000-01-02T00:00:00.000Z"`
		if got := segment(t, c.access, 1); !strings.Contains(got, exp) {
			t.Error(got)
		}
		if got := c.do("GET", tokenInfo, "").body; !strings.Contains(got, exp) {
			t.Error(got)
		}
	}},
	{page, "GET me gives the user: id, e-mail, consent, verification, and two times in milliseconds", "", func(t *testing.T, c *client) {
		c.login("admin@example.com", "secret:of:admin")
		same(t, "me", golden(c.do("GET", me, "")), plain+
			`{"id":"ID","created":MILLIS,"email":"admin@example.com","termsAndConditions":true,"updated":MILLIS,"verified":true}`)
	}},
	{page, "they are the same for who was never changed", "", func(t *testing.T, c *client) {
		c.login("newcomer@example.com", "secret-of-newcomer")
		var in struct{ Created, Updated int64 }
		read := func() {
			if err := json.Unmarshal([]byte(c.do("GET", me, "").body), &in); err != nil {
				t.Fatal(err)
			}
		}
		if read(); in.Created != 946684800000 || in.Updated != in.Created {
			t.Errorf("%+v", in)
		}
		time.Sleep(time.Second)
		added(t, c)
		if read(); in.Updated != in.Created+1000 {
			t.Errorf("%+v", in)
		}
	}},
	{page, "one printed path lacks its space", "GET/v1/api is GET /v1/api.", func(t *testing.T, c *client) {
		c.login("admin@example.com", "secret:of:admin")
		c.expect(200, "GET", "/v1/api/auth/tokenInfo", "")
	}},
}

func TestSentences(t *testing.T) {
	for _, s := range sentences {
		name := strings.Trim(regexp.MustCompile(`\W+`).ReplaceAllString(s.says, " "), " ")
		t.Run(name, func(t *testing.T) {
			if s.reading != "" {
				t.Log("read otherwise:", s.reading)
			}
			oneKey() // made outside of the bubble
			synctest.Test(t, func(t *testing.T) {
				config := platform(t)
				config.RefreshTokens = false // as in the document
				iot, err := New(config)
				s.check(t, mounted(t, iot, err))
			})
			if t.Failed() {
				t.Logf("%s: %s", s.document, s.says)
			}
		})
	}
}

// added creates an account and returns its path.
func added(t *testing.T, c *client) string {
	t.Helper()
	var in struct{ ID string }
	got := c.expect(201, "POST", "/v1/api/accounts", `{"name":"a new one"}`)
	if err := json.Unmarshal([]byte(got.body), &in); err != nil {
		t.Fatal(err)
	}
	return "/v1/api/accounts/" + in.ID
}
