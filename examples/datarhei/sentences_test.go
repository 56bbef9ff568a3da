package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The documents that say how the system is to be used.
const (
	loginPage = "datarhei Core, Login"
	wirePage  = "datarhei Core, Login: its sample tokens"
)

// A sentence is one thing that a document says, in our words, and what it means
// on the wire. What we read otherwise is in reading.
type sentence struct {
	document, says, reading string
	check                   func(t *testing.T, c *client, tenantToken string)
}

// sentences are all that the documents say about logins.
var sentences = []sentence{
	{loginPage, "without a token no call of the API is answered", "", func(t *testing.T, c *client, _ string) {
		same(t, "log", golden(c.do("GET", "/api/v3/log", "")), missing)
		same(t, "what does not exist", golden(c.do("GET", "/api/v3/nothing", "")), missing)
	}},
	{loginPage, "name and password go as JSON in the body of POST /api/login, as the printed request has it", "", func(t *testing.T, c *client, _ string) {
		body := "{\n  \"username\": \"admin\",\n  \"password\": \"datarhei\"\n}"
		got := c.send("POST", "/api/login", body, http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}})
		same(t, "login", golden(got), pairs)
	}},
	{loginPage, "they are those of the configuration", "", func(t *testing.T, c *client, _ string) {
		same(t, "other name", golden(c.login("root", "datarhei")), wrongPassword)
		same(t, "other password", golden(c.login("admin", "Datarhei")), wrongPassword)
	}},
	{loginPage, "the answer is an object with an access token and a refresh token", "", func(t *testing.T, c *client, _ string) {
		var in map[string]string
		if got := c.login("admin", "datarhei"); json.Unmarshal([]byte(got.body), &in) != nil || len(in) != 2 || in["access_token"] == in["refresh_token"] {
			t.Error(got.body)
		}
	}},
	{loginPage, "the access token opens what is below /api/v3/", "", func(t *testing.T, c *client, _ string) {
		c.login("admin", "datarhei")
		same(t, "log", golden(c.do("GET", "/api/v3/log", "")), head+"[]")
	}},
	{loginPage, "the printed example calls /api/ with it", "", func(t *testing.T, c *client, _ string) {
		c.login("admin", "datarhei")
		got := c.send("GET", "/api/", "", http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}, "Authorization": {"Bearer " + c.access}})
		if got.status != 200 || !strings.Contains(got.body, `"app":"datarhei-core"`) || !strings.Contains(got.body, `"id":`) {
			t.Errorf("%d %s", got.status, got.body)
		}
	}},
	{loginPage, "exp says when the access token expires", "", func(t *testing.T, c *client, _ string) {
		c.login("admin", "datarhei")
		at := time.Unix(int64(member(t, c.access, "exp")), 0)
		time.Sleep(time.Until(at) - time.Second)
		c.expect(200, "GET", "/api/v3/log", "")
		time.Sleep(time.Second)
		c.expect(401, "GET", "/api/v3/log", "")
	}},
	{loginPage, "exi says how many seconds that is from now", "", func(t *testing.T, c *client, _ string) {
		now := time.Now().Unix()
		c.login("admin", "datarhei")
		if exi, exp := member(t, c.access, "exi"), member(t, c.access, "exp"); exi != 600 || int64(exp) != now+600 {
			t.Errorf("exi %v, exp %v at %d", exi, exp, now)
		}
	}},
	{loginPage, "GET /api/login/refresh with the refresh token gives a new access token, as the printed request has it", "", func(t *testing.T, c *client, _ string) {
		c.login("admin", "datarhei")
		old := c.access
		got := c.send("GET", "/api/login/refresh", "", http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}, "Authorization": {"Bearer " + c.refresh}})
		same(t, "refresh", golden(got), head+`{"access_token":"TOKEN"}`)
		if c.take(got); c.access == old {
			t.Error("the access token is not new")
		}
		c.expect(200, "GET", "/api/v3/log", "")
	}},
	{loginPage, "when the refresh token has expired, name and password are needed again", "", func(t *testing.T, c *client, _ string) {
		c.login("admin", "datarhei")
		time.Sleep(24*time.Hour - time.Second)
		same(t, "in time", golden(c.renew()), head+`{"access_token":"TOKEN"}`)
		time.Sleep(time.Second)
		same(t, "expired", golden(c.renew()), missing)
		same(t, "again", golden(c.login("admin", "datarhei")), pairs)
	}},
	{loginPage, "a login is by name and password, or by a token of Auth0", "", func(t *testing.T, c *client, tenantToken string) {
		same(t, "password", golden(c.login("admin", "datarhei")), pairs)
		c.access = tenantToken
		same(t, "Auth0", golden(c.do("POST", "/api/login", "")), pairs)
	}},
	{loginPage, "both members of the body are required, and strings", "", func(t *testing.T, c *client, _ string) {
		for _, body := range []string{`{}`, `{"username":"admin"}`, `{"password":"datarhei"}`, `{"username":"admin","password":1}`, `{"username":["admin"],"password":"datarhei"}`} {
			same(t, body, golden(c.do("POST", "/api/login", body)), nothing)
		}
	}},
	{loginPage, "the answer is 200 and JSON", "", func(t *testing.T, c *client, _ string) {
		if got := c.login("admin", "datarhei"); got.status != 200 || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%d %v", got.status, got.header)
		}
	}},
	{loginPage, "the printed login has an Authorization field beside the body", "", func(t *testing.T, c *client, _ string) {
		for _, key := range []string{"YOUR_API_KEY", "Bearer YOUR_API_KEY"} {
			fields := http.Header{"Authorization": {key}, "Content-Type": {"application/json"}, "Accept": {"*/*"}}
			same(t, key, golden(c.send("POST", "/api/login", `{"password": "datarhei", "username": "admin"}`, fields)), pairs)
		}
	}},
	{loginPage, "the printed paths have no /api", "The host is called \"api\" there: the whole document speaks of /api/login, and that is where it is.", func(t *testing.T, c *client, _ string) {
		c.expect(404, "POST", "/login", `{"username":"admin","password":"datarhei"}`)
		c.expect(404, "GET", "/login/refresh", "")
	}},
	{loginPage, "a token of Auth0 goes as Bearer to POST /api/login, as the printed request has it, without a body", "", func(t *testing.T, c *client, tenantToken string) {
		got := c.send("POST", "/api/login", "", http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}, "Authorization": {"Bearer " + tenantToken}})
		same(t, "login", golden(got), pairs)
		c.take(got)
		c.expect(200, "GET", "/api/v3/log", "")
	}},
	{loginPage, "such a token must be valid", "", func(t *testing.T, c *client, tenantToken string) {
		c.access = tenantToken[:len(tenantToken)-8] + "AAAAAAAA"
		c.expect(401, "POST", "/api/login", "")
		c.access = tenantToken
		time.Sleep(8 * 24 * time.Hour)
		c.expect(401, "POST", "/api/login", "")
	}},
	{loginPage, "tenant and users must be in the configuration", "", func(t *testing.T, c *client, tenantToken string) {
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		c.access = typed(`"typ":"JWT",`, other, segment(t, tenantToken, 1))
		c.expect(401, "POST", "/api/login", "")
		config, _ := coreWithTenant(t, "", "")
		config.Auth0.Users = []string{"auth0|alice"}
		c = mounted(t, config)
		c.access = tenantToken // right but for its user
		c.expect(401, "POST", "/api/login", "")
		c = mounted(t, Config{Username: "admin", Password: "datarhei"})
		c.access = tenantToken
		c.expect(400, "POST", "/api/login", "")
		config.Auth0.Users = nil
		if _, err := New(config); err == nil {
			t.Error("a tenant without users serves")
		}
	}},
	{wirePage, "the refresh token has these members and this header, and lives for a day", "", func(t *testing.T, c *client, _ string) {
		c.login("admin", "datarhei")
		same(t, "refresh token", segment(t, c.refresh, 0)+masked(segment(t, c.refresh, 1)),
			`{"alg":"HS256","typ":"JWT"}{"exi":86400,"exp":946771200,"iat":946684800,"iss":"datarhei-core","jti":"UUID","sub":"admin","usefor":"refresh"}`)
	}},
	{wirePage, "the access token that it gives has the same, and lives for ten minutes", "", func(t *testing.T, c *client, _ string) {
		c.login("admin", "datarhei")
		time.Sleep(time.Hour)
		c.renew()
		same(t, "access token", segment(t, c.access, 0)+masked(segment(t, c.access, 1)),
			`{"alg":"HS256","typ":"JWT"}{"exi":600,"exp":946689000,"iat":946688400,"iss":"datarhei-core","jti":"UUID","sub":"admin","usefor":"access"}`)
	}},
	{loginPage, "the answer to a refresh has the access token alone", "", func(t *testing.T, c *client, _ string) {
		c.login("admin", "datarhei")
		same(t, "refresh", golden(c.renew()), head+`{"access_token":"TOKEN"}`)
	}},
	{loginPage, "after a refresh token of Auth0's users has expired, a token of Auth0 will do again", "", func(t *testing.T, c *client, tenantToken string) {
		for range 2 {
			c.access = tenantToken
			c.take(c.expect(200, "POST", "/api/login", ""))
			same(t, "refresh", golden(c.renew()), head+`{"access_token":"TOKEN"}`)
			time.Sleep(24 * time.Hour)
			same(t, "expired", golden(c.renew()), missing)
		}
	}},
	{loginPage, "what gives a new access token is the refresh token, and nothing else", "", func(t *testing.T, c *client, tenantToken string) {
		c.login("admin", "datarhei")
		for _, token := range []string{c.access, tenantToken, ""} {
			c.refresh = token
			same(t, "refresh", golden(c.renew()), missing)
		}
	}},
}

func TestSentences(t *testing.T) {
	for _, s := range sentences {
		name := strings.Trim(regexp.MustCompile(`\W+`).ReplaceAllString(s.says, " "), " ")
		t.Run(name, func(t *testing.T) {
			if s.reading != "" {
				t.Log("read otherwise:", s.reading)
			}
			synctest.Test(t, func(t *testing.T) {
				config, token := coreWithTenant(t, localJWT, `"typ":"JWT",`)
				s.check(t, mounted(t, config), token)
			})
			if t.Failed() {
				t.Logf("%s: %s", s.document, s.says)
			}
		})
	}
}

func member(t *testing.T, token, name string) float64 {
	t.Helper()
	var in map[string]any
	if err := json.Unmarshal([]byte(segment(t, token, 1)), &in); err != nil {
		t.Fatal(err)
	}
	n, ok := in[name].(float64)
	if !ok {
		t.Errorf("%s is %v", name, in[name])
	}
	return n
}
