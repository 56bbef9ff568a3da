package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"golang.org/x/crypto/blake2b"
)

// alice is the published vector.
const (
	alice         = "alice@wonderland.space"
	aliceSeed     = "413b285d1819a6166b0daa762bb6bef2d082cffb9a13ce041cb0fda5e2f06dc3"
	accountPath   = "/auth/api/v1/peer-management/account"
	logoutPath    = "/auth/api/v1/authentication-management/logout"
	challengePath = "/auth/api/v1/authentication-management/challenge"
)

func keyOf(t *testing.T, seed string) ed25519.PrivateKey {
	t.Helper()
	b, err := hex.DecodeString(seed)
	if err != nil {
		t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(b)
}

func flagOf(email string, key ed25519.PrivateKey, role string) string {
	return fmt.Sprintf("%s:%x:%s", email, key.Public(), role)
}

// TestVector signs what is published, and finds which of the two forms it is.
func TestVector(t *testing.T) {
	key := keyOf(t, aliceSeed)
	if got := hex.EncodeToString(key.Public().(ed25519.PublicKey)); got != "7fbedb314a9b0c00caef967ac5cabb982ec45da828a0c58a9aafc854f32422ac" {
		t.Fatalf("public key %s", got)
	}
	digest := blake2b.Sum256([]byte(alice))
	matches := 0
	for _, bit := range []byte{0, 1} {
		d := digest
		d[31] |= bit
		signature := hex.EncodeToString(ed25519.Sign(key, d[:]))
		if strings.HasPrefix(signature, "57e7115d") && strings.HasSuffix(signature, "2be00e630a") {
			matches++
		}
		p, ok := readProof(hex.EncodeToString(key.Public().(ed25519.PublicKey)), signature)
		if !ok || !p.of(alice) || p.of("bob@wonderland.space") {
			t.Errorf("form %d is not judged right", bit)
		}
		d[31] ^= 2
		p.signature = ed25519.Sign(key, d[:])
		if p.of(alice) {
			t.Error("another digest passes")
		}
	}
	if matches == 0 {
		t.Error("neither form is the published one")
	}
}

// TestTwoForms takes addresses whose digests end in either bit: for those with a
// 0 the two forms differ.
func TestTwoForms(t *testing.T) {
	key, differ := keyOf(t, aliceSeed), 0
	for i := range 16 {
		email := fmt.Sprintf("user%d@example.com", i)
		digest := blake2b.Sum256([]byte(email))
		if digest[31]&1 == 0 {
			differ++
		}
		for _, bit := range []byte{0, 1} {
			digest[31] |= bit
			if p := (proof{key.Public().(ed25519.PublicKey), ed25519.Sign(key, digest[:])}); !p.of(email) {
				t.Errorf("%s: form %d is refused", email, bit)
			}
		}
		digest[31] &^= 1
		p := proof{key.Public().(ed25519.PublicKey), ed25519.Sign(key, digest[:])}
		if is := blake2b.Sum256([]byte(email)); is[31]&1 == 1 && p.of(email) {
			t.Errorf("%s: a form that nobody signs passes", email)
		}
	}
	if differ == 0 || differ == 16 {
		t.Errorf("%d of 16 digests end in 0", differ)
	}
}

func TestClient(t *testing.T) {
	key, other := keyOf(t, aliceSeed), keyOf(t, strings.Repeat("01", 32))
	base, logs := startLogged(t, "-account", flagOf(alice, key, "ROLE_PEER"), "-account", flagOf("bob@example.com", other, "ROLE_ADMIN"))
	c := &client{t: t, base: base}
	login := c.session(alice, key, alice, 0, "")
	same(t, "login", golden(login), "OK\nCache-Control: no-store\nContent-Type: application/json\n"+
		`{"status":{"code":200,"name":"OK","message":"User authorization has been successful."},"data":{"accessToken":"TOKEN","refreshToken":"TOKEN","expirationTime":300}}`)
	shape := func(token string) string {
		return numeral.ReplaceAllString(uuid.ReplaceAllString(segment(t, token, 0)+segment(t, token, 1), "UUID"), "TIME")
	}
	same(t, "access token", shape(c.access), `{"typ":"JWT","alg":"EdDSA"}{"acc":"alice@wonderland","sub":"alice@wonderland.space","role":"ROLE_PEER","exp":TIME,"jti":"UUID"}`)
	same(t, "refresh token", shape(c.refresh), `{"typ":"JWT","alg":"EdDSA"}{"sub":"alice@wonderland.space","acjti":"UUID","exp":TIME,"jti":"UUID"}`)
	var a, b struct {
		Exp   int64
		Jti   string
		Acjti string
	}
	if err := json.Unmarshal([]byte(segment(t, c.access, 1)), &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(segment(t, c.refresh, 1)), &b); err != nil {
		t.Fatal(err)
	}
	if b.Acjti != a.Jti || b.Exp-a.Exp != 86100 {
		t.Errorf("refresh token names %s, not %s, and lives %d s longer", b.Acjti, a.Jti, b.Exp-a.Exp)
	}
	if got := c.expect(200, "GET", accountPath, ""); !strings.HasPrefix(got.body, `{"status":{"code":200,"name":"OK"},"data":{"email":"alice@wonderland.space","accountId":"alice@wonderland",`) {
		t.Errorf("account: %s", got.body)
	}

	first := c.refresh
	same(t, "refresh", golden(c.renew()), golden(login))
	if c.refresh == first {
		t.Error("the refresh token is not new")
	}
	same(t, "logout", golden(c.do("POST", logoutPath, "")), "OK\nCache-Control: no-store\nContent-Type: application/json\n"+`{"status":{"code":200,"name":"OK"},"data":{}}`)
	same(t, "after logout", golden(c.do("GET", accountPath, "")), "Unauthorized\nCache-Control: no-store\nContent-Type: application/json\n"+
		"Www-Authenticate: Bearer realm=\"api\", error=\"invalid_token\", error_description=\"The access token is not valid.\"\n"+
		`{"status":{"code":401,"name":"Unauthorized"},"data":{}}`)
	same(t, "refresh after logout", golden(c.renew()), "Unauthorized\nCache-Control: no-store\nContent-Type: application/json\n"+
		"Www-Authenticate: Bearer realm=\"api\", error=\"invalid_token\"\n"+`{"status":{"code":401,"name":"Unauthorized"},"data":{}}`)

	if got := c.session(alice, key, alice, 1, ""); got.status != 200 {
		t.Errorf("the Iroha form: %d %s", got.status, got.body)
	}
	if strings.Contains(logs.String(), "57e7115d") {
		t.Error("a signature is in the log")
	}
}

func TestAttacks(t *testing.T) {
	key, other := keyOf(t, aliceSeed), keyOf(t, strings.Repeat("01", 32))
	c := &client{t: t, base: start(t, "-account", flagOf(alice, key, "ROLE_PEER"), "-account", flagOf("bob@example.com", other, "ROLE_ADMIN"), "-auth-limit", "1000")}
	same(t, "a key of one's own", golden(c.session(alice, other, alice, 0, "")), "Unprocessable Entity\nCache-Control: no-store\nContent-Type: application/json\n"+
		`{"status":{"code":422,"name":"Unprocessable Entity","message":"The signature could not be verified."},"data":{}}`)
	same(t, "another's address signed", golden(c.session(alice, key, "bob@example.com", 0, "")), golden(c.session(alice, other, alice, 0, "")))
	same(t, "unknown account", golden(c.session("nobody@example.com", key, "nobody@example.com", 0, "")), "Not Found\nCache-Control: no-store\nContent-Type: application/json\n"+
		`{"status":{"code":404,"name":"Not Found","message":"User not found."},"data":{}}`)
	hex64, hex128 := strings.Repeat("a", 64), strings.Repeat("a", 128)
	for _, row := range []struct {
		name, body string
		status     int
	}{
		{"key is not hexadecimal", `{"email":"` + alice + `","signature":"` + hex128 + `","authPublicKeyHex":"` + strings.Repeat("x", 64) + `"}`, 422},
		{"key too short", `{"email":"` + alice + `","signature":"` + hex128 + `","authPublicKeyHex":"aa"}`, 422},
		{"signature too short", `{"email":"` + alice + `","signature":"aa","authPublicKeyHex":"` + hex64 + `"}`, 422},
		{"forged", `{"email":"` + alice + `","signature":"` + hex128 + `","authPublicKeyHex":"` + hex.EncodeToString(key.Public().(ed25519.PublicKey)) + `"}`, 422},
		{"no signature", `{"email":"` + alice + `","authPublicKeyHex":"` + hex64 + `"}`, 400},
		{"no e-mail", `{"signature":"` + hex128 + `","authPublicKeyHex":"` + hex64 + `"}`, 400},
		{"member twice", `{"email":"bob@example.com","email":"` + alice + `","signature":"` + hex128 + `","authPublicKeyHex":"` + hex64 + `"}`, 400},
		{"array", `[]`, 400},
		{"oversize", `{"email":"` + strings.Repeat("a", 65<<10) + `"}`, 413},
	} {
		t.Run(row.name, func(t *testing.T) { c.expect(row.status, "POST", sessionPath, row.body) })
	}
	c.session(alice, key, alice, 0, "")
	access, refresh := c.access, c.refresh
	c.access = refresh
	c.expect(401, "GET", accountPath, "")
	c.expect(401, "POST", logoutPath, "")
	c.access = access
	c.expect(401, "PATCH", sessionPath, "")
	c.access = ""
	c.expect(401, "PATCH", sessionPath, "")
	c.expect(401, "GET", accountPath, "")
	c.expect(404, "GET", "/auth/api/v1/nothing", "")
	if got := c.expect(405, "GET", sessionPath, ""); got.header.Get("Allow") != "POST, PATCH" {
		t.Errorf("Allow %q", got.header.Get("Allow"))
	}
	c.refresh = refresh
	if got := c.renew(); got.status != 200 {
		t.Errorf("none of that should end the session: %d", got.status)
	}
	next := c.refresh
	c.refresh = refresh
	if got := c.renew(); got.status != 401 {
		t.Errorf("spent refresh token: %d", got.status)
	}
	c.refresh = next
	if got := c.renew(); got.status != 401 {
		t.Errorf("successor after reuse: %d", got.status)
	}
}

func TestChallenge(t *testing.T) {
	key, other := keyOf(t, aliceSeed), keyOf(t, strings.Repeat("01", 32))
	c := &client{t: t, base: start(t, "-account", flagOf(alice, key, "ROLE_PEER"), "-account", flagOf("bob@example.com", other, "ROLE_ADMIN"),
		"-challenge-only", "-hide-unknown")}
	ask := func(email string) string {
		var e struct {
			Data struct {
				Challenge      string
				ExpirationTime int
			}
		}
		got := c.expect(200, "POST", challengePath, `{"email":"`+email+`"}`)
		if err := json.Unmarshal([]byte(got.body), &e); err != nil || e.Data.ExpirationTime != 60 {
			t.Fatalf("%v: %s", err, got.body)
		}
		return e.Data.Challenge
	}
	more := func(text string) string { return fmt.Sprintf(`,"challenge":%q`, text) }
	text := ask(alice)
	if lines := strings.Split(text, "\n"); lines[0] != "FIB login" || lines[1] != c.base || lines[2] != alice {
		t.Errorf("a client would not sign %q", lines)
	}
	for _, row := range []struct {
		name   string
		status int
		got    reply
	}{
		{"the address signed", 403, c.session(alice, key, alice, 0, "")},
		{"the address signed, beside a challenge", 422, c.session(alice, key, alice, 0, more(text))},
		{"another's key", 422, c.session(alice, other, text, 0, more(text))},
		{"another's challenge", 422, c.session("bob@example.com", other, text, 0, more(text))},
		{"a challenge of one's own", 422, c.session(alice, key, text+"x", 0, more(text+"x"))},
		{"no challenge at all", 422, c.session(alice, key, "x", 0, more("x"))},
		{"unknown account", 422, c.session("nobody@example.com", key, text, 0, more(text))},
		{"answered", 200, c.session(alice, key, text, 1, more(text))},
		{"answered again", 422, c.session(alice, key, text, 1, more(text))},
	} {
		if row.got.status != row.status {
			t.Errorf("%s: %d %s", row.name, row.got.status, row.got.body)
		}
	}
	if ask("nobody@example.com") == "" {
		t.Error("no challenge for unknown accounts")
	}
	c.expect(400, "POST", challengePath, `{}`)
}

func TestChallengeExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChallenges("here", issuer.NewMemoryStore())
		text := c.make(alice, time.Now())
		time.Sleep(challengeLife - time.Second)
		nonce, expiry, fresh := c.fresh(text, alice, time.Now())
		if !fresh {
			t.Error("not fresh within its life")
		}
		time.Sleep(time.Second)
		if _, _, late := c.fresh(text, alice, time.Now()); late {
			t.Error("fresh after its life")
		}
		for i, want := range []bool{true, false} {
			if got, err := c.spend(t.Context(), nonce, expiry); err != nil || got != want {
				t.Errorf("spending it for the %d. time: %v %v", i+1, got, err)
			}
		}
	})
}

func TestLimit(t *testing.T) {
	c := &client{t: t, base: start(t, "-auth-limit", "2")} // and the demo account
	c.expect(401, "PATCH", sessionPath, "")
	if got := c.session(alice, keyOf(t, aliceSeed), alice, 0, ""); got.status != 200 {
		t.Errorf("demo account: %d", got.status)
	}
	got := golden(c.do("POST", sessionPath, "{}"))
	same(t, "limited", got[:strings.Index(got, "Retry-After")]+got[strings.Index(got, "{"):], "Too Many Requests\nCache-Control: no-store\nContent-Type: application/json\n"+
		`{"status":{"code":429,"name":"Too Many Requests"},"data":{}}`)
}

func TestFlags(t *testing.T) {
	ended, end := context.WithCancel(t.Context()) // what is taken for right ends at once
	end()
	zero, one := strings.Repeat("00", 32), strings.Split(demoAccount, ":")[1]
	account := func(parts ...string) string { return "-account " + strings.Join(parts, ":") + " " }
	twice := account("alice@mail.com", one, "ROLE_PEER") + account("alice@wonderland.space", one, "ROLE_PEER")
	for _, row := range []struct{ args, flag string }{
		{"-access-ttl 0s", "-access-ttl"}, {"-refresh-ttl x", "-refresh-ttl"}, {"-account nobody", "-account"},
		{account("a@example.com", "aa", "ROLE_PEER"), "-account:"}, {account("a@example.com", zero, "ROLE_PEER"), "-account:"},
		{account("a@example.com", "xx", "ROLE_PEER"), "-account"}, {account("a@example.com", one, "ROLE_KING"), "-account:"},
		{account("nobody", one, "ROLE_PEER"), "-account:"}, {account(demoAccount) + account(demoAccount), "-account:"},
		{account(demoAccount, "alice"), "-account:"}, {account(demoAccount, "alice@"), "-account:"}, {account(demoAccount, "@sora"), "-account:"},
		{account(demoAccount, "a@b@c"), "-account:"}, {account(demoAccount, "al#ce@sora"), "-account:"}, {account(demoAccount, ""), "-account"},
		{account(demoAccount, "alice@sora", "more"), "-account"}, {account("o'hara@example.com", one, "ROLE_PEER"), "-account:"},
		{twice, "-account:"}, {"-domain sora " + twice, "-account:"}, {strings.TrimSpace(twice) + ":Alice@Wonderland", "-account:"},
		{account(demoAccount, "alice@sora") + account("bob@example.com", one, "ROLE_ADMIN", "alice@sora"), "-account:"},
		{"-domain a@b", "-domain:"}, {"-domain=", "-account:"}, {"-audience \r", "-audience:"},
		{"-auth-limit 0", "-auth-limit"}, {"-addr nowhere", "-addr"}, {"-nonsense", "-nonsense"}, {"more", "more"},
	} {
		var out, errs bytes.Buffer
		args := strings.FieldsFunc(row.args, func(r rune) bool { return r == ' ' })
		if got := run(ended, args, &out, &errs); got != 2 || !strings.Contains(errs.String(), row.flag) || out.Len() > 0 {
			t.Errorf("%s: exit status %d, %s%s", row.args, got, &out, &errs)
		}
	}
}

// TestConfig counts the mistakes that New reports together.
func TestConfig(t *testing.T) {
	demo, err := readAccount(demoAccount)
	if err != nil {
		t.Fatal(err)
	}
	demo.ID = "alice@sora"
	king, kind := demo, demo
	king.Email, king.Role, kind.Email, kind.Profile.PeerType = "king@example.com", "ROLE_KING", "kind@example.com", "HUGE_TELCO"
	good := Config{Accounts: []Account{demo}, Audience: "https://fib.example"}
	short := good
	short.AccessLife, short.RefreshLife, short.AuthLimit = time.Millisecond, time.Millisecond, -1
	for name, row := range map[string]struct {
		config   Config
		mistakes int
	}{
		"the zero Config": {Config{}, 2}, "accounts": {Config{Accounts: []Account{king, demo, demo, kind}, Audience: "here"}, 4},
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
