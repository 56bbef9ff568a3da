package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	issuer = "https://id.example"
	api    = "https://api.example"
)

var (
	ours    = sync.OnceValue(func() *rsa.PrivateKey { return newRSA() })
	foreign = sync.OnceValue(func() *rsa.PrivateKey { return newRSA() })
	curve   = sync.OnceValue(func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	})
)

func newRSA() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

type members = map[string]any

// signed is a token of ours, with what is changed; a member that is nil is left out.
func signed(method jwt.SigningMethod, key crypto.PrivateKey, header, payload members) string {
	now := time.Now().Unix()
	t := jwt.NewWithClaims(method, jwt.MapClaims{
		"iss": issuer, "aud": api, "sub": "zoe", "iat": now, "exp": now + 600, "jti": "1", "client_id": "app",
	})
	t.Header["typ"], t.Header["kid"] = "at+jwt", "k1"
	for _, change := range []struct{ to, by members }{{t.Header, header}, {t.Claims.(jwt.MapClaims), payload}} {
		for name, value := range change.by {
			if change.to[name] = value; value == nil {
				delete(change.to, name)
			}
		}
	}
	text, err := t.SignedString(key)
	if err != nil {
		panic(err)
	}
	return text
}

func token256(header, payload members) string {
	return signed(jwt.SigningMethodRS256, ours(), header, payload)
}

func jwkOf(key *rsa.PublicKey, more members) members {
	encode := base64.RawURLEncoding.EncodeToString
	k := members{"kty": "RSA", "kid": "k1", "n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes())}
	maps.Copy(k, more)
	return k
}

func setOf(keys ...members) []byte {
	text, err := json.Marshal(members{"keys": keys})
	if err != nil {
		panic(err)
	}
	return text
}

func pemOf(key any) []byte {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func file(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// asked runs the command.
func asked(t *testing.T, input string, args ...string) (code int, out string) {
	t.Helper()
	var b, problems bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(input), &b, &problems)
	if code == unchecked {
		t.Log(problems.String())
	}
	out = b.String()
	// What must never be printed: the token, its parts, its signature.
	for _, part := range strings.Split(strings.TrimSpace(input), ".") {
		if len(part) > 20 && (strings.Contains(out, part) || strings.Contains(problems.String(), part)) {
			t.Errorf("a part of the token is printed")
		}
	}
	return code, out
}

// advised returns what the lines of advice name: fields, or "none: WHAT".
func advised(out string) (fields []string) {
	for line := range strings.Lines(out) {
		if advice, ok := strings.CutPrefix(line, "advice: "); ok {
			if !strings.HasPrefix(advice, "none: ") {
				advice, _, _ = strings.Cut(advice, ":")
			}
			fields = append(fields, strings.TrimSpace(advice))
		}
	}
	return fields
}

// TestMisconfigurations seeds one mistake, or a few, and asks for the advice.
func TestMisconfigurations(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var literals printed
	defer literals.run(t)
	set := file(t, "keys.json", setOf(jwkOf(&ours().PublicKey, nil)))
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for _, test := range []struct {
		name    string
		token   string
		args    []string // after -issuer, -audience and -keys
		advice  []string
		literal string // what must be in it
	}{
		{"nothing wrong", token256(nil, nil), nil, nil, `Audience: []string{"https://api.example"}`},
		{"nothing wrong, pasted with its scheme", "Bearer " + token256(nil, nil) + "\n", nil, nil, ""},
		// Header.
		{"typ JWT", token256(members{"typ": "JWT"}, nil), nil, []string{"Dialect.AccessType"}, `AccessType: "JWT"`},
		{"typ JWT, said", token256(members{"typ": "JWT"}, nil), []string{"-type", "JWT"}, nil, "MaxLife: 10 * time.Minute"},
		{"typ at+jwt where JWT is said", token256(nil, nil), []string{"-type", "JWT"}, []string{"Dialect.AccessType"}, `"at+jwt"`},
		{"no typ", token256(without("typ"), nil), nil, []string{"Dialect.AbsentType"}, "AbsentType: true"},
		{"refresh token by typ", token256(members{"typ": "rt+jwt"}, nil), nil, []string{"none: refresh token"}, ""},
		{"logout token by typ", token256(members{"typ": "logout+jwt"}, nil), nil, []string{"none: logout token"}, ""},
		// Issuer.
		{"issuer with a slash", token256(nil, members{"iss": issuer + "/"}), nil, []string{"Config.Issuer"}, `Issuer:   "https://id.example/"`},
		{"issuer by http", token256(nil, members{"iss": "http://id.example"}), nil, []string{"Config.Issuer"}, ""},
		{"another issuer, another key", signed(jwt.SigningMethodRS256, foreign(), nil, members{"iss": "https://evil.example"}), nil, []string{"none: wrong issuer", "none: wrong signature"}, ""},
		{"no issuer", token256(nil, without("iss")), nil, []string{"Dialect.InsecureNoIssuer"}, "InsecureNoIssuer: true, // nothing but the key"},
		{"issuer is a number", token256(nil, members{"iss": 7}), nil, []string{"none: malformed"}, ""},
		// Audience.
		{"another audience", token256(nil, members{"aud": "account"}), nil, []string{"Config.Audience"}, `"account"`},
		{"another audience in a list", token256(nil, members{"aud": []string{"account", "b"}}), nil, []string{"Config.Audience"}, `"account"`},
		{"no audience", token256(nil, without("aud")), nil, []string{"Dialect.InsecureNoAudience"}, "InsecureNoAudience: true, // a token for any"},
		{"empty audience", token256(nil, members{"aud": []string{}}), nil, []string{"Dialect.InsecureNoAudience"}, ""},
		{"audience null", token256(nil, members{"aud": json.RawMessage("null")}), nil, []string{"Dialect.InsecureNoAudience"}, ""},
		// Subject.
		{"no subject", token256(nil, without("sub")), nil, []string{"Dialect.AbsentSubject"}, "AbsentSubject: true"},
		{"subject elsewhere", token256(nil, members{"sub": nil, "user_id": "7"}), nil, []string{"Dialect.SubjectMember"}, `SubjectMember: "user_id"`},
		{"number elsewhere", token256(nil, members{"sub": nil, "user_id": 7}), nil, []string{"Dialect.SubjectMember", "Dialect.NumericSubject"}, "NumericSubject: true"},
		{"subject is a number", token256(nil, members{"sub": 7}), nil, []string{"Dialect.NumericSubject"}, ""},
		{"subject is an object", token256(nil, members{"sub": members{"id": 7}}), nil, []string{"Dialect.ObjectSubject"}, ""},
		{"subject is blank", token256(nil, members{"sub": " "}), nil, []string{"none: malformed"}, ""},
		// Dates.
		{"expired", token256(nil, members{"iat": at(-time.Hour), "exp": at(-time.Minute)}), nil, []string{"none: expired"}, ""},
		{"no expiry", token256(nil, without("exp")), nil, []string{"Dialect.InsecureNoExpiry"}, "InsecureNoExpiry: true, // a stolen token"},
		{"clock ahead", token256(nil, members{"nbf": at(time.Minute)}), nil, []string{"Config.Leeway"}, "Leeway:"},
		{"clock ahead, too little leeway", token256(nil, members{"iat": at(2 * time.Minute)}), []string{"-leeway", "5s"}, []string{"Config.Leeway"}, "Leeway:"},
		{"tomorrow", token256(nil, members{"nbf": at(24 * time.Hour), "exp": at(25 * time.Hour)}), nil, []string{"none: not valid yet"}, ""},
		{"milliseconds", token256(nil, members{"iat": now.UnixMilli(), "exp": now.Add(time.Hour).UnixMilli()}), nil, []string{"Dialect.Time"}, "Time: claims.Milliseconds"},
		{"text", token256(nil, members{"iat": nil, "exp": now.Add(time.Hour).UTC().Format(time.RFC3339)}), nil, []string{"Dialect.Time"}, "Time: claims.RFC3339"},
		{"exp is a boolean", token256(nil, members{"exp": true}), nil, []string{"none: malformed"}, ""},
		// Other members.
		{"scope is an array", token256(nil, members{"scope": []string{"a"}}), nil, []string{"Dialect.ScopeList"}, "ScopeList: true"},
		{"party is a number", token256(nil, members{"party": 3}), nil, []string{"Dialect.NumericParty"}, "NumericParty: true"},
		{"jti is a number", token256(nil, members{"jti": 3}), nil, []string{"none: malformed"}, ""},
		// Kinds that only the payload tells.
		{"ID token, JWT said", token256(members{"typ": "JWT"}, members{"nonce": "n"}), []string{"-type", "JWT"}, []string{"none: ID token"}, ""},
		{"ID token by at_hash", token256(members{"typ": "JWT"}, members{"at_hash": "n"}), []string{"-type", "JWT"}, []string{"none: ID token"}, ""},
		{"ID token, nothing said", token256(members{"typ": "JWT"}, members{"nonce": "n"}), nil, []string{"none: ID token"}, ""},
		{"ID token by auth_time", token256(members{"typ": "JWT"}, members{"auth_time": at(0), "client_id": nil}), []string{"-type", "JWT"}, []string{"none: ID token"}, ""},
		{"refresh token of Keycloak", token256(members{"typ": "JWT"}, members{"typ": "Refresh"}), []string{"-type", "JWT"}, []string{"none: refresh token"}, ""},
		{"refresh token of simplejwt", token256(members{"typ": "JWT"}, members{"token_type": "refresh"}), []string{"-type", "JWT"}, []string{"none: refresh token"}, ""},
		{"ID token of Cognito", token256(without("typ"), members{"token_use": "id"}), nil, []string{"none: ID token"}, ""},
		{"logout token", token256(members{"typ": "JWT"}, members{"events": members{"e": members{}}}), []string{"-type", "JWT"}, []string{"none: logout token"}, ""},
		// Keys.
		{"another key", signed(jwt.SigningMethodRS256, foreign(), nil, nil), nil, []string{"none: wrong signature"}, ""},
		{"another kid", token256(members{"kid": "k9"}, nil), nil, []string{"none: signature by a key that is not among Config.Keys"}, ""},
		{"RS256 and PS256", signed(jwt.SigningMethodPS256, ours(), nil, nil), nil, []string{"jwks.FilesConfig.Algorithms"}, `Algorithms: []string{"RS256", "PS256"}`},
		{"a public key as a secret", signed(jwt.SigningMethodHS256, []byte("a secret of thirty-two bytes ..."), nil, nil), nil, []string{"none: wrong signature"}, ""},
		// RFC 9449 §6, RFC 8705 §3: the guard refuses it.
		{"bound to a key", token256(nil, members{"cnf": members{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}), nil, []string{"none: bound to a key"}, ""},
		{"bound to what nobody knows", token256(nil, members{"cnf": members{"kid": "x"}}), nil, []string{"none: bound to a key"}, ""},
		// Form.
		{"two segments", "a.b", nil, []string{"none: not a JWT"}, ""},
		{"five segments", "a.b.c.d.e", nil, []string{"none: encrypted token"}, ""},
		{"unsigned", "eyJhbGciOiJub25lIn0.e30.", nil, []string{"none: unsigned"}, ""},
		{"too long", token256(nil, members{"pad": strings.Repeat("x", 17<<10)}), nil, []string{"Config.MaxBytes"}, "MaxBytes:"},
		{"too many members", token256(nil, members{"resource_access": many(300)}), nil, []string{"Config.MaxMembers"}, "MaxMembers:"},
		// Several at once.
		{"a first hour", token256(members{"typ": "JWT"}, members{"iss": issuer + "/", "aud": "account", "sub": 7}), nil,
			[]string{"Dialect.AccessType", "Config.Issuer", "Config.Audience", "Dialect.NumericSubject"}, ""},
		{"an ID token of another issuer", token256(members{"typ": "JWT"}, members{"nonce": "n", "iss": issuer + "/"}), nil, []string{"none: ID token"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out := asked(t, test.token, append([]string{"-issuer", issuer, "-audience", api, "-keys", set}, test.args...)...)
			got := advised(out)
			slices.Sort(got)
			slices.Sort(test.advice)
			if !slices.Equal(got, test.advice) {
				t.Errorf("advice %q, want %q\n%s", got, test.advice, out)
			}
			if want := map[bool]int{true: accepted, false: refused}[test.advice == nil]; code != want {
				t.Errorf("code %d, want %d", code, want)
			}
			none := strings.Contains(out, "advice: none: ")
			if has := strings.Contains(out, "claims.Config{"); has == none {
				t.Errorf("a literal: %v, none: %v\n%s", has, none, out)
			}
			if !none {
				literals.add(out, test.token)
			}
			if !strings.Contains(out, test.literal) {
				t.Errorf("the literal lacks %s\n%s", test.literal, out)
			}
		})
	}
}

func many(n int) members {
	all := members{}
	for i := range n {
		all[fmt.Sprint("c", i)] = i
	}
	return all
}

// printed are literals that were printed, each with the token that it must accept.
type printed struct{ source bytes.Buffer }

func (p *printed) add(out, token string) {
	config, keys, _ := strings.Cut(strings.TrimSpace(out[strings.Index(out, "claims.Config{"):]), "\n\n")
	make := "jwks.New"
	if strings.HasPrefix(keys, "jwks.FilesConfig") {
		make = "jwks.NewFiles"
	}
	if strings.Contains(keys, "save it under a name") {
		token = "" // it was not: the literals are only compiled
	}
	fmt.Fprintf(&p.source, "\t{%s, func() (claims.KeySet, error) { return %s(%s) }, %q},\n", config, make, keys, strings.TrimPrefix(strings.TrimSpace(token), "Bearer "))
}

// run builds the literals as they stand, in a program that is in no folder, and has them
// judge their tokens.
func (p *printed) run(t *testing.T) {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	source := append([]byte(`package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

func main() {
	failed := false
	for _, c := range cases {
		if c.token == "" {
			continue
		}
		err := verify(c.config, c.keys, c.token)
		if err != nil {
			failed = true
			fmt.Printf("%+v: %v\n", c.config, err)
		}
	}
	if failed {
		os.Exit(1)
	}
}

func verify(config claims.Config, keys func() (claims.KeySet, error), token string) (err error) {
	if config.Keys, err = keys(); err != nil {
		return err
	}
	v, err := claims.NewVerifier[map[string]any](config)
	if err == nil {
		_, err = v.Verify(context.Background(), token)
	}
	return err
}

var _ = time.Second

var cases = []struct {
	config claims.Config
	keys   func() (claims.KeySet, error)
	token  string
}{
`), p.source.Bytes()...)
	source = append(source, "}\n"...)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(here, "literals", "main.go"): file(t, "main.go", source)}})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "run", "-overlay", file(t, "overlay.json", overlay), "./literals").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestKeys has the keys in every form that -keys takes.
func TestKeys(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	var literals printed
	defer literals.run(t)
	serve := func(path string, text []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { w.Write(text) })
	}
	set := setOf(jwkOf(&ours().PublicKey, nil))
	serve("/keys", set)
	serve("/pem", pemOf(&ours().PublicKey))
	serve("/.well-known/openid-configuration", fmt.Appendf(nil, `{"issuer":%q,"jwks_uri":%q}`, server.URL, server.URL+"/keys"))
	ps256 := signed(jwt.SigningMethodPS256, ours(), without("kid"), members{"iss": server.URL})
	es256 := signed(jwt.SigningMethodES256, curve(), without("kid"), members{"iss": server.URL})
	rs256 := token256(nil, members{"iss": server.URL})
	bound := setOf(jwkOf(&ours().PublicKey, members{"alg": "RS256"}))
	for _, test := range []struct {
		name, keys, token string
		code              int
		advice            string
		literal           string
	}{
		{"discovery", "", rs256, accepted, "", "Issuer: \"http"},
		{"set by URL", server.URL + "/keys", rs256, accepted, "", "jwks.Config{"},
		{"set by URL, another algorithm", server.URL + "/keys", ps256, refused, "jwks.Config.Algorithms", `"PS256"`},
		{"PEM by URL", server.URL + "/pem", rs256, accepted, "", "jwks.FilesConfig{"},
		{"PEM", file(t, "keys.pem", pemOf(&ours().PublicKey)), rs256, accepted, "", "jwks.FilesConfig{"},
		{"PEM, another algorithm", file(t, "keys.pem", pemOf(&ours().PublicKey)), ps256, refused, "jwks.FilesConfig.PEMAlgorithm", `"PS256"`},
		{"PEM of a curve", file(t, "keys.pub", pemOf(&curve().PublicKey)), es256, accepted, "", "jwks.FilesConfig{"},
		{"set without a name for it", file(t, "keys", set), rs256, accepted, "", ".json"},
		{"bound to another algorithm", file(t, "keys.json", bound), ps256, refused, "none: signature by an algorithm that the key is not for", ""},
		{"a key of another type", file(t, "keys.json", set), es256, refused, "none: signature by a key that is not among Config.Keys", ""},
		{"no such file", filepath.Join(t.TempDir(), "none"), rs256, unchecked, "", ""},
		{"no keys there", server.URL + "/nowhere", rs256, unchecked, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out := asked(t, test.token, "-issuer", server.URL, "-audience", api, "-keys", test.keys)
			if code != test.code || strings.Join(advised(out), ", ") != test.advice || !strings.Contains(out, test.literal) {
				t.Errorf("code %d\n%s", code, out)
			}
			if strings.Contains(out, "claims.Config{") {
				literals.add(out, test.token)
			}
		})
	}
}

func without(names ...string) members {
	m := members{}
	for _, name := range names {
		m[name] = nil
	}
	return m
}

// TestUnchecked has no answer about the token.
func TestUnchecked(t *testing.T) {
	t.Parallel()
	set := file(t, "keys.json", setOf(jwkOf(&ours().PublicKey, nil)))
	for name, args := range map[string][]string{
		"no issuer":        {"-audience", api, "-keys", set},
		"no audience":      {"-issuer", issuer, "-keys", set},
		"token as a word":  {"-issuer", issuer, "-audience", api, "-keys", set, "a.b.c"},
		"too much leeway":  {"-issuer", issuer, "-audience", api, "-keys", set, "-leeway", "1h"},
		"an unknown flag":  {"-secret"},
		"nothing to check": {"-issuer", issuer, "-audience", api, "-keys", set, "-type", "at+jwt"},
	} {
		input := token256(nil, nil)
		if name == "nothing to check" {
			input = "\n"
		}
		if code, out := asked(t, input, args...); code != unchecked || strings.Contains(out, "advice:") {
			t.Errorf("%s: %d\n%s", name, code, out)
		}
	}
}
