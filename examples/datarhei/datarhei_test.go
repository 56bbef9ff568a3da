package main

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	head          = "OK\nCache-Control: no-store\nContent-Type: application/json\n"
	refused       = "Unauthorized\nCache-Control: no-store\nContent-Type: application/json\n"
	missing       = refused + "Www-Authenticate: Bearer realm=\"api\"\n" + `{"code":401,"message":"Unauthorized","details":["Missing or invalid JWT token"]}`
	wrongPassword = refused + "Www-Authenticate: Bearer realm=\"api\"\n" +
		`{"code":401,"message":"Unauthorized","details":["Invalid authorization credentials: invalid username or password"]}`
	nothing = "Bad Request\nCache-Control: no-store\nContent-Type: application/json\n" +
		`{"code":400,"message":"Bad Request","details":["Missing authorization credentials"]}`
	pairs   = head + `{"access_token":"TOKEN","refresh_token":"TOKEN"}`
	invalid = refused + "Www-Authenticate: Bearer realm=\"api\", error=\"invalid_token\", error_description=\"The access token is not valid.\"\n" +
		`{"code":401,"message":"Unauthorized","details":["Missing or invalid JWT token"]}`
	anonymous = head + `{"app":"datarhei-core","auths":["localjwt"],"version":{"number":"16.0.0"}}`
)

// TestClient walks through everything that a client does.
func TestClient(t *testing.T) {
	c := &client{t: t, base: start(t)}
	same(t, "before login", golden(c.do("GET", "/api", "")), anonymous)
	same(t, "login", golden(c.login("admin", "datarhei")), pairs)
	token := func(text string) string { return segment(t, text, 0) + masked(segment(t, text, 1)) }
	access := `{"alg":"HS256","typ":"JWT"}{"exi":600,"exp":TIME,"iat":TIME,"iss":"datarhei-core","jti":"UUID","sub":"admin","usefor":"access"}`
	same(t, "access token", token(c.access), access)
	same(t, "refresh token", token(c.refresh), `{"alg":"HS256","typ":"JWT"}{"exi":86400,"exp":TIME,"iat":TIME,"iss":"datarhei-core","jti":"UUID","sub":"admin","usefor":"refresh"}`)
	for _, path := range []string{"/api", "/api/"} {
		got := golden(c.do("GET", path, ""))
		same(t, path, got, head+`{"app":"datarhei-core","auths":["localjwt"],"name":"core","id":"UUID","created_at":INSTANT,"uptime_seconds":0,"version":{"number":"16.16.0"}}`)
	}
	same(t, "log", golden(c.do("GET", "/api/v3/log", "")), head+`[]`)

	first := c.refresh
	for range 2 { // it stays good
		old := c.access
		same(t, "refresh", golden(c.renew()), head+`{"access_token":"TOKEN"}`)
		if c.access == old || c.refresh != first {
			t.Error("the access token is not new, or the refresh token is")
		}
		same(t, "new access token", token(c.access), access)
		c.expect(200, "GET", "/api/v3/log", "")
	}
	var says struct{ Exi, Exp, Iat int64 }
	if err := json.Unmarshal([]byte(segment(t, c.access, 1)), &says); err != nil || says.Exp-says.Iat != says.Exi {
		t.Errorf("exi is not what lies between exp and iat: %v %+v", err, says)
	}
}

func TestRotation(t *testing.T) {
	c := &client{t: t, base: start(t, "-rotate", "-username", "me", "-password", "secret", "-access-ttl", "90s", "-refresh-ttl", "2h")}
	c.login("me", "secret")
	if says := segment(t, c.access, 1) + segment(t, c.refresh, 1); !strings.Contains(says, `"exi":90,`) || !strings.Contains(says, `"exi":7200,`) {
		t.Error(says)
	}
	first := c.refresh
	same(t, "refresh", golden(c.renew()), pairs)
	c.expect(200, "GET", "/api/v3/log", "")
	if got := c.renew(); got.status != 200 {
		t.Errorf("with the new refresh token: %d", got.status)
	}
	c.refresh = first
	same(t, "spent", golden(c.renew()), missing)
}

// TestExpiryOfRefresh sees no access token outlive its refresh token.
func TestExpiryOfRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mounted(t, Config{Username: "admin", Password: "datarhei", AccessLife: 4 * time.Minute, RefreshLife: 5 * time.Minute})
		c.login("admin", "datarhei")
		for _, life := range []string{`{"exi":240,`, `{"exi":120,`} {
			if got := c.renew(); got.status != 200 || !strings.HasPrefix(segment(t, c.access, 1), life) {
				t.Errorf("%d: %s, want %s", got.status, segment(t, c.access, 1), life)
			}
			time.Sleep(3 * time.Minute)
		}
		same(t, "after its expiry", golden(c.renew()), missing)
	})
}

func TestAttacks(t *testing.T) {
	c := &client{t: t, base: start(t, "-auth-limit", "1000")}
	same(t, "unknown user", golden(c.login("nobody", "datarhei")), wrongPassword)
	same(t, "wrong password", golden(c.login("admin", "guess")), wrongPassword)
	same(t, "nothing", golden(c.do("POST", "/api/login", `{}`)), nothing)
	for _, row := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"no password", "POST", "/api/login", `{"username":"admin"}`, 400},
		{"member twice", "POST", "/api/login", `{"username":"x","username":"admin","password":"datarhei"}`, 400},
		{"other case", "POST", "/api/login", `{"Username":"admin","password":"datarhei"}`, 400},
		{"no object", "POST", "/api/login", `"admin"`, 400},
		{"oversize", "POST", "/api/login", `{"username":"` + strings.Repeat("a", 65<<10) + `"}`, 413},
		{"outside", "GET", "/", "", 404},
	} {
		t.Run(row.name, func(t *testing.T) { c.expect(row.status, row.method, row.path, row.body) })
	}
	guarded := [][2]string{{"GET", "/api/v3/log"}, {"GET", "/api/nothing"}, {"GET", "/api/login"}, {"DELETE", "/api"}, {"POST", "/api/login/refresh"}, {"PUT", "/api/v3/log"}}
	for _, route := range guarded {
		same(t, route[0]+" "+route[1], golden(c.do(route[0], route[1], "")), missing)
	}
	c.login("admin", "datarhei")
	for i, want := range []int{200, 404, 405, 405, 405, 405} {
		c.expect(want, guarded[i][0], guarded[i][1], "")
	}
	access, refresh := c.access, c.refresh
	c.access = refresh
	same(t, "refresh as access", golden(c.do("GET", "/api/v3/log", "")), invalid)
	same(t, "refresh at the greeting", golden(c.do("GET", "/api", "")), anonymous)
	c.refresh = access
	same(t, "access as refresh", golden(c.renew()), missing)
	c.refresh = ""
	same(t, "no refresh token", golden(c.renew()), missing)
	c.refresh = refresh[:len(refresh)-4] + "AAAA"
	same(t, "forged refresh token", golden(c.renew()), missing)
	c.access = "nonsense"
	same(t, "bad token at the greeting", golden(c.do("GET", "/api", "")), anonymous)
}

func TestLimit(t *testing.T) {
	c := &client{t: t, base: start(t, "-auth-limit", "2")}
	c.login("admin", "guess")
	c.login("admin", "guess")
	got := c.login("admin", "datarhei")
	if got.status != 429 || got.header.Get("Retry-After") == "" || got.header.Get("RateLimit") != "" {
		t.Errorf("third login: %d %v", got.status, got.header)
	}
	same(t, "limited", got.body, `{"code":429,"message":"Too Many Requests","details":[]}`+"\n")
}

func TestFlags(t *testing.T) {
	ended, end := context.WithCancel(t.Context()) // what is taken for right ends at once
	end()
	const tenant = "-auth0-issuer https://x.example/ -auth0-audience a -auth0-client-id c -auth0-users u "
	without := func(flag string) string { return regexp.MustCompile(flag+` \S+ `).ReplaceAllString(tenant, "") }
	for _, row := range []struct{ args, flag string }{
		{"-access-ttl 0s", "-access-ttl"}, {"-refresh-ttl x", "-refresh-ttl"}, {"-auth-limit 0", "-auth-limit"},
		{"-username=", "-username:"}, {"-password=", "-password:"}, {"-auth0-issuer nowhere", "-auth0-issuer"},
		{without("-auth0-issuer"), "-auth0-issuer:"}, {without("-auth0-audience"), "-auth0-audience:"},
		{without("-auth0-client-id"), "-auth0-client-id:"}, {without("-auth0-users"), "-auth0-users:"},
		{"-auth0-users=", "-auth0-issuer:"}, {tenant + "-auth0-issuer http://x.example/", "-auth0-issuer:"},
		{tenant + "-auth0-users a,,b", "-auth0-users:"}, {tenant + "-auth0-users a,admin", "-auth0-users:"},
		{tenant + "-first-auth password", "-first-auth"}, {tenant + "-first-auth=", "-first-auth"}, {"-first-auth auth0", "-first-auth:"},
		{"-addr nowhere", "-addr"}, {"-nonsense", "-nonsense"}, {"more", "more"},
	} {
		var out, errs bytes.Buffer
		if got := run(ended, strings.Fields(row.args), &out, &errs); got != 2 || !strings.Contains(errs.String(), row.flag) || out.Len() > 0 {
			t.Errorf("%s: exit status %d, %s%s", row.args, got, &out, &errs)
		}
	}
}

// TestConfig counts the mistakes that New reports together.
func TestConfig(t *testing.T) {
	good := Config{Username: "me", Password: "secret"}
	half := good
	half.Auth0 = Tenant{Issuer: "https://x.example/"}
	short := good
	short.AccessLife, short.RefreshLife, short.AuthLimit = time.Millisecond, time.Millisecond, -1
	for name, row := range map[string]struct {
		config   Config
		mistakes int
	}{
		"the zero Config": {Config{}, 2}, "half a tenant": {half, 4}, "an order of one": {Config{Username: "me", Password: "secret", FirstAuth: auth0}, 1},
		"short": {short, 3}, "right": {good, 0},
	} {
		handler, err := New(row.config)
		got := 0
		if all, ok := err.(interface{ Unwrap() []error }); ok {
			got = len(all.Unwrap())
		}
		if got != row.mistakes || (handler == nil) != (row.mistakes > 0) {
			t.Errorf("%s: %v, %v", name, handler, err)
		}
	}
}

func unauthorized(challenge, detail string) string {
	return refused + "Www-Authenticate: " + challenge + "\n" + `{"code":401,"message":"Unauthorized","details":["` + detail + `"]}`
}
