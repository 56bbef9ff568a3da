package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/blake2b"
)

// The documents that say how the system is to be used. The first one is a
// tutorial, the others are pages of the specification beside it.
const (
	authorizing = "FIB, Authorizing an account"
	samples     = "FIB, Authorizing an account: its sample tokens"
	proving     = "FIB, Signing user email addresses"
	refreshing  = "FIB, Refreshing authentication tokens"
	leaving     = "FIB, Logging a user out of the system"
	details     = "FIB, Retrieving user details"
)

// A sentence is one thing that a document says, in our words, and what it means
// on the wire. What we read otherwise is in reading.
type sentence struct {
	document, says, reading string
	check                   func(t *testing.T, c *client, key ed25519.PrivateKey)
}

const mail = "alice@mail.com" // whose key the checks get

func jsonOf(members map[string]string) string {
	text, _ := json.Marshal(members)
	return string(text)
}

// proofOf is the body of a login.
func proofOf(email string, key ed25519.PrivateKey) map[string]string {
	digest := blake2b.Sum256([]byte(email))
	return map[string]string{
		"email": email, "signature": hex.EncodeToString(ed25519.Sign(key, digest[:])),
		"authPublicKeyHex": hex.EncodeToString(key.Public().(ed25519.PublicKey)),
	}
}

// members are those of an answer, and of its data.
func members(t *testing.T, r reply) (answer, data map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), &answer); err != nil {
		t.Fatal(err)
	}
	data, _ = answer["data"].(map[string]any)
	return answer, data
}

var sentences = []sentence{
	{authorizing, "an account is authorized by POST to the session path", "", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		c.expect(200, "POST", "/auth/api/v1/authentication-management/session", jsonOf(proofOf(mail, key)))
	}},
	{authorizing, "the body has email, signature and authPublicKeyHex, all strings", "", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		for name := range proofOf(mail, key) {
			less := proofOf(mail, key)
			delete(less, name)
			c.expect(400, "POST", sessionPath, jsonOf(less))
			number := strings.Replace(jsonOf(proofOf(mail, key)), `"`+name+`":"`+proofOf(mail, key)[name]+`"`, `"`+name+`":1`, 1)
			c.expect(400, "POST", sessionPath, number)
		}
	}},
	{authorizing, "the body is printed without quotes around its names", "JSON5 is how the page prints: what travels is JSON, as the specification says.", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		c.expect(400, "POST", sessionPath, regexp.MustCompile(`"(\w+)":`).ReplaceAllString(jsonOf(proofOf(mail, key)), "$1:"))
	}},
	{authorizing, "email is the user's address", "", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		got := c.expect(404, "POST", sessionPath, jsonOf(proofOf("nobody@mail.com", key)))
		same(t, "unknown", got.body, `{"status":{"code":404,"name":"Not Found","message":"User not found."},"data":{}}`+"\n")
	}},
	{authorizing, "signature is the signature of the address, in hexadecimal", "", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		for name, signature := range map[string]string{
			"another address": proofOf("bob@mail.com", key)["signature"], "base64": strings.Repeat("A", 86) + "==", "short": "00", "upper case": "", "forged": strings.Repeat("0", 128),
		} {
			body := proofOf(mail, key)
			status := 422
			if name == "upper case" {
				signature, status = strings.ToUpper(body["signature"]), 200
			}
			body["signature"] = signature
			if got := c.do("POST", sessionPath, jsonOf(body)); got.status != status {
				t.Errorf("%s: %d, want %d", name, got.status, status)
			}
		}
	}},
	{authorizing, "authPublicKeyHex is the public key, in hexadecimal", "", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		for _, hex := range []string{"00", "x", strings.Repeat("0", 64), strings.Repeat("z", 64)} {
			body := proofOf(mail, key)
			body["authPublicKeyHex"] = hex
			c.expect(422, "POST", sessionPath, jsonOf(body))
		}
	}},
	{authorizing, "it is that of the pair that the system has for this user, so a signature with the ledger's pair is refused", "", func(t *testing.T, c *client, _ ed25519.PrivateKey) {
		c.expect(422, "POST", sessionPath, jsonOf(proofOf(mail, keyOf(t, strings.Repeat("02", 32)))))
	}},
	{authorizing, "the answer is two tokens and a time", "", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		got := c.session(mail, key, mail, 0, "")
		_, data := members(t, got)
		access, ok1 := data["accessToken"].(string)
		refresh, ok2 := data["refreshToken"].(string)
		if len(data) != 3 || !ok1 || !ok2 || strings.Count(access, ".") != 2 || strings.Count(refresh, ".") != 2 || access == refresh {
			t.Error(got.body)
		}
	}},
	{authorizing, "the access token goes into the header of other requests, as Bearer", "", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		c.expect(401, "GET", accountPath, "")
		c.session(mail, key, mail, 0, "")
		c.expect(200, "GET", accountPath, "")
		c.access = c.refresh
		c.expect(401, "GET", accountPath, "")
	}},
	{authorizing, "expirationTime is a moment", "It is printed as 300: the seconds that the access token lives.", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		_, data := members(t, c.session(mail, key, mail, 0, ""))
		if data["expirationTime"] != 300.0 {
			t.Errorf("%v", data["expirationTime"])
		}
		time.Sleep(300*time.Second - time.Nanosecond)
		c.expect(200, "GET", accountPath, "")
		time.Sleep(time.Nanosecond)
		c.expect(401, "GET", accountPath, "")
	}},
	{authorizing, "answers are a status of code, name and message, and data", "", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		same(t, "login", golden(c.session(mail, key, mail, 0, "")), "OK\nCache-Control: no-store\nContent-Type: application/json\n"+
			`{"status":{"code":200,"name":"OK","message":"User authorization has been successful."},"data":{"accessToken":"TOKEN","refreshToken":"TOKEN","expirationTime":300}}`)
	}},
	{samples, "the access token has these members and this header, and acc names an account in the ledger that is not the address", "", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		c.session(mail, key, mail, 0, "")
		same(t, "access token", segment(t, c.access, 0)+uuid.ReplaceAllString(segment(t, c.access, 1), "UUID"),
			`{"typ":"JWT","alg":"EdDSA"}{"acc":"alice@wonderland","sub":"alice@mail.com","role":"ROLE_PEER","exp":946685100,"jti":"UUID"}`)
	}},
	{samples, "each account has a domain of its own in the ledger", "", func(t *testing.T, c *client, _ ed25519.PrivateKey) {
		bob := keyOf(t, strings.Repeat("02", 32))
		c.session("bob@mail.com", bob, "bob@mail.com", 0, "")
		same(t, "access token", uuid.ReplaceAllString(segment(t, c.access, 1), "UUID"),
			`{"acc":"bob@admin","sub":"bob@mail.com","role":"ROLE_ADMIN","exp":946685100,"jti":"UUID"}`)
	}},
	{samples, "the refresh token names its access token, and lives for 86100 seconds more", "", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		c.session(mail, key, mail, 0, "")
		same(t, "refresh token", segment(t, c.refresh, 0)+uuid.ReplaceAllString(segment(t, c.refresh, 1), "UUID"),
			`{"typ":"JWT","alg":"EdDSA"}{"sub":"alice@mail.com","acjti":"UUID","exp":946771200,"jti":"UUID"}`)
		access, refresh := uuid.FindAllString(segment(t, c.access, 1), -1), uuid.FindAllString(segment(t, c.refresh, 1), -1)
		if access[0] != refresh[0] || access[0] == refresh[1] {
			t.Errorf("%v, %v", access, refresh)
		}
	}},
	{samples, "the tokens say neither who made them nor for whom, nor with which key", "", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		c.session(mail, key, mail, 0, "")
		for _, token := range []string{c.access, c.refresh} {
			for _, name := range []string{"iss", "aud", "iat", "nbf", "kid"} {
				if says := segment(t, token, 0) + segment(t, token, 1); strings.Contains(says, `"`+name+`"`) {
					t.Errorf("%s is in %s", name, says)
				}
			}
		}
	}},
	{authorizing, "a refusal has a status of the list: 400, 404, 422 or 500", "Where the original answers 500 ours answers 503, which says that one may try again; and 429 to those who try too often.", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		wrong := proofOf(mail, key)
		wrong["signature"] = strings.Repeat("0", 128)
		for status, body := range map[int]string{400: "", 404: jsonOf(proofOf("nobody@mail.com", key)), 422: jsonOf(wrong)} {
			got := c.expect(status, "POST", sessionPath, body)
			answer, data := members(t, got)
			if is, _ := answer["status"].(map[string]any); is["code"] != float64(status) || is["name"] != http.StatusText(status) || data == nil || len(data) > 0 {
				t.Errorf("%d: %s", status, got.body)
			}
		}
	}},
	{proving, "what is signed is the BLAKE2b-256 digest of the address; the Iroha libraries set its last bit", "", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		for bit := range byte(2) {
			if got := c.session(mail, key, mail, bit, ""); got.status != 200 {
				t.Errorf("bit %d: %d", bit, got.status)
			}
		}
		vector := proofOf(alice, keyOf(t, aliceSeed))["signature"]
		if !strings.HasPrefix(vector, "57e7115d") || !strings.HasSuffix(vector, "2be00e630a") {
			t.Errorf("the published signature is another: %s", vector)
		}
	}},
	{refreshing, "PATCH on the session path with the refresh token as Bearer gives a new pair", "", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		login := c.session(mail, key, mail, 0, "")
		access, refresh := c.access, c.refresh
		same(t, "refresh", golden(c.renew()), golden(login))
		if c.access == access || c.refresh == refresh {
			t.Error("not new")
		}
		c.expect(200, "GET", accountPath, "")
		time.Sleep(24 * time.Hour)
		if got := c.renew(); got.status != 401 {
			t.Errorf("after a day: %d", got.status)
		}
	}},
	{leaving, "POST on the logout path with the access token ends the session", "", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		c.session(mail, key, mail, 0, "")
		same(t, "logout", c.expect(200, "POST", logoutPath, "").body, `{"status":{"code":200,"name":"OK"},"data":{}}`+"\n")
		c.expect(401, "GET", accountPath, "")
		if got := c.renew(); got.status != 401 {
			t.Errorf("refresh: %d", got.status)
		}
	}},
	{details, "an account has twenty members, of which three have two names", "The table and the example disagree about the three: ours has both.", func(t *testing.T, c *client, key ed25519.PrivateKey) {
		c.session(mail, key, mail, 0, "")
		_, data := members(t, c.do("GET", accountPath, ""))
		names := strings.Fields("email accountId authPubKeyHex irohaPubKeyHex salt role status phoneNumber firstName lastName roleName " +
			"peerCompanyName peerOperatingCountry peerType peerConnectionType peerGroup peerIsPrivileged registrationDate subscriptionType " +
			"subscriptionExpiryDate authPublicKeyHex irohaPublicKeyHex isPrivileged")
		for _, name := range names {
			if _, ok := data[name]; !ok {
				t.Errorf("%s is missing", name)
			}
		}
		for name := range data {
			if !slices.Contains(names, name) {
				t.Errorf("nobody asked for %s", name)
			}
		}
		if data["accountId"] != "alice@wonderland" || data["email"] != mail || data["role"] != "ROLE_PEER" || data["registrationDate"] != "2000-01-01T00:00:00Z" {
			t.Errorf("%v", data)
		}
	}},
}

func TestSentences(t *testing.T) {
	key := keyOf(t, strings.Repeat("01", 32))
	for _, s := range sentences {
		name := strings.Trim(regexp.MustCompile(`\W+`).ReplaceAllString(s.says, " "), " ")
		t.Run(name, func(t *testing.T) {
			if s.reading != "" {
				t.Log("read otherwise:", s.reading)
			}
			synctest.Test(t, func(t *testing.T) {
				s.check(t, mounted(t, Config{Audience: "https://fib.example", Domain: "wonderland", Accounts: []Account{
					{Email: mail, Key: key.Public().(ed25519.PublicKey), Role: Peer},
					{Email: "bob@mail.com", Key: keyOf(t, strings.Repeat("02", 32)).Public().(ed25519.PublicKey), Role: Admin, ID: "bob@admin"},
				}}), key)
			})
			if t.Failed() {
				t.Logf("%s: %s", s.document, s.says)
			}
		})
	}
}
