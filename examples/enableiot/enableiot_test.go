package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

const (
	admin    = "admin@example.com:secret:of:admin:admin"
	member   = "member@example.com:secret-of-member:user"
	newcomer = "newcomer@example.com:secret-of-newcomer:"

	tokenInfo = "/v1/api/auth/tokenInfo"
	me        = "/v1/api/auth/me"
	head      = "OK\nCache-Control: no-store\nContent-Type: application/json\n"
	refused   = "Unauthorized\nCache-Control: no-store\nContent-Type: application/json\nWww-Authenticate: Bearer realm=\"api\"\n" +
		`{"code":401,"message":"Not Authorized"}`
)

// TestClient walks through everything that a client of each generation does.
func TestClient(t *testing.T) {
	for _, row := range []struct{ name, flags, exp string }{
		{"a", "", `"exp":INSTANT`}, {"b", "-generation b", `"exp":MILLIS`},
		{"c", "-generation c", `"exp":INSTANT`}, {"d", "-generation d", `"exp":MILLIS`},
		{"a with numbers", "-exp ms", `"exp":MILLIS`}, {"d with texts", "-exp iso -generation d", `"exp":INSTANT`},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := &client{t: t, base: start(t, append(strings.Fields(row.flags), "-user", admin)...)}
			same(t, "login", golden(c.login("admin@example.com", "secret:of:admin")), head+`{"token":"TOKEN"}`)
			payload := `{"jti":"UUID","iss":"http://enableiot.com","sub":"ID",` + row.exp + `,"accounts":[{"id":"ID","name":"demo","role":"admin"}]}`
			same(t, "token", segment(t, c.access, 0)+masked(segment(t, c.access, 1)), `{"typ":"JWT","alg":"RS256"}`+payload)
			const limits = "X-Rate-Limit-Limit: 1000\nX-Rate-Limit-Remaining: 999\n"
			info := c.do("GET", tokenInfo, "")
			same(t, "tokenInfo", golden(info), head+limits+`{"header":{"typ":"JWT","alg":"RS256"},"payload":`+payload+`}`)
			if !strings.Contains(info.body, segment(t, c.access, 1)) {
				t.Errorf("tokenInfo says %s, the token %s", info.body, segment(t, c.access, 1))
			}
			same(t, "me", golden(c.do("GET", me, "")), head+limits+
				`{"id":"ID","created":MILLIS,"email":"admin@example.com","termsAndConditions":true,"updated":MILLIS,"verified":true}`)
		})
	}
}

// TestChangeOfAccess fetches a new token after an account was added.
func TestChangeOfAccess(t *testing.T) {
	c := &client{t: t, base: start(t, "-user", admin, "-user", member)}
	c.login("member@example.com", "secret-of-member")
	old := c.access
	added := c.expect(201, "POST", "/v1/api/accounts", `{"name":"a new one"}`)
	var account struct{ ID string }
	if err := json.Unmarshal([]byte(added.body), &account); err != nil {
		t.Fatal(err)
	}
	c.expect(403, "GET", "/v1/api/accounts/"+account.ID, "")
	c.login("member@example.com", "secret-of-member")
	same(t, "with a new token", c.expect(200, "GET", "/v1/api/accounts/"+account.ID, "").body, `{"id":"`+account.ID+`","name":"a new one"}`+"\n")
	if !strings.Contains(segment(t, c.access, 1), `"name":"a new one","role":"admin"`) {
		t.Error(segment(t, c.access, 1))
	}
	c.access = old
	c.expect(200, "GET", me, "")
	c.login("admin@example.com", "secret:of:admin")
	same(t, "somebody else's account", golden(c.do("GET", "/v1/api/accounts/"+account.ID, "")),
		"Forbidden\nCache-Control: no-store\nContent-Type: application/json\n"+
			"Www-Authenticate: Bearer realm=\"api\", error=\"insufficient_scope\", error_description=\"The access token does not allow this.\"\n"+
			"X-Rate-Limit-Limit: 1000\nX-Rate-Limit-Remaining: 999\n"+`{"code":403,"message":"Forbidden"}`)
}

// TestTable changes the table behind the server's back.
func TestTable(t *testing.T) {
	iot, err := newServer(platform(t))
	c := mounted(t, iot, err)
	c.login("member@example.com", "secret-of-member")
	c.startRefresh()
	found, _ := iot.users.named("member@example.com")
	account := "/v1/api/accounts/" + found.accounts[0].ID
	c.expect(200, "GET", account, "")
	iot.users.change(found.id, func(u *user) { u.accounts = []membership{{found.accounts[0].ID, "demo", "admin"}} })
	c.renew()
	if says := segment(t, c.access, 1); !strings.Contains(says, `"role":"admin"`) {
		t.Errorf("a new role is not in the new token: %s", says)
	}
	iot.users.change(found.id, func(u *user) { u.accounts = nil })
	c.expect(403, "GET", account, "")
	iot.users.change(found.id, func(u *user) { u.locked = true })
	c.expect(401, "GET", me, "")
	same(t, "refresh of a locked user", golden(c.renew()), refused)
}

func TestRefresh(t *testing.T) {
	c := &client{t: t, base: start(t, "-user", admin, "-user", member, "-generation", "d")}
	c.login("admin@example.com", "secret:of:admin")
	same(t, "start", strings.ReplaceAll(golden(c.startRefresh()), "X-Rate-Limit-Limit: 1000\nX-Rate-Limit-Remaining: 999\n", ""), head+`{"refreshToken":"TOKEN"}`)
	first, access := c.refresh, c.access
	same(t, "refresh", golden(c.renew()), head+`{"jwt":"TOKEN","refreshToken":"TOKEN"}`)
	if c.access == access || c.refresh == first {
		t.Error("the tokens are not new")
	}
	c.expect(200, "GET", me, "")
	other := &client{t: t, base: c.base, refresh: c.refresh}
	other.login("member@example.com", "secret-of-member")
	same(t, "somebody else's refresh token", golden(other.renew()), refused)
	if got := c.renew(); got.status != 200 {
		t.Errorf("which must not end it: %d", got.status)
	}
	revoked := c.refresh
	for range 2 {
		same(t, "revoke", golden(c.do("DELETE", "/v1/api/auth/refresh/revoke", `{"refreshToken":"`+revoked+`"}`)), head+`{}`)
	}
	same(t, "revoked", golden(c.renew()), refused)

	c.startRefresh()
	spent := c.refresh
	c.renew()
	next := c.refresh
	c.refresh = spent
	same(t, "spent", golden(c.renew()), refused)
	c.refresh = next
	same(t, "its successor", golden(c.renew()), refused)
}

func TestRefreshWithExpiredToken(t *testing.T) {
	c := &client{t: t, base: start(t, "-user", admin, "-user", member, "-generation", "c", "-access-ttl", "1s")}
	other := &client{t: t, base: c.base}
	other.login("member@example.com", "secret-of-member")
	c.login("admin@example.com", "secret:of:admin")
	c.startRefresh()
	for deadline := time.Now().Add(10 * time.Second); c.do("GET", me, "").status != 401; {
		if time.Now().After(deadline) {
			t.Fatal("the token does not expire")
		}
		time.Sleep(50 * time.Millisecond) // real sockets: no bubble
	}
	other.refresh = c.refresh
	same(t, "somebody else's expired token", golden(other.renew()), refused)
	forged := &client{t: t, base: c.base, refresh: c.refresh, access: c.access[:len(c.access)-8] + "AAAAAAAA"}
	same(t, "forged token", golden(forged.renew()), refused)
	if got := c.renew(); got.status != 200 {
		t.Errorf("one's own: %d %s", got.status, got.body)
	}
}

func TestAttacks(t *testing.T) {
	c := &client{t: t, base: start(t, "-user", admin, "-user", member, "-locked", "member@example.com", "-generation", "c", "-auth-limit", "1000")}
	unknown := golden(c.login("nobody@example.com", "guess"))
	same(t, "unknown user", unknown, refused)
	same(t, "wrong password", golden(c.login("admin@example.com", "guess")), unknown)
	same(t, "wrong password of a locked user", golden(c.login("member@example.com", "guess")), unknown)
	same(t, "locked user", golden(c.login("member@example.com", "secret-of-member")),
		"Forbidden\nCache-Control: no-store\nContent-Type: application/json\n"+`{"code":2403,"message":"Account locked"}`)
	const token, good = "/v1/api/auth/token", `"username":"admin@example.com","password":"secret:of:admin"`
	same(t, "unknown member", golden(c.do("POST", token, `{`+good+`,"remember":true}`)), "Bad Request\nCache-Control: no-store\nContent-Type: application/json\n"+
		`{"code":400,"message":"Invalid request","errors":["there must be no other members than username and password"]}`)
	for _, row := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"missing member", "POST", token, `{"username":"admin@example.com"}`, 400},
		{"member twice", "POST", token, `{"password":"x",` + good + `}`, 400},
		{"other case", "POST", token, `{"Username":"admin@example.com","password":"secret:of:admin"}`, 400},
		{"oversize", "POST", token, `{"username":"` + strings.Repeat("a", 65<<10) + `"}`, 413},
		{"401 before 404", "GET", "/v1/api/nothing", "", 401},
		{"401 before 405", "DELETE", me, "", 401},
		{"wrong method on login", "GET", token, "", 401},
		{"outside", "GET", "/", "", 404},
		{"the root", "GET", "/v1/api/", "", 401},
		{"a slash more", "GET", me + "/", "", 401},
		{"no access token beside the refresh token", "PUT", "/v1/api/auth/refresh", `{"refreshToken":"x"}`, 401},
	} {
		t.Run(row.name, func(t *testing.T) { c.expect(row.status, row.method, row.path, row.body) })
	}
	c.login("admin@example.com", "secret:of:admin")
	c.expect(404, "GET", "/v1/api/nothing", "")
	c.startRefresh()
	access := c.access
	c.access = c.refresh
	c.expect(401, "GET", me, "")
	c.access = access
	c.refresh = access
	same(t, "an access token as refresh token", golden(c.renew()), refused)
}

func TestEarlyGenerationsHaveNoRefresh(t *testing.T) {
	c := &client{t: t, base: start(t, "-user", admin)}
	c.login("admin@example.com", "secret:of:admin")
	c.expect(404, "POST", "/v1/api/auth/refresh", `{}`)
	c.expect(404, "PUT", "/v1/api/auth/refresh", `{}`)
	c.expect(404, "DELETE", "/v1/api/auth/refresh/revoke", `{}`)
}

func TestLimits(t *testing.T) {
	c := &client{t: t, base: start(t, "-user", admin, "-user", member, "-hourly-limit", "2", "-auth-limit", "3")}
	c.login("admin@example.com", "secret:of:admin")
	c.expect(200, "GET", me, "")
	c.expect(200, "GET", me, "")
	got := c.expect(429, "GET", me, "")
	same(t, "limited", got.body, `{"error":"RateLimit","message":"Too many requests, try again later."}`+"\n")
	for name, want := range map[string]string{"X-Rate-Limit-Limit": "2", "X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "1800", "Retry-After": "1800"} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
		}
	}
	c.expect(200, "GET", tokenInfo, "") // another route
	c.login("member@example.com", "secret-of-member")
	c.expect(200, "GET", me, "") // another user
	c.login("member@example.com", "guess")
	if got := c.login("member@example.com", "secret-of-member"); got.status != 429 || got.header.Get("X-Rate-Limit-Limit") != "" {
		t.Errorf("fourth login: %d %v", got.status, got.header)
	}
}

// TestLockout guesses until the user is locked, one that exists and one that
// does not.
func TestLockout(t *testing.T) {
	c := &client{t: t, base: start(t, "-user", admin, "-auth-limit", "1000")}
	for _, name := range []string{"admin@example.com", "nobody@example.com"} {
		for range 30 {
			if got := c.login(name, "guess"); got.status != 401 {
				t.Fatalf("%s: %d", name, got.status)
			}
		}
		same(t, name, c.login(name, "secret:of:admin").body, `{"code":2403,"message":"Account locked"}`+"\n")
	}
}

// TestPages is a page of another origin. What it may send is asked for first.
func TestPages(t *testing.T) {
	iot, err := New(platform(t))
	c := mounted(t, iot, err)
	ask := http.Header{"Origin": {"https://pages.example"}, "Access-Control-Request-Method": {"PUT"}, "Access-Control-Request-Headers": {"authorization,content-type"}}
	asked := c.send("OPTIONS", "/v1/api/auth/refresh", "", ask)
	if asked.status != 200 || asked.body != "" || asked.header.Get("Access-Control-Allow-Origin") != "*" ||
		!strings.HasPrefix(asked.header.Get("Access-Control-Allow-Headers"), "Authorization, Content-Type") ||
		!strings.Contains(asked.header.Get("Access-Control-Allow-Methods"), "PUT") {
		t.Errorf("preflight: %d %v", asked.status, asked.header)
	}
	for _, path := range []string{"/v1/api/health", me, tokenInfo, "/v1/api/nothing"} {
		got := c.send("GET", path, "", http.Header{"Origin": {"https://pages.example"}})
		for _, field := range []string{"WWW-Authenticate", "Retry-After", "X-Rate-Limit-Remaining"} {
			if !strings.Contains(got.header.Get("Access-Control-Expose-Headers"), field) {
				t.Errorf("%s: %s is not shown", path, field)
			}
		}
		if got.header.Get("Access-Control-Allow-Origin") != "*" || got.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", path, got.header)
		}
	}
	// What is not a preflight stands behind the guard.
	for _, fields := range []http.Header{{}, {"Origin": {"https://pages.example"}}, {"Access-Control-Request-Method": {"GET"}}} {
		if got := c.send("OPTIONS", me, "", fields); got.status != 401 {
			t.Errorf("%v: %d", fields, got.status)
		}
	}
}

func TestConfig(t *testing.T) {
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "Users:") || !strings.Contains(err.Error(), "Keys:") {
		t.Errorf("the zero value: %v", err)
	}
	secret, err := signing.NewSecret("HS256", "", make([]byte, 32), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := signing.NewSchedule(secret)
	if err != nil {
		t.Fatal(err)
	}
	for field, spoil := range map[string]func(*Config){
		"Users:":       func(c *Config) { c.Users[0].Email = "nobody" },
		"given twice":  func(c *Config) { c.Users[1].Email = "ADMIN@example.com" },
		"no password":  func(c *Config) { c.Users[0].Password = "" },
		"not a word":   func(c *Config) { c.Users[0].Role = "a-king" },
		"Keys:":        func(c *Config) { c.Keys = secrets },
		"RefreshKeys:": func(c *Config) { c.Store = issuer.NewMemoryStore() },
		"AccessLife:":  func(c *Config) { c.AccessLife = 1 },
		"RefreshLife:": func(c *Config) { c.RefreshLife = -1 },
		"AuthLimit:":   func(c *Config) { c.AuthLimit = -1 },
		"HourlyLimit:": func(c *Config) { c.HourlyLimit = -1 },
	} {
		config := platform(t)
		spoil(&config)
		if handler, err := New(config); err == nil || handler != nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// TestLife has tokens live no longer than refresh tokens, if there are any.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := platform(t)
		config.RefreshLife = time.Hour
		for refreshable, exp := range map[bool]string{false: "2000-01-02T00:00", true: "2000-01-01T01:00"} {
			config.RefreshTokens = refreshable
			iot, err := New(config)
			c := mounted(t, iot, err)
			c.login("admin@example.com", "secret:of:admin")
			if got := segment(t, c.access, 1); !strings.Contains(got, `"exp":"`+exp) {
				t.Errorf("%v: %s", refreshable, got)
			}
		}
	})
}

// TestFlags gives what is wrong: the flag is named, and nothing serves.
func TestFlags(t *testing.T) {
	ended, end := context.WithCancel(t.Context()) // what is taken for right ends at once
	end()
	for _, row := range []struct{ args, flag string }{
		{"-access-ttl 0s", "-access-ttl"}, {"-refresh-ttl x", "-refresh-ttl"}, {"-user nobody", "-user"},
		{"-user a@example.com:a-long-password:a-king", "-user"}, {"-user a:a-long-password:admin", "-user"},
		{"-user a@example.com::admin", "-user"}, {"-user a@example.com:a-long-password:admin -user A@example.com:a-long-password:", "-user"}, {"-auth-limit 0", "-auth-limit"},
		{"-hourly-limit 1x", "-hourly-limit"}, {"-generation e", "-generation"}, {"-exp unix", "-exp"}, {"-locked x@example.com", "-locked"},
		{"-addr nowhere", "-addr"}, {"-nonsense", "-nonsense"}, {"more", "more"},
	} {
		var out, errs bytes.Buffer
		if got := run(ended, strings.Fields(row.args), &out, &errs); got != 2 || !strings.Contains(errs.String(), row.flag) || out.Len() > 0 {
			t.Errorf("%s: exit status %d, %s%s", row.args, got, &out, &errs)
		}
		if strings.Contains(errs.String(), "a-long-password") {
			t.Errorf("%s: the password is printed: %s", row.args, &errs)
		}
	}
}
