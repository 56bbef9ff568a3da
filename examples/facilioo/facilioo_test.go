package main

import (
	"bytes"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	manager    = "manager@example.com:secret-of-manager:2@7"
	contractor = "contractor@example.com:secret-of-contractor:Contractor@7"
	stranger   = "stranger@example.com:secret:of:stranger:PropertyManagementCompany@8"
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
	c.expect(405, "GET", "/api/auth/login", "")
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
	u, err := parseUser(manager)
	if err != nil {
		t.Fatal(err)
	}
	app, err := newServer(settings{access: time.Hour, refresh: 2 * time.Hour, authLimit: 100, partyMember: "partyType", users: []user{u}})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(app)
	defer web.Close()
	c := &client{t: t, base: web.URL}
	c.login("manager@example.com", "secret-of-manager")
	app.accounts.all[0].party = partyNames["Contractor"]
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
	wrong := "000000"
	if codes[0] == wrong {
		wrong = "000001"
	}
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
		"OK\nCache-Control: no-store\nContent-Type: application/json\n"+`{"twoFactorRequired":true}`)
	with := func(code string) reply {
		got := c.do("POST", "/api/auth/login", `{"email":"manager@example.com","password":"secret-of-manager","skipMultiFactorAuthentication":false,"twoFactorCode":"`+code+`"}`)
		c.take(got)
		return got
	}
	codes := mails(t, dir)
	wrong := "000000"
	if codes[0] == wrong {
		wrong = "000001"
	}
	same(t, "wrong code", golden(with(wrong)), golden(c.login("manager@example.com", "guess")))
	if got := with(codes[0]); got.status != 200 || c.access == "" {
		t.Errorf("right code: %d %s", got.status, got.body)
	}
	if got := with(codes[0]); got.status != 401 {
		t.Errorf("right code again: %d", got.status)
	}
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
}

func TestFlags(t *testing.T) {
	for _, row := range []struct{ args, flag string }{
		{"-access-ttl 0s", "-access-ttl"}, {"-refresh-ttl x", "-refresh-ttl"}, {"-user nobody", "-user"},
		{"-user a@example.com:pw:Nobody", "-user"}, {"-user a:pw:1", "-user"}, {"-auth-limit -1", "-auth-limit"},
		{"-party-member sub", "-party-member"}, {"-addr nowhere", "-addr"}, {"-outbox /dev/null/x", "-outbox"},
		{"-two-factor a@example.com:x", "-two-factor"}, {"-two-factor a@example.com", "-two-factor"},
		{"-user a@example.com:pw:1 -user A@example.com:pw:1", "-user"}, {"-nonsense", "-nonsense"}, {"more", "more"},
	} {
		var out, errs bytes.Buffer
		if got := run(t.Context(), strings.Fields(row.args), &out, &errs); got != 2 || !strings.Contains(errs.String(), row.flag) || out.Len() > 0 {
			t.Errorf("%s: exit status %d, %s%s", row.args, got, &out, &errs)
		}
		if strings.Contains(errs.String(), "pw") {
			t.Errorf("%s: the password is printed: %s", row.args, &errs)
		}
	}
}
