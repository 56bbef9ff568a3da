package main

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/issuer"
)

const (
	manager    = "manager@example.com:secret-of-manager:2@7"
	contractor = "contractor@example.com:secret-of-contractor:Contractor@7"
	stranger   = "stranger@example.com:secret:of:stranger:PropertyManagementCompany@8"
	admin      = "admin@example.com:secret-of-admin:Admin@9"
)

// TestClient walks through everything that a client does.
func TestClient(t *testing.T) {
	c := &client{t: t, base: start(t, "-user", manager, "-user", contractor)}
	same(t, "login", golden(c.login("manager@example.com", "secret-of-manager")),
		"OK\nCache-Control: no-store\nContent-Type: application/json\n"+`{"accessToken":"TOKEN","refreshToken":"TOKEN"}`)
	same(t, "header", segment(t, c.access, 0), `{"alg":"RS256","typ":"JWT"}`)
	payload := segment(t, c.access, 1)
	at := strings.Index(payload, `,"jti"`)
	same(t, "payload", numeral.ReplaceAllString(payload[:max(at, 0)], "TIME"),
		`{"nbf":TIME,"exp":TIME,"iss":"dev-api.facilioo.de","aud":"dev-app.facilioo.de","sub":{"accountId":1,"companyId":7},"partyType":2`)
	times := numeral.FindAllString(payload, 2)
	nbf, _ := strconv.Atoi(times[0])
	exp, _ := strconv.Atoi(times[1])
	if exp-nbf != 3600 {
		t.Errorf("access token lives %d s", exp-nbf)
	}
	same(t, "myself", golden(c.do("GET", "/api/accounts/myself", "")),
		"OK\nCache-Control: no-store\nContent-Type: application/json\n"+`{"id":1,"email":"manager@example.com","partyType":2,"companyId":7}`)
	same(t, "list", c.do("GET", "/api/accounts?PageNumber=2&PageSize=1", "").body,
		`{"items":[{"id":2,"email":"contractor@example.com","partyType":5,"companyId":7}],"pageNumber":2,"pageSize":1,"totalPages":2,"totalCount":2,"hasPreviousPage":true,"hasNextPage":false}`+"\n")
	same(t, "empty page", c.do("GET", "/api/accounts?PageNumber=9&PageSize=100", "").body,
		`{"items":[],"pageNumber":9,"pageSize":100,"totalPages":1,"totalCount":2,"hasPreviousPage":true,"hasNextPage":false}`+"\n")
	c.expect(400, "GET", "/api/accounts?PageSize=101", "")

	first, firstAccess := c.refresh, c.access
	same(t, "refresh", golden(c.renew()),
		"OK\nCache-Control: no-store\nContent-Type: application/json\n"+`{"accessToken":"TOKEN","refreshToken":"TOKEN"}`)
	if c.refresh == first || c.access == firstAccess {
		t.Error("the pair is not new")
	}
	c.expect(200, "GET", "/api/accounts/myself", "")
	second := c.refresh
	c.refresh = first
	same(t, "spent token", golden(c.renew()), "Unauthorized\nCache-Control: no-store\nContent-Type: application/problem+json\nWww-Authenticate: Bearer realm=\"api\"\n"+
		`{"type":"about:blank","title":"Unauthorized","status":401,"detail":"The refresh token is not valid."}`)
	c.refresh = second
	if got := c.renew(); got.status != 401 {
		t.Errorf("the session lives on after reuse: %d", got.status)
	}
	c.expect(401, "GET", "/api/accounts/myself", "")
}

func TestAttacks(t *testing.T) {
	c := &client{t: t, base: start(t, "-user", manager, "-user", contractor, "-auth-limit", "1000")}
	unknown, known := golden(c.login("nobody@example.com", "guess")), golden(c.login("manager@example.com", "guess"))
	same(t, "login of an unknown account", unknown, known)
	same(t, "wrong login", known, "Unauthorized\nCache-Control: no-store\nContent-Type: application/problem+json\nWww-Authenticate: Bearer realm=\"api\"\n"+
		`{"type":"about:blank","title":"Unauthorized","status":401,"detail":"The credentials are wrong."}`)
	c.login("contractor@example.com", "secret-of-contractor")
	same(t, "other party", golden(c.do("GET", "/api/accounts", "")), "Forbidden\nCache-Control: no-store\nContent-Type: application/problem+json\n"+
		"Www-Authenticate: Bearer realm=\"api\", error=\"insufficient_scope\", error_description=\"The access token does not allow this.\"\n"+
		`{"type":"about:blank","title":"Forbidden","status":403,"detail":"The access token does not allow this."}`)
	c.expect(403, "POST", "/api/account/unblock-recovery-code", `{"email":"manager@example.com"}`)
	access := c.access
	c.access = c.refresh
	c.expect(401, "GET", "/api/accounts/myself", "")
	c.access = ""
	c.expect(401, "GET", "/api/accounts/myself", "")
	c.expect(401, "POST", "/api/auth/refresh", `{"refreshToken":"`+access+`"}`)
	for _, row := range []struct {
		name, path, body string
		status           int
	}{
		{"oversize", "/api/auth/login", `{"email":"` + strings.Repeat("a", 65<<10) + `"}`, 413},
		{"member twice", "/api/auth/login", `{"email":"contractor@example.com","password":"x","password":"secret-of-contractor"}`, 400},
		{"other case", "/api/auth/login", `{"Email":"contractor@example.com","Password":"secret-of-contractor"}`, 400},
		{"two objects", "/api/auth/login", `{"email":"contractor@example.com","password":"secret-of-contractor"}{}`, 400},
		{"no object", "/api/auth/login", `[]`, 400},
		{"cut short", "/api/auth/refresh", `{"refreshToken":"x"`, 400},
		{"number for a token", "/api/auth/refresh", `{"refreshToken":1}`, 400},
		{"token in the URL", "/api/auth/refresh?refreshToken=" + c.refresh, `{}`, 400},
	} {
		t.Run(row.name, func(t *testing.T) { c.expect(row.status, "POST", row.path, row.body) })
	}
	if got := c.renew(); got.status != 200 {
		t.Errorf("none of that should end the session: %d", got.status)
	}
}

// TestChangeOfParty changes the table behind the server's back.
func TestChangeOfParty(t *testing.T) {
	config, _ := office(t)
	app, err := newServer(config)
	if err != nil {
		t.Fatal(err)
	}
	c := inProcess(t, app)
	c.login("manager@example.com", "secret-of-manager")
	app.accounts.all[0].party = Contractor
	c.expect(200, "GET", "/api/accounts", "")
	c.renew()
	c.expect(403, "GET", "/api/accounts", "")
	app.accounts.all = nil
	if got := c.renew(); got.status != 401 {
		t.Errorf("refresh of an account that is gone: %d", got.status)
	}
}

func TestRecovery(t *testing.T) {
	dir := t.TempDir()
	c := &client{t: t, base: start(t, "-user", manager, "-user", contractor, "-user", stranger, "-outbox", dir, "-auth-limit", "1000")}
	ask := func(email string) reply { return c.do("POST", "/api/auth/recover-password", `{"email":"`+email+`"}`) }
	change := func(email, code string) reply {
		return c.do("PUT", "/api/auth/change-password-with-recovery-code", `{"email":"`+email+`","password":"another-secret","recoveryCode":"`+code+`"}`)
	}
	same(t, "unknown", golden(ask("nobody@example.com")), golden(ask("contractor@example.com")))
	codes := mails(t, dir)
	if len(codes) != 1 || len(codes[0]) != 6 {
		t.Fatalf("codes %q", codes)
	}
	wrong := other(codes[0])
	c.expect(400, "PUT", "/api/auth/change-password-with-recovery-code", `{"email":"contractor@example.com","password":"short","recoveryCode":"`+codes[0]+`"}`)
	for range 5 {
		for _, email := range []string{"contractor@example.com", "nobody@example.com"} {
			if got := change(email, wrong); got.status != 400 {
				t.Errorf("wrong code for %s: %d %s", email, got.status, got.body)
			}
		}
	}
	locked := change("contractor@example.com", codes[0])
	same(t, "blocked", golden(locked), "Too Many Requests\nCache-Control: no-store\nContent-Type: application/problem+json\nRetry-After: 86400\n"+
		`{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"Too many wrong codes."}`)
	same(t, "blocked without account", golden(change("nobody@example.com", wrong)), golden(locked))
	if got := ask("contractor@example.com"); got.status != 429 {
		t.Errorf("a new code while blocked: %d", got.status)
	}
	if got := c.login("contractor@example.com", "secret-of-contractor"); got.status != 200 {
		t.Errorf("login while blocked: %d", got.status)
	}
	before := *c

	const path, body = "/api/account/unblock-recovery-code", `{"email":"contractor@example.com"}`
	c.access = ""
	c.expect(401, "POST", path, body)
	c.login("stranger@example.com", "secret:of:stranger")
	same(t, "not the owner", golden(c.expect(403, "POST", path, body)), golden(c.expect(403, "POST", path, `{"email":"nobody@example.com"}`)))
	c.login("manager@example.com", "secret-of-manager")
	c.expect(200, "POST", path, body)
	if got := change("contractor@example.com", codes[0]); got.status != 400 {
		t.Errorf("the old code after the block: %d", got.status)
	}
	ask("contractor@example.com")
	codes = mails(t, dir)
	if got := change("contractor@example.com", codes[1]); got.status != 200 {
		t.Errorf("the right code: %d %s", got.status, got.body)
	}
	if got := change("contractor@example.com", codes[1]); got.status != 400 {
		t.Errorf("the right code again: %d", got.status)
	}
	before.expect(401, "GET", "/api/accounts/myself", "")
	if got := before.renew(); got.status != 401 {
		t.Errorf("a session from before the change: %d", got.status)
	}
	if got := c.login("contractor@example.com", "secret-of-contractor"); got.status != 401 {
		t.Errorf("the old password: %d", got.status)
	}
	if got := c.login("contractor@example.com", "another-secret"); got.status != 200 {
		t.Errorf("the new password: %d", got.status)
	}
}

func TestSecondFactor(t *testing.T) {
	dir := t.TempDir()
	c := &client{t: t, base: start(t, "-user", manager, "-user", contractor, "-outbox", dir,
		"-two-factor", "manager@example.com", "-two-factor", "contractor@example.com:skippable")}
	if got := c.login("contractor@example.com", "secret-of-contractor"); got.status != 200 || c.access == "" {
		t.Errorf("the server allows to skip it: %d %s", got.status, got.body)
	}
	same(t, "may not be skipped", golden(c.login("manager@example.com", "secret-of-manager")),
		"OK\nCache-Control: no-store\nContent-Type: application/json\n"+`{"twoFactorRequired":true,"multiFactorAuthenticationRequired":true}`)
	with := func(code string) reply {
		got := c.do("POST", "/api/auth/login", `{"email":"manager@example.com","password":"secret-of-manager","skipMultiFactorAuthentication":false,"twoFactorCode":"`+code+`"}`)
		c.take(got)
		return got
	}
	codes := mails(t, dir)
	if len(codes) != 1 {
		t.Fatalf("codes %q", codes)
	}
	same(t, "wrong code", golden(with(other(codes[0]))), golden(c.login("manager@example.com", "guess")))
	if got := with(codes[0]); got.status != 200 || c.access == "" {
		t.Errorf("right code: %d %s", got.status, got.body)
	}
	if got := with(codes[0]); got.status != 401 {
		t.Errorf("right code again: %d", got.status)
	}
	c.expect(200, "POST", recoverPassword, `{"email":"manager@example.com"}`)
	if codes = mails(t, dir); len(codes) != 2 {
		t.Fatalf("codes %q", codes)
	}
	if got := with(codes[1]); got.status != 401 {
		t.Errorf("a recovery code as second factor: %d", got.status)
	}
	c.login("manager@example.com", "secret-of-manager")
	codes = mails(t, dir)
	c.expect(400, "PUT", changePassword, `{"email":"manager@example.com","password":"another-secret","recoveryCode":"`+codes[len(codes)-1]+`"}`)
}

func TestLimit(t *testing.T) {
	c := &client{t: t, base: start(t, "-user", manager, "-auth-limit", "3")}
	for range 3 {
		c.expect(401, "POST", "/api/auth/refresh", `{"refreshToken":"x"}`)
	}
	for _, path := range []string{"/api/auth/refresh", "/api/auth/login", "/api/auth/recover-password"} {
		got := c.expect(429, "POST", path, `{}`)
		if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || seconds < 1 {
			t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
		}
	}
}

func TestSwitches(t *testing.T) {
	c := &client{t: t, base: start(t, "-refresh-token-object", "-party-member", "role", "-access-ttl", "90s")}
	got := c.login("demo@example.com", "demo-password")
	same(t, "login", tokens.ReplaceAllString(got.body, "TOKEN"), `{"accessToken":"TOKEN","refreshToken":{"token":"TOKEN"}}`+"\n")
	if payload := segment(t, tokens.FindString(got.body), 1); !strings.Contains(payload, `"role":2`) {
		t.Error(payload)
	}
	// The object goes back as it came, and so may the string that is in it.
	for _, form := range []string{`{"refreshToken":{"token":"TOKEN"}}`, `{"refreshToken":"TOKEN"}`} {
		got = c.expect(200, "POST", "/api/auth/refresh", strings.Replace(form, "TOKEN", tokens.FindAllString(got.body, 2)[1], 1))
	}
	for _, body := range []string{`{"refreshToken":{}}`, `{"refreshToken":{"token":1}}`, `{"refreshToken":{"token":"x","more":1}}`, `{"refreshToken":["x"]}`} {
		c.expect(400, "POST", "/api/auth/refresh", body)
	}
	without := &client{t: t, base: startAsTold(t)} // and with a key that ends with the process
	without.expect(400, "POST", "/api/auth/refresh", `{"refreshToken":{"token":"x"}}`)
}

func TestUnknownRoutes(t *testing.T) {
	c := &client{t: t, base: start(t)}
	const problem = "\nCache-Control: no-store\nContent-Type: application/problem+json\n"
	for _, path := range []string{"/", "/api", "/api/", "/api/nothing", "/api/auth/login/", "/elsewhere"} {
		same(t, path, golden(c.do("GET", path, "")), "Not Found"+problem+`{"type":"about:blank","title":"Not Found","status":404}`)
	}
	same(t, "GET where POST is meant", golden(c.do("GET", "/api/auth/login", "")),
		"Method Not Allowed\nAllow: POST"+problem+`{"type":"about:blank","title":"Method Not Allowed","status":405}`)
	if got := c.do("DELETE", "/api/accounts", ""); got.status != 405 || got.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("%d %v", got.status, got.header)
	}
}

// TestOrigins is a page of another origin: what it may send is asked for first.
func TestOrigins(t *testing.T) {
	config, _ := office(t)
	config.Origins = []string{"https://app.example", "http://127.0.0.1:8080"}
	c := mounted(t, config)
	ask := func(origin, path string) reply {
		return c.send("OPTIONS", path, "", http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"PUT"}, "Access-Control-Request-Headers": {"authorization,content-type"}})
	}
	for _, origin := range config.Origins {
		got := ask(origin, "/api/auth/change-password-with-recovery-code")
		if got.status != 204 || got.header.Get("Access-Control-Allow-Origin") != origin || got.header.Get("Vary") != "Origin" ||
			got.header.Get("Access-Control-Allow-Headers") != "Authorization, Content-Type, api-version" {
			t.Errorf("%s: %d %v", origin, got.status, got.header)
		}
		got = c.send("GET", "/api/accounts/myself", "", http.Header{"Origin": {origin}})
		if got.status != 401 || got.header.Get("Access-Control-Allow-Origin") != origin ||
			got.header.Get("Access-Control-Expose-Headers") != "Retry-After, WWW-Authenticate" {
			t.Errorf("%s: %d %v", origin, got.status, got.header)
		}
	}
	for _, origin := range []string{"https://evil.example", "null", "https://app.example.evil.example", "http://app.example", "https://app.example:8443", "HTTPS://APP.EXAMPLE"} {
		if got := ask(origin, "/api/auth/login"); got.status != 405 || got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v", origin, got.status, got.header)
		}
	}
	config.Origins = nil
	c = mounted(t, config)
	if got := ask("https://app.example", "/api/auth/login"); got.status != 405 || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without origins: %d %v", got.status, got.header)
	}
}

func TestConfig(t *testing.T) {
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "Accounts:") || !strings.Contains(err.Error(), "Keys:") || !strings.Contains(err.Error(), "Mails:") {
		t.Errorf("the zero value: %v", err)
	}
	for field, spoil := range map[string]func(*Config){
		"Accounts:":      func(c *Config) { c.Accounts[0].Email = "nobody" },
		"given twice":    func(c *Config) { c.Accounts[1].Email = "MANAGER@example.com" },
		"no password":    func(c *Config) { c.Accounts[0].Password = "" },
		"no known party": func(c *Config) { c.Accounts[0].Party = "Admin" },
		"no company":     func(c *Config) { c.Accounts[0].Company = 0 },
		"no second":      func(c *Config) { c.Accounts[0].Skippable = true },
		"Keys:":          func(c *Config) { c.Keys = nil },
		"Lead:":          func(c *Config) { c.Lead = -1 },
		"Mails:":         func(c *Config) { c.Mails = nil },
		"Secret:":        func(c *Config) { c.Store = issuer.NewMemoryStore() },
		"RefreshKeys:":   func(c *Config) { c.Store = issuer.NewMemoryStore() },
		"AccessLife:":    func(c *Config) { c.AccessLife = 1 },
		"RefreshLife:":   func(c *Config) { c.RefreshLife = -1 },
		"AuthLimit:":     func(c *Config) { c.AuthLimit = -1 },
		"MailLimit:":     func(c *Config) { c.MailLimit = -1 },
		"PartyMember:":   func(c *Config) { c.PartyMember = "sub" },
		"RecoveryPage:":  func(c *Config) { c.RecoveryPage = "http://app.example/reset" },
		"Origins:":       func(c *Config) { c.Origins = []string{"https://app.example", "*"} },
	} {
		config, _ := office(t)
		spoil(&config)
		if handler, err := New(config); err == nil || handler != nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// TestFlags gives what is wrong: the flag is named, and nothing serves.
func TestFlags(t *testing.T) {
	dirs := keyDirs(t)
	ended, end := context.WithCancel(t.Context()) // what is taken for right ends at once
	end()
	for _, row := range []struct{ args, flag string }{
		{"-access-ttl 0s", "-access-ttl"}, {"-refresh-ttl x", "-refresh-ttl"}, {"-user nobody", "-user"},
		{"-user a@example.com:a-long-password:Nobody", "-user"}, {"-user a:a-long-password:1", "-user"}, {"-auth-limit -1", "-auth-limit"},
		{"-party-member sub", "-party-member"}, {"-addr nowhere", "-addr"}, {"-outbox /dev/null/x", "-outbox"},
		{"-two-factor a@example.com:x", "-two-factor"}, {"-two-factor a@example.com", "-two-factor"},
		{"-mail-limit 0", "-mail-limit"}, {"-mail-limit many", "-mail-limit"}, {"-mail-limit 101", "-mail-limit"}, {"-lead 1h", "-lead"}, {"-lead 0s -keys KEYS", "-lead"},
		{"-keys /nowhere", "-keys"}, {"-keys EMPTY", "-keys"}, {"-keys FOREIGN", "-keys"}, {"-keys LATER", "-keys"}, {"-keys OPEN", "-keys"},
		{"-recovery-page app.example/reset", "-recovery-page"}, {"-recovery-page http://app.example/", "-recovery-page"},
		{"-recovery-page https://app.example/#x", "-recovery-page"}, {"-recovery-page https://me@app.example/", "-recovery-page"},
		{"-origin *", "-origin"}, {"-origin null", "-origin"}, {"-origin https://app.example/", "-origin"}, {"-origin https://*.app.example", "-origin"},
		{"-origin app.example", "-origin"}, {"-origin https://APP.example", "-origin"}, {"-user a@example.com:a-long-password:1@0", "-user"},
		{"next", "-keys"}, {"next -keys KEYS -in -1s", "-in"}, {"next -keys KEYS -in soon", "-in"}, {"next -keys FOREIGN", "-keys"},
		{"next -keys KEYS -public KEYS/public.pem", "-public"}, {"next -keys KEYS -public /dev/null/x", "-public"}, {"next -keys /dev/null/x", "-keys"},
		{"next -keys KEYS more", "more"}, {"resource", "-keys"}, {"resource -keys /nowhere", "-keys"}, {"resource -keys EMPTY", "-keys"},
		{"resource -keys KEYS", "-keys"}, {"resource -keys testdata/older.pem -party Nobody", "-party"}, {"resource -keys testdata/older.pem -refresh 1ms", "-refresh"},
		{"resource -keys testdata/older.pem -party-member sub", "-party-member"}, {"resource -keys testdata/older.pem -addr x", "-addr"}, {"resource more", "more"},
		{"-user a@example.com:a-long-password:1 -user A@example.com:a-long-password:1", "-user"}, {"-nonsense", "-nonsense"}, {"more", "more"},
	} {
		var out, errs bytes.Buffer
		if got := run(ended, strings.Fields(dirs.Replace(row.args)), &out, &errs); got != 2 || !strings.Contains(errs.String(), row.flag) || out.Len() > 0 {
			t.Errorf("%s: exit status %d, %s%s", row.args, got, &out, &errs)
		}
		if strings.Contains(errs.String(), "a-long-password") {
			t.Errorf("%s: the password is printed: %s", row.args, &errs)
		}
	}
}
