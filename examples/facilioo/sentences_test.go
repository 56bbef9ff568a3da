package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// The documents that say how the system is to be used.
const (
	newerPage = "facilioo, Authentication (newer)"
	olderPage = "facilioo, Authentication (older)"
	bothPages = "facilioo, Authentication (both)"
)

// A sentence is one thing that a document says, in our words, and what it means
// on the wire. What we read otherwise than it can be read is in reading.
type sentence struct {
	document, says, reading string
	check                   func(t *testing.T, c *client, out *letters)
}

const (
	jsonHead = "OK\nCache-Control: no-store\nContent-Type: application/json\n"
	pairs    = jsonHead + `{"accessToken":"TOKEN","refreshToken":"TOKEN"}`
)

// sentences are all that the documents say. The server has four accounts, the
// first with a second factor that may be skipped, the last with one that may not.
var sentences = []sentence{
	{bothPages, "requests are authorised by the Authorization field, with a bearer token", "", func(t *testing.T, c *client, _ *letters) {
		c.login("manager@example.com", "secret-of-manager")
		c.expect(200, "GET", "/api/accounts", "")
		token := c.access
		c.access = ""
		c.expect(401, "GET", "/api/accounts", "")
		c.expect(401, "GET", "/api/accounts?access_token="+token, "")
	}},
	{bothPages, "bearer tokens come from login and from refresh", "", func(t *testing.T, c *client, _ *letters) {
		c.login("manager@example.com", "secret-of-manager")
		c.expect(200, "GET", "/api/accounts/myself", "")
		c.renew()
		c.expect(200, "GET", "/api/accounts/myself", "")
	}},
	{newerPage, "what an account reaches depends on its party type, and on more that is looked up at run time", "", func(t *testing.T, c *client, _ *letters) {
		c.login("contractor@example.com", "secret-of-contractor")
		c.expect(403, "GET", "/api/accounts", "")
		c.login("manager@example.com", "secret-of-manager")
		c.expect(200, "GET", "/api/accounts", "")
		c.expect(403, "POST", unblockCode, `{"email":"stranger@example.com"}`) // right party, but not the owner
	}},
	{newerPage, "the party type is in the access token", "", func(t *testing.T, c *client, _ *letters) {
		for email, want := range map[string]string{"manager@example.com": `"partyType":2`, "contractor@example.com": `"partyType":5`} {
			name, _, _ := strings.Cut(email, "@")
			c.login(email, "secret-of-"+name)
			if got := segment(t, c.access, 1); !strings.Contains(got, want) {
				t.Errorf("%s: %s", email, got)
			}
		}
	}},
	{bothPages, "a login has an e-mail and a password, which are strings, and a boolean", "", func(t *testing.T, c *client, _ *letters) {
		same(t, "login", golden(c.login("manager@example.com", "secret-of-manager")), pairs)
		for _, body := range []string{`{"email":"manager@example.com"}`, `{"password":"x"}`, `{"email":1,"password":"x"}`, `{"email":"manager@example.com","password":["x"]}`} {
			c.expect(400, "POST", "/api/auth/login", body)
		}
	}},
	{bothPages, "with the boolean set, no second factor is asked for",
		"For the accounts that allow it. What a thief of a password could send is no protection, so the server decides.",
		func(t *testing.T, c *client, out *letters) {
			same(t, "allowed", golden(c.login("manager@example.com", "secret-of-manager")), pairs)
			same(t, "not allowed", golden(c.login("admin@example.com", "secret-of-admin")), jsonHead+`{"twoFactorRequired":true,"multiFactorAuthenticationRequired":true}`)
			got := c.do("POST", "/api/auth/login", `{"email":"manager@example.com","password":"secret-of-manager","skipMultiFactorAuthentication":false}`)
			same(t, "not asked to", golden(got), jsonHead+`{"twoFactorRequired":true,"multiFactorAuthenticationRequired":true}`)
		}},
	{bothPages, "access and refresh tokens are JWTs", "", func(t *testing.T, c *client, _ *letters) {
		c.login("manager@example.com", "secret-of-manager")
		// Nobody but the server reads a refresh token, so it has a key of its own.
		for token, alg := range map[string]string{c.access: "RS256", c.refresh: "HS256"} {
			if strings.Count(token, ".") != 2 || !strings.HasPrefix(segment(t, token, 0), `{"alg":"`+alg+`",`) {
				t.Error(token)
			}
		}
	}},
	{bothPages, "the header names type and algorithm alone", "", func(t *testing.T, c *client, _ *letters) {
		c.login("manager@example.com", "secret-of-manager")
		same(t, "header", segment(t, c.access, 0), segment(t, sampleToken(t), 0))
	}},
	{bothPages, "the payload has nbf, exp, iss, aud and sub, in this order", "", func(t *testing.T, c *client, _ *letters) {
		c.login("manager@example.com", "secret-of-manager")
		ours, _, _ := strings.Cut(segment(t, c.access, 1), `,"sub"`)
		theirs, _, _ := strings.Cut(segment(t, sampleToken(t), 1), `,"sub"`)
		numeral := regexp.MustCompile(`\d+`)
		same(t, "payload", numeral.ReplaceAllString(ours, "N"), numeral.ReplaceAllString(theirs, "N"))
	}},
	{bothPages, "before nbf a token can't be used", "", func(t *testing.T, _ *client, _ *letters) {
		c := verifiesSample(t, "older.pem")
		sleepUntil(1651760242 - 61) // a minute is for clocks that differ
		c.expect(401, "GET", "/api/whoami", "")
		sleepUntil(1651760242)
		c.expect(200, "GET", "/api/whoami", "")
	}},
	{bothPages, "after exp it can't either", "", func(t *testing.T, _ *client, _ *letters) {
		c := verifiesSample(t, "older.pem")
		sleepUntil(1651763842 - 1)
		c.expect(200, "GET", "/api/whoami", "")
		sleepUntil(1651763842 + 61)
		c.expect(401, "GET", "/api/whoami", "")
	}},
	{olderPage, "the key that is printed below it verifies the sample token", "", func(t *testing.T, _ *client, _ *letters) {
		c := verifiesSample(t, "older.pem")
		sleepUntil(1651760242)
		same(t, "sample", c.expect(200, "GET", "/api/whoami", "").body, `{"accountId":2,"companyId":2,"partyType":0}`+"\n")
		c.expect(403, "GET", "/api/buildings", "") // it is from before party types
	}},
	{newerPage, "of the keys that are printed below it one verifies the sample token",
		"None does: the keys were rotated, and the sample stayed. All three are read, although they are glued together.",
		func(t *testing.T, _ *client, _ *letters) {
			text, err := os.ReadFile("testdata/newer.pem")
			if err != nil {
				t.Fatal(err)
			}
			if keys, err := claims.ParsePEM(text, "RS256"); err != nil || len(keys) != 3 {
				t.Errorf("%d keys, %v", len(keys), err)
			}
			c := verifiesSample(t, "newer.pem")
			sleepUntil(1651760242)
			c.expect(401, "GET", "/api/whoami", "")
		}},
	{newerPage, "there may be several keys, each a PEM block of PKCS #1", "", func(t *testing.T, c *client, _ *letters) {
		got := c.expect(200, "GET", "/api/auth/keys.pem", "")
		if keys, err := claims.ParsePEM([]byte(got.body), "RS256"); err != nil || len(keys) != 1 || !strings.HasPrefix(got.body, "-----BEGIN RSA PUBLIC KEY-----\n") {
			t.Errorf("%d keys, %v: %s", len(keys), err, got.body)
		}
	}},
	{bothPages, "the sample has expired and authorises nothing", "", func(t *testing.T, c *client, _ *letters) {
		sleepUntil(1764547200) // December 2025
		c.access = sampleToken(t)
		c.expect(401, "GET", "/api/accounts/myself", "")
		c = verifiesSample(t, "older.pem")
		c.expect(401, "GET", "/api/whoami", "")
	}},
	{bothPages, "iss is the API", "", func(t *testing.T, c *client, _ *letters) {
		c.login("manager@example.com", "secret-of-manager")
		if got := segment(t, c.access, 1); !strings.Contains(got, `"iss":"dev-api.facilioo.de"`) {
			t.Error(got)
		}
	}},
	{bothPages, "aud is the system that the token is meant for, and no other takes it", "", func(t *testing.T, c *client, _ *letters) {
		c.login("manager@example.com", "secret-of-manager")
		if got := segment(t, c.access, 1); !strings.Contains(got, `"aud":"dev-app.facilioo.de"`) {
			t.Error(got)
		}
		elsewhere, err := claims.NewVerifier[struct{}](claims.Config{Issuer: issuerName, Audience: []string{"other-app.facilioo.de"}, Dialect: dialect("partyType"), Keys: publishedBy(t, c)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := elsewhere.Verify(t.Context(), c.access); err == nil {
			t.Error("another system takes it")
		}
	}},
	{bothPages, "sub holds the ids of account and company", "", func(t *testing.T, c *client, _ *letters) {
		c.login("stranger@example.com", "secret:of:stranger")
		if got := segment(t, c.access, 1); !strings.Contains(got, `"sub":{"accountId":3,"companyId":8}`) {
			t.Error(got)
		}
		if got := segment(t, sampleToken(t), 1); !strings.HasSuffix(got, `"sub":{"accountId":2,"companyId":2}}`) {
			t.Error(got)
		}
	}},
	{bothPages, "with an expired token every call is 401", "", func(t *testing.T, c *client, _ *letters) {
		c.login("manager@example.com", "secret-of-manager")
		time.Sleep(time.Hour + 2*time.Minute)
		for _, call := range []string{"GET /api/accounts", "GET /api/accounts/myself", "POST " + unblockCode} {
			method, path, _ := strings.Cut(call, " ")
			c.expect(401, method, path, `{}`)
		}
	}},
	{bothPages, "then the client calls refresh", "", func(t *testing.T, c *client, _ *letters) {
		c.login("manager@example.com", "secret-of-manager")
		time.Sleep(2 * time.Hour)
		same(t, "refresh", golden(c.renew()), pairs)
		c.expect(200, "GET", "/api/accounts", "")
	}},
	{bothPages, "it is worth keeping the refresh token: it lives much longer", "", func(t *testing.T, c *client, _ *letters) {
		c.login("manager@example.com", "secret-of-manager")
		time.Sleep(29 * 24 * time.Hour)
		same(t, "refresh", golden(c.renew()), pairs)
	}},
	{bothPages, "refresh gives a new access token and a new refresh token", "", func(t *testing.T, c *client, _ *letters) {
		c.login("manager@example.com", "secret-of-manager")
		before := *c
		if c.renew(); c.access == before.access || c.refresh == before.refresh {
			t.Error("they are the old ones")
		}
	}},
	{bothPages, "from then on the new refresh token is the one to send", "", func(t *testing.T, c *client, _ *letters) {
		c.login("manager@example.com", "secret-of-manager")
		for range 5 {
			same(t, "refresh", golden(c.renew()), pairs)
		}
	}},
	{newerPage, "a refresh token can be used once", "", func(t *testing.T, c *client, _ *letters) {
		c.login("manager@example.com", "secret-of-manager")
		spent := c.refresh
		c.renew()
		c.refresh = spent
		if got := c.renew(); got.status != 401 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}},
	{bothPages, "the request of a refresh has the token as a string", "", func(t *testing.T, c *client, _ *letters) {
		c.expect(400, "POST", "/api/auth/refresh", `{}`)
		c.expect(400, "POST", "/api/auth/refresh", `{"refreshToken":{"token":"x"}}`)
	}},
	{bothPages, "the answer has the access token as a string, and the refresh token as an object",
		"The same token is a string in the request, so it is one in the answer too, and the object is a switch.",
		func(t *testing.T, c *client, _ *letters) {
			c.login("manager@example.com", "secret-of-manager")
			same(t, "string", golden(c.renew()), pairs)
			config, _ := office(t)
			config.ObjectRefreshToken = true
			c = mounted(t, config)
			got := c.login("manager@example.com", "secret-of-manager")
			same(t, "object", golden(got), jsonHead+`{"accessToken":"TOKEN","refreshToken":{"token":"TOKEN"}}`)
			c.expect(200, "POST", "/api/auth/refresh", `{"refreshToken":{"token":"`+tokens.FindAllString(got.body, 2)[1]+`"}}`)
		}},
	{newerPage, "anybody can look into a token with a debugger", "", func(t *testing.T, c *client, _ *letters) {
		c.login("manager@example.com", "secret-of-manager")
		for i := range 2 {
			text, err := base64.RawURLEncoding.DecodeString(strings.Split(c.access, ".")[i])
			if err != nil || !json.Valid(text) {
				t.Errorf("%s, %v", text, err)
			}
		}
	}},
	{newerPage, "who has forgotten the password asks for a mail, and sets a new one with its code", "", func(t *testing.T, c *client, out *letters) {
		c.expect(200, "POST", recoverPassword, `{"email":"contractor@example.com"}`)
		c.expect(200, "PUT", changePassword, `{"email":"contractor@example.com","password":"newSecurePassword","recoveryCode":"`+out.code(t)+`"}`)
		same(t, "login", golden(c.login("contractor@example.com", "newSecurePassword")), pairs)
	}},
	{newerPage, "the mail goes to the registered address of the account", "", func(t *testing.T, c *client, out *letters) {
		c.expect(200, "POST", recoverPassword, `{"email":" Contractor@EXAMPLE.com"}`)
		if len(out.all) != 1 || out.all[0].to != "contractor@example.com" {
			t.Errorf("%+v", out.all)
		}
		c.expect(200, "POST", recoverPassword, `{"email":"nobody@example.com"}`)
		if len(out.all) != 1 {
			t.Errorf("a mail to nobody: %+v", out.all)
		}
	}},
	{newerPage, "asking for it is limited by the policy DefaultRateLimitAuth", "", func(t *testing.T, _ *client, _ *letters) {
		config, _ := office(t)
		config.AuthLimit = 2
		c := mounted(t, config)
		for i, want := range []int{200, 200, 429} {
			if got := c.do("POST", recoverPassword, `{"email":"`+[]string{"manager", "stranger", "admin"}[i]+`@example.com"}`); got.status != want {
				t.Errorf("%d: %d", i, got.status)
			}
		}
	}},
	{newerPage, "the mail has a code, or a link with the code", "", func(t *testing.T, c *client, out *letters) {
		c.expect(200, "POST", recoverPassword, `{"email":"contractor@example.com"}`)
		if code := out.code(t); out.all[0].text != "your recovery code is "+code {
			t.Error(out.all[0].text)
		}
		config, out := office(t)
		config.RecoveryPage = "https://app.example/reset"
		mounted(t, config).expect(200, "POST", recoverPassword, `{"email":"contractor@example.com"}`)
		code := out.code(t)
		if want := "your recovery code is " + code + "\nor open https://app.example/reset#code=" + code + "&email=contractor%40example.com"; out.all[0].text != want {
			t.Error(out.all[0].text)
		}
	}},
	{newerPage, "a code has six digits", "", func(t *testing.T, c *client, out *letters) {
		c.expect(200, "POST", recoverPassword, `{"email":"contractor@example.com"}`)
		if !regexp.MustCompile(`^your recovery code is \d{6}$`).MatchString(out.all[0].text) {
			t.Error(out.all[0].text)
		}
	}},
	{newerPage, "the password is set only if the code is right", "", func(t *testing.T, c *client, out *letters) {
		c.expect(200, "POST", recoverPassword, `{"email":"contractor@example.com"}`)
		c.expect(400, "PUT", changePassword, `{"email":"contractor@example.com","password":"newSecurePassword","recoveryCode":"`+other(out.code(t))+`"}`)
		c.expect(400, "PUT", changePassword, `{"email":"manager@example.com","password":"newSecurePassword","recoveryCode":"`+out.code(t)+`"}`)
		same(t, "login", golden(c.login("contractor@example.com", "secret-of-contractor")), pairs)
	}},
	{newerPage, "after five wrong codes the account is blocked",
		"Its recovery is. Whoever knows an address can send five wrong codes, and must not keep its owner from logging in.",
		func(t *testing.T, c *client, out *letters) {
			blockRecovery(t, c, out)
			c.expect(429, "PUT", changePassword, `{"email":"contractor@example.com","password":"newSecurePassword","recoveryCode":"`+out.code(t)+`"}`)
			same(t, "login", golden(c.login("contractor@example.com", "secret-of-contractor")), pairs)
		}},
	{newerPage, "for 24 hours", "", func(t *testing.T, c *client, out *letters) {
		blockRecovery(t, c, out)
		time.Sleep(24*time.Hour - time.Second)
		c.expect(429, "POST", recoverPassword, `{"email":"contractor@example.com"}`)
		time.Sleep(time.Second)
		c.expect(200, "POST", recoverPassword, `{"email":"contractor@example.com"}`)
		c.expect(200, "PUT", changePassword, `{"email":"contractor@example.com","password":"newSecurePassword","recoveryCode":"`+out.code(t)+`"}`)
	}},
	{newerPage, "the block can be ended before, by POST to a path with account in the singular", "", func(t *testing.T, c *client, out *letters) {
		blockRecovery(t, c, out)
		c.login("manager@example.com", "secret-of-manager")
		same(t, "unblock", golden(c.do("POST", unblockCode, `{"email":"contractor@example.com"}`)), jsonHead+`{}`)
		c.expect(200, "POST", recoverPassword, `{"email":"contractor@example.com"}`)
		c.expect(200, "PUT", changePassword, `{"email":"contractor@example.com","password":"newSecurePassword","recoveryCode":"`+out.code(t)+`"}`)
	}},
	{newerPage, "who does so is an Admin or a PropertyManagementCompany", "", func(t *testing.T, c *client, out *letters) {
		c.expect(401, "POST", unblockCode, `{"email":"contractor@example.com"}`)
		c.login("contractor@example.com", "secret-of-contractor")
		c.expect(403, "POST", unblockCode, `{"email":"contractor@example.com"}`)
		c.login("manager@example.com", "secret-of-manager")
		c.expect(200, "POST", unblockCode, `{"email":"contractor@example.com"}`)
	}},
	{newerPage, "the request has the e-mail of the account", "", func(t *testing.T, c *client, _ *letters) {
		c.login("manager@example.com", "secret-of-manager")
		for _, body := range []string{``, `{}`, `{"email":1}`, `{"email":"nobody"}`} {
			c.expect(400, "POST", unblockCode, body)
		}
	}},
	{newerPage, "the owner of the account can do so",
		"An owner is of the account's company. Admin or PropertyManagementCompany must own it too; that an Admin need not is a switch, since the two sentences can be read so.",
		func(t *testing.T, _ *client, _ *letters) {
			for all, want := range map[bool]int{false: 403, true: 200} {
				config, _ := office(t)
				config.AdminUnblocksAll = all
				c := mounted(t, config)
				c.login("admin@example.com", "secret-of-admin")
				c.expect(want, "POST", unblockCode, `{"email":"contractor@example.com"}`)
				c.login("stranger@example.com", "secret:of:stranger")
				c.expect(403, "POST", unblockCode, `{"email":"contractor@example.com"}`)
			}
		}},
	{newerPage, "each of the three answers with an object of its own, whose members are not public", "", func(t *testing.T, c *client, out *letters) {
		same(t, "recover", golden(c.do("POST", recoverPassword, `{"email":"contractor@example.com"}`)), jsonHead+`{}`)
		same(t, "change", golden(c.do("PUT", changePassword, `{"email":"contractor@example.com","password":"newSecurePassword","recoveryCode":"`+out.code(t)+`"}`)), jsonHead+`{}`)
	}},
	{newerPage, "all three are obsolete, and will go when there is an identity provider", "", func(t *testing.T, c *client, _ *letters) {
		for _, call := range []string{"POST " + recoverPassword, "PUT " + changePassword} {
			method, path, _ := strings.Cut(call, " ")
			c.expect(400, method, path, `{}`)
		}
		c.expect(401, "POST", unblockCode, `{}`)
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
				config, out := office(t)
				config.Accounts[0].SecondFactor, config.Accounts[0].Skippable = true, true
				config.Accounts[3].SecondFactor = true
				s.check(t, mounted(t, config), out)
			})
			if t.Failed() {
				t.Logf("%s: %s", s.document, s.says)
			}
		})
	}
}

// blockRecovery guesses until the contractor's recovery is blocked.
func blockRecovery(t *testing.T, c *client, out *letters) {
	t.Helper()
	c.expect(200, "POST", recoverPassword, `{"email":"contractor@example.com"}`)
	for range 5 {
		c.expect(400, "PUT", changePassword, `{"email":"contractor@example.com","password":"newSecurePassword","recoveryCode":"`+other(out.code(t))+`"}`)
	}
}

// sampleToken is the token that both documents print.
func sampleToken(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/sample.jwt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// verifiesSample makes a client with the sample token of a second server that
// has a document's keys as they are printed.
func verifiesSample(t *testing.T, file string) *client {
	t.Helper()
	keys, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{"testdata/" + file}, PEMAlgorithm: "RS256"})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := NewResource(ResourceConfig{Keys: keys, Parties: []claims.Party{PropertyManagementCompany}})
	if err != nil {
		t.Fatal(err)
	}
	c := inProcess(t, handler)
	c.access = sampleToken(t)
	return c
}

// publishedBy are the keys of a server, as somebody copies them from it.
func publishedBy(t *testing.T, c *client) claims.KeySet {
	t.Helper()
	got := c.send("GET", "/api/auth/keys.pem", "", http.Header{})
	keys, err := claims.ParsePEM([]byte(got.body), "RS256")
	if err != nil {
		t.Fatal(err)
	}
	set, err := claims.NewKeySet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func sleepUntil(unix int64) { time.Sleep(time.Until(time.Unix(unix, 0))) }
