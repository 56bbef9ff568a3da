package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	recoverPassword = "/api/auth/recover-password"
	changePassword  = "/api/auth/change-password-with-recovery-code"
	unblockCode     = "/api/account/unblock-recovery-code"
)

// TestMailsOfOneAccount has strangers all over the world ask for mails to one
// account. Its owner gets three, and the code of the last is good.
func TestMailsOfOneAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config, out := office(t)
		c := mounted(t, config)
		flood := func(mails int) {
			t.Helper()
			before := len(out.all)
			for i := range 30 {
				c.via.(*noNetwork).from = fmt.Sprint("203.0.113.", i)
				email := []string{"contractor@example.com", "Contractor@Example.com "}[i%2]
				got := golden(c.do("POST", recoverPassword, `{"email":"`+email+`"}`))
				same(t, "account", got, golden(c.do("POST", recoverPassword, `{"email":"nobody@example.com"}`)))
				same(t, "answer", got, jsonHead+"{}")
			}
			if n := len(out.all) - before; n != mails {
				t.Errorf("%d mails, want %d", n, mails)
			}
		}
		flood(3)
		time.Sleep(14 * time.Minute)
		flood(0)
		c.expect(200, "PUT", changePassword, `{"email":"contractor@example.com","password":"another-secret","recoveryCode":"`+out.code(t)+`"}`)
		c.expect(200, "POST", recoverPassword, `{"email":"contractor@example.com"}`) // that code is spent
		c.expect(200, "PUT", changePassword, `{"email":"contractor@example.com","password":"a-third-secret","recoveryCode":"`+out.code(t)+`"}`)
		c.expect(200, "POST", recoverPassword, `{"email":"stranger@example.com"}`) // somebody else's
		if len(out.all) != 5 || out.all[4].to != "stranger@example.com" {
			t.Errorf("%+v", out.all)
		}
	})
}

// TestLink opens the link of a mail.
func TestLink(t *testing.T) {
	config, out := office(t)
	config.RecoveryPage = "https://app.example/reset?lang=de"
	c := mounted(t, config)
	c.send("POST", recoverPassword, `{"email":"contractor@example.com"}`, http.Header{"X-Forwarded-Host": {"evil.example"}, "Origin": {"https://evil.example"}, "Referer": {"https://evil.example/"}})
	text := out.all[0].text
	_, link, found := strings.Cut(text, "\nor open ")
	u, err := url.Parse(link)
	if err != nil || !found || u.Host != "app.example" || u.Query().Get("lang") != "de" {
		t.Fatalf("%q: %v", text, err)
	}
	in, err := url.ParseQuery(u.Fragment)
	if code := in.Get("code"); err != nil || code != out.code(t) || strings.Contains(u.RequestURI(), code) || in.Get("email") != "contractor@example.com" {
		t.Errorf("%q: %v", text, err)
	}
	c.expect(200, "PUT", changePassword, `{"email":"`+in.Get("email")+`","password":"another-secret","recoveryCode":"`+in.Get("code")+`"}`)
}

// TestWhoUnblocks tries every kind of account, with the document read in either
// way.
func TestWhoUnblocks(t *testing.T) {
	for _, row := range []struct {
		email, password string
		owner, all      int
	}{
		{"manager@example.com", "secret-of-manager", 200, 200},
		{"contractor@example.com", "secret-of-contractor", 403, 403}, // of the company, but of another party
		{"stranger@example.com", "secret:of:stranger", 403, 403},     // of the party, but of another company
		{"admin@example.com", "secret-of-admin", 403, 200},
	} {
		for all, want := range map[bool]int{false: row.owner, true: row.all} {
			config, out := office(t)
			config.AdminUnblocksAll = all
			c := mounted(t, config)
			c.do("POST", recoverPassword, `{"email":"contractor@example.com"}`)
			guess := func(code string) int {
				return c.do("PUT", changePassword, `{"email":"contractor@example.com","password":"another-secret","recoveryCode":"`+code+`"}`).status
			}
			for range 5 {
				guess(other(out.code(t)))
			}
			if got := guess(out.code(t)); got != 429 {
				t.Fatalf("not blocked: %d", got)
			}
			c.login(row.email, row.password)
			c.expect(want, "POST", unblockCode, `{"email":"contractor@example.com"}`)
			if got := guess(other(out.code(t))); (got == 400) != (want == 200) {
				t.Errorf("%s, %v: afterwards %d", row.email, all, got)
			}
			// Whether an account exists is nobody's business but an owner's.
			c.expect(403, "POST", unblockCode, `{"email":"nobody@example.com"}`)
		}
	}
}

// other returns another code.
func other(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}
