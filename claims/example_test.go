package claims_test

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// Account is what the tokens of this system say besides the registered claims.
type Account struct {
	Company int `json:"company"`
}

var (
	exampleKey     = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	exampleClaims  = claims.Claims[Account]{Use: claims.Access, Issuer: "https://id.example", Subject: "alice", Audience: []string{"api"}, Party: "Admin"}
	exampleKeys, _ = claims.NewKeySet(mustKey("EdDSA", "2026", exampleKey.Public()))
)

func mustKey(alg, kid string, material any) *claims.Key {
	k, err := claims.NewKey(alg, kid, material)
	if err != nil {
		panic(err)
	}
	return k
}

// exampleToken is what an issuer does: encode, and sign what comes out.
func exampleToken(c claims.Claims[Account], life time.Duration) string {
	c.App.Company, c.Expiry = 7, time.Now().Add(life)
	encoder, err := claims.NewEncoder[Account](claims.Dialect{})
	if err != nil {
		panic(err)
	}
	input, err := encoder.Encode(claims.Header{Algorithm: "EdDSA", KeyID: "2026"}, &c)
	if err != nil {
		panic(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(exampleKey, []byte(input)))
}

func ExampleVerifier() {
	verify, err := claims.NewVerifier[Account](claims.Config{
		Issuer:   "https://id.example",
		Audience: []string{"api"},
		Keys:     exampleKeys,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, life := range []time.Duration{time.Hour, -time.Hour} {
		c, err := verify.Verify(context.Background(), exampleToken(exampleClaims, life))
		switch {
		case err == nil:
			fmt.Println("200", c.Subject, c.Party, c.App.Company)
		case errors.Is(err, claims.ErrInvalid):
			fmt.Println("401, expired:", errors.Is(err, claims.ErrExpired))
		default:
			fmt.Println("503")
		}
	}
	// Output:
	// 200 alice Admin 7
	// 401, expired: true
}

// A configuration is judged whole, and every mistake named.
func ExampleNewVerifier() {
	_, err := claims.NewVerifier[Account](claims.Config{Issuer: "https://id.example", Leeway: time.Hour})
	fmt.Println(err)
	// Output:
	// claims: Config.Keys is missing
	// claims: Config.Audience is missing
	// claims: Config.Leeway is 1h0m0s, not between 0 and 5m0s
}

func ExampleParsePEM() {
	keys, err := claims.ParsePEM([]byte(`
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAO2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=
-----END PUBLIC KEY-----
`), "")
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := claims.NewKeySet(keys...)
	fmt.Println(keys[0].Algorithm(), set != nil, err)
	// Output: EdDSA true <nil>
}

// Many providers, and golang-jwt by default, write the typ "JWT" into access
// tokens. It must be said, because the zero Dialect expects "at+jwt" (RFC 9068).
// Those providers write "JWT" into ID tokens too, which are refused by their marks.
// Better is a dialect that says by which member an access token is known.
func ExampleDialect_typJWT() {
	dialect := claims.Dialect{AccessType: "JWT"}
	verify, err := claims.NewVerifier[Account](claims.Config{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: exampleKeys, Dialect: dialect,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	input := `{"alg":"EdDSA","typ":"JWT"}`
	input = base64.RawURLEncoding.EncodeToString([]byte(input)) + "." + base64.RawURLEncoding.EncodeToString(
		fmt.Appendf(nil, `{"iss":"https://id.example","aud":"api","sub":"alice","exp":%d}`, time.Now().Add(time.Hour).Unix()))
	token := input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(exampleKey, []byte(input)))
	c, err := verify.Verify(context.Background(), token)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Subject)
	// Output: alice
}

// One literal says how a whole system writes its tokens.
func ExampleDialect() {
	dialect := claims.Dialect{
		AccessType: "JWT", RefreshType: "JWT", // not told apart by typ,
		UseMember:      "usefor", // but by this
		LifetimeMember: "exi",
		PartyMember:    "role",
		Members:        []string{"exi", "exp", "iat", "iss", "sub", "role", "usefor"},

		InsecureNoAudience: true,
	}
	encoder, err := claims.NewEncoder[struct{}](dialect)
	if err != nil {
		fmt.Println(err)
		return
	}
	issued := time.Unix(1700000000, 0)
	input, err := encoder.Encode(claims.Header{Algorithm: "HS256"}, &claims.Claims[struct{}]{
		Use: claims.Access, Issuer: "core", Subject: "admin", Party: "owner", IssuedAt: issued, Expiry: issued.Add(10 * time.Minute),
	})
	fmt.Println(payloadOf(input), err)
	// Output: {"exi":600,"exp":1700000600,"iat":1700000000,"iss":"core","sub":"admin","role":"owner","usefor":"access"} <nil>
}

func payloadOf(input string) string {
	for i := range input {
		if input[i] == '.' {
			b, _ := base64.RawURLEncoding.DecodeString(input[i+1:])
			return string(b)
		}
	}
	return ""
}

func ExampleEncoder() {
	encoder, err := claims.NewEncoder[Account](claims.Dialect{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := exampleClaims
	c.App.Company, c.Expiry = 7, time.Unix(1700000000, 0)
	input, err := encoder.Encode(claims.Header{Algorithm: "EdDSA", KeyID: "2026"}, &c)
	fmt.Println(payloadOf(input), err)
	// Output: {"iss":"https://id.example","sub":"alice","aud":"api","exp":1700000000,"party":"Admin","company":7} <nil>
}

// Keycloak says in a member typ of the payload what a token is for.
func ExampleDialect_keycloak() {
	keycloak := claims.Dialect{AccessType: "JWT", RefreshType: "JWT", UseMember: "typ", AccessWords: []string{"Bearer"}, RefreshWord: "Refresh"}
	verify, err := claims.NewVerifier[Account](claims.Config{Issuer: "https://id.example", Audience: []string{"api"}, Keys: exampleKeys, Dialect: keycloak})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, word := range []string{"Bearer", "ID", "Refresh"} {
		_, err := verify.Verify(context.Background(), handmade(`"typ":"`+word+`"`))
		fmt.Println(word, err)
	}
	// Output:
	// Bearer <nil>
	// ID claims: invalid token: wrong use: typ: expected "Bearer", found "ID": none: ID token
	// Refresh claims: invalid token: wrong use: typ: expected "Bearer", found "Refresh": none: refresh token
}

// A dialect that knows access tokens by nothing but the type "JWT" refuses what bears
// the marks of another kind. What bears none it takes for an access token: here a
// refresh token that only its issuer knows as one. A lifetime tells them apart.
func ExampleDialect_typJWT_incorrect() {
	config := claims.Config{Issuer: "https://id.example", Audience: []string{"api"}, Keys: exampleKeys, Dialect: claims.Dialect{AccessType: "JWT"}}
	refreshToken := handmade(fmt.Sprintf(`"iat":%d`, time.Now().Unix())) // good for an hour, as mockoidc's
	for _, config.MaxLife = range []time.Duration{0, 10 * time.Minute} {
		verify, err := claims.NewVerifier[Account](config)
		if err != nil {
			fmt.Println(err)
			return
		}
		_, err = verify.Verify(context.Background(), handmade(`"nonce":"n-0S6_WzA2Mj"`))
		fmt.Println("ID token:", err)
		_, err = verify.Verify(context.Background(), refreshToken)
		fmt.Println("refresh token:", err != nil)
	}
	// Output:
	// ID token: claims: invalid token: another kind of token: nonce: expected no such member, found one: none: ID token
	// refresh token: false
	// ID token: claims: invalid token: another kind of token: nonce: expected no such member, found one: none: ID token
	// refresh token: true
}

// handmade is a token of typ "JWT" with more members.
func handmade(members string) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(
		fmt.Appendf(nil, `{"iss":"https://id.example","aud":"api","sub":"alice","exp":%d,%s}`, time.Now().Add(time.Hour).Unix(), members))
	return input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(exampleKey, []byte(input)))
}

// Roles is a list that some issuers write as a string when it has one name, as ADFS
// does with role.
type Roles []string

func (r *Roles) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*r = Roles{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(r))
}

// Truth is a boolean that Amazon Cognito and Apple also write as "true" or "false".
type Truth bool

func (b *Truth) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case `true`, `"true"`:
		*b = true
	case `false`, `"false"`:
		*b = false
	default:
		return errors.New("neither true nor false")
	}
	return nil
}

// What an issuer writes in two ways, a type of the application reads. What it does not
// know it refuses.
func ExampleClaims_unmarshalJSON() {
	type profile struct {
		Role     Roles `json:"role"`
		Verified Truth `json:"email_verified"`
	}
	verify, err := claims.NewVerifier[profile](claims.Config{Issuer: "https://id.example", Audience: []string{"api"}, Keys: exampleKeys, Dialect: claims.Dialect{AccessType: "JWT"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, members := range []string{`"role":"a","email_verified":"true"`, `"role":["a","b"],"email_verified":true`, `"role":"a","email_verified":"yes"`} {
		c, err := verify.Verify(context.Background(), handmade(members))
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(c.App.Role, c.App.Verified)
	}
	// Output:
	// [a] true
	// [a b] true
	// claims: invalid token: member has the wrong type: email_verified: expected what its field in App takes, found a string: Claims.App
}

// Old tokens without iss and aud, with a number as user_id, are good beside new ones
// until they expire. Then the old verifier is removed.
func ExampleJoin_oldTokens() {
	now, err := claims.NewVerifier[Account](claims.Config{Issuer: "https://id.example", Audience: []string{"api"}, Keys: exampleKeys})
	if err != nil {
		fmt.Println(err)
		return
	}
	secret := mustKey("HS256", "", []byte("the secret of the old tokens, 32 bytes or more"))
	oldKeys, err := claims.NewKeySet(secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	before, err := claims.NewVerifier[Account](claims.Config{Keys: oldKeys, MaxLife: 24 * time.Hour, Dialect: claims.Dialect{
		AccessType: "JWT", SubjectMember: "user_id", NumericSubject: true,
		InsecureNoIssuer: true, InsecureNoAudience: true, // nothing but the secret ties them to us
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	verify, err := claims.Join(now, before)
	if err != nil {
		fmt.Println(err)
		return
	}
	input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(
		fmt.Appendf(nil, `{"user_id":7,"exp":%d}`, time.Now().Add(time.Hour).Unix()))
	mac := hmac.New(sha256.New, []byte("the secret of the old tokens, 32 bytes or more"))
	mac.Write([]byte(input))
	old := input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))

	c, err := verify.Verify(context.Background(), old)
	fmt.Printf("%q %q %v\n", c.Issuer, c.Subject, err)
	c, err = verify.Verify(context.Background(), exampleToken(exampleClaims, time.Hour))
	fmt.Printf("%q %q %v\n", c.Issuer, c.Subject, err)
	verify.Remove("") // a day later
	_, err = verify.Verify(context.Background(), old)
	fmt.Println(err)
	// Output:
	// "" "7" <nil>
	// "https://id.example" "alice" <nil>
	// claims: invalid token: wrong issuer: iss: expected an issuer that was joined, found nothing: Dialect.InsecureNoIssuer
}

// Each issuer has its own keys; a token's iss chooses among them.
func ExampleJoin() {
	verifier := func(issuer string) *claims.Verifier[Account] {
		v, err := claims.NewVerifier[Account](claims.Config{Issuer: issuer, Audience: []string{"api"}, Keys: exampleKeys})
		if err != nil {
			panic(err)
		}
		return v
	}
	both, err := claims.Join(verifier("https://id.example"), verifier("https://partner.example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := both.Verify(context.Background(), exampleToken(exampleClaims, time.Hour))
	fmt.Println(c.Issuer, err)
	stranger := exampleClaims
	stranger.Issuer = "https://stranger.example"
	_, err = both.Verify(context.Background(), exampleToken(stranger, time.Hour))
	fmt.Println(err)
	// Output:
	// https://id.example <nil>
	// claims: invalid token: wrong issuer: iss: expected an issuer that was joined, found "https://stranger.example": Config.Issuer
}

// A handler that strangers reach as well asks whether there is a caller.
func ExampleFromContext() {
	handler := func(_ http.ResponseWriter, r *http.Request) {
		caller, ok := claims.FromContext[Account](r.Context())
		fmt.Printf("%q %v\n", caller.Subject, ok)
	}
	request, _ := http.NewRequest(http.MethodGet, "/hello", nil)
	handler(nil, request)
	handler(nil, request.WithContext(claims.NewContext(request.Context(), &exampleClaims)))
	// Output:
	// "" false
	// "alice" true
}

// A handler behind a guard has a caller, or the guard was forgotten.
func ExampleMustFromContext() {
	handler := func(_ http.ResponseWriter, r *http.Request) {
		caller := claims.MustFromContext[Account](r.Context())
		fmt.Println(caller.Subject, caller.Party)
	}
	request, _ := http.NewRequest(http.MethodGet, "/me", nil)
	handler(nil, request.WithContext(claims.NewContext(request.Context(), &exampleClaims)))

	defer func() { fmt.Println(recover()) }()
	handler(nil, request) // not mounted behind a guard
	// Output:
	// alice Admin
	// claims: no caller of type Claims[claims_test.Account] in the context: is the handler behind a guard of that type?
}

// Reading a token first and comparing afterwards believes a stranger: here the
// payload says "api", and nobody has signed it.
func ExampleVerifier_Verify_incorrect() {
	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(`{"aud":"api","sub":"admin"}`)) + "."
	fmt.Println("by hand:", payloadOf(forged)) // aud is right, so let it in?

	verify, err := claims.NewVerifier[Account](claims.Config{Issuer: "https://id.example", Audience: []string{"api"}, Keys: exampleKeys})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := verify.Verify(context.Background(), forged)
	fmt.Println("verified:", c, errors.Is(err, claims.ErrInvalid))
	// Output:
	// by hand: {"aud":"api","sub":"admin"}
	// verified: <nil> true
}

// brokenKeys can't be reached.
type brokenKeys struct{}

func (brokenKeys) Keys(context.Context, claims.Header) ([]*claims.Key, error) {
	return nil, errors.New("key server is down")
}

// Answering 401 to every error logs everybody out when the keys can't be
// reached. Only ErrInvalid is about the token.
func ExampleKeySet_incorrect() {
	verify, err := claims.NewVerifier[Account](claims.Config{Issuer: "https://id.example", Audience: []string{"api"}, Keys: brokenKeys{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = verify.Verify(context.Background(), exampleToken(exampleClaims, time.Hour))
	if err != nil {
		fmt.Println("wrong: 401")
	}
	if err != nil && !errors.Is(err, claims.ErrInvalid) {
		fmt.Println("right: 503 and Retry-After")
	}
	// Output:
	// wrong: 401
	// right: 503 and Retry-After
}
