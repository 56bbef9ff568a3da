package claims_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/golang-jwt/jwt/v5"
)

// The dialects of four systems in the field.
var (
	facilioo = claims.Dialect{
		AccessType: "JWT", RefreshType: "rt+jwt", ObjectSubject: true, PartyMember: "partyType", NumericParty: true,
		Members: []string{"nbf", "exp", "iss", "aud", "sub", "partyType", "jti"},
	}
	fib = claims.Dialect{
		AccessType: "JWT", RefreshType: "JWT", TypeFirst: true, RefreshMark: "acjti", PartyMember: "role",
		InsecureNoIssuer: true, InsecureNoAudience: true,
		Members: []string{"acc", "sub", "acjti", "role", "exp", "jti"},
	}
	datarhei = claims.Dialect{
		AccessType: "JWT", RefreshType: "JWT", UseMember: "usefor", LifetimeMember: "exi", InsecureNoAudience: true,
		Members: []string{"exi", "exp", "iat", "iss", "jti", "sub", "usefor"},
	}
	enableIoT = claims.Dialect{
		AccessType: "JWT", RefreshType: "rt+jwt", TypeFirst: true, Time: claims.RFC3339, InsecureNoAudience: true,
		Members: []string{"jti", "iss", "sub", "exp", "accounts"},
	}
)

type fibApp struct {
	Acc string `json:"acc,omitempty"`
}

type iotApp struct {
	Accounts []iotAccount `json:"accounts,omitempty"`
}

type iotAccount struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"`
}

// decoded splits a signing input into the JSON texts of header and payload.
func decoded(t *testing.T, input string) (head, payload string) {
	t.Helper()
	h, p, _ := strings.Cut(input, ".")
	hb, err1 := base64.RawURLEncoding.DecodeString(h)
	pb, err2 := base64.RawURLEncoding.DecodeString(p)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return string(hb), string(pb)
}

// signed completes a signing input with an Ed25519 signature.
func signed(t *testing.T, input string, key ed25519.PrivateKey) string {
	t.Helper()
	sig, err := jwt.SigningMethodEdDSA.Sign(input, key)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func encode[T any](t *testing.T, d claims.Dialect, h claims.Header, c claims.Claims[T]) string {
	t.Helper()
	e, err := claims.NewEncoder[T](d)
	if err != nil {
		t.Fatal(err)
	}
	input, err := e.Encode(h, &c)
	if err != nil {
		t.Fatal(err)
	}
	return input
}

func TestDialectsWriteTheirSamples(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	for _, row := range []struct {
		name, input, head, payload string
	}{
		{"facilioo",
			encode(t, facilioo, claims.Header{Algorithm: "RS256"}, claims.Claims[struct{}]{Use: claims.Access,
				NotBefore: at(1651760242), Expiry: at(1651763842), Issuer: "dev-api.facilioo.de",
				Audience: []string{"dev-app.facilioo.de"}, Subject: `{"accountId": 2, "companyId": 2}`}),
			`{"alg":"RS256","typ":"JWT"}`,
			`{"nbf":1651760242,"exp":1651763842,"iss":"dev-api.facilioo.de","aud":"dev-app.facilioo.de","sub":{"accountId":2,"companyId":2}}`},
		{"fib access",
			encode(t, fib, claims.Header{Algorithm: "EdDSA"}, claims.Claims[fibApp]{Use: claims.Access,
				Subject: "alice@mail.com", Party: "ROLE_PEER", Expiry: at(1703187412), ID: "06833aef", App: fibApp{"alice@wonderland"}}),
			`{"typ":"JWT","alg":"EdDSA"}`,
			`{"acc":"alice@wonderland","sub":"alice@mail.com","role":"ROLE_PEER","exp":1703187412,"jti":"06833aef"}`},
		{"fib refresh",
			encode(t, fib, claims.Header{Algorithm: "EdDSA"}, claims.Claims[fibApp]{Use: claims.Refresh,
				Subject: "alice@mail.com", Party: "ROLE_PEER", Expiry: at(1703273512), ID: "accdae35", AccessID: "06833aef"}),
			`{"typ":"JWT","alg":"EdDSA"}`,
			`{"sub":"alice@mail.com","acjti":"06833aef","exp":1703273512,"jti":"accdae35"}`},
		{"datarhei",
			encode(t, datarhei, claims.Header{Algorithm: "HS256"}, claims.Claims[struct{}]{Use: claims.Refresh,
				Issuer: "datarhei-core", Subject: "admin", IssuedAt: at(1670441225), Expiry: at(1670527625), ID: "733d8ce1"}),
			`{"alg":"HS256","typ":"JWT"}`,
			`{"exi":86400,"exp":1670527625,"iat":1670441225,"iss":"datarhei-core","jti":"733d8ce1","sub":"admin","usefor":"refresh"}`},
		{"EnableIoT",
			encode(t, enableIoT, claims.Header{Algorithm: "RS256"}, claims.Claims[iotApp]{Use: claims.Access,
				Issuer: "http://enableiot.com", Subject: "53fdff44", Expiry: time.UnixMilli(1412236405361), ID: "7b1430a2",
				App: iotApp{[]iotAccount{{"1", "a<b", "admin"}}}}),
			`{"typ":"JWT","alg":"RS256"}`,
			`{"jti":"7b1430a2","iss":"http://enableiot.com","sub":"53fdff44","exp":"2014-10-02T07:53:25.361Z","accounts":[{"id":"1","name":"a<b","role":"admin"}]}`},
	} {
		head, payload := decoded(t, row.input)
		if head != row.head || payload != row.payload {
			t.Errorf("%s:\n got %s %s\nwant %s %s", row.name, head, payload, row.head, row.payload)
		}
	}
}

// TestUsesDoNotMix signs an access and a refresh token in every dialect and
// offers each to a verifier of either use.
func TestUsesDoNotMix(t *testing.T) {
	millis := enableIoT
	millis.Time = claims.Milliseconds
	for _, row := range []struct {
		name    string
		dialect claims.Dialect
		issuer  string
		aud     []string
		subject string
		party   claims.Party
	}{
		{"RFC 9068", claims.Dialect{}, "iss", []string{"api"}, "alice", "Admin"},
		{"facilioo", facilioo, "iss", []string{"api"}, `{"accountId":2}`, "2"},
		{"fib", fib, "", nil, "alice", "ROLE_PEER"},
		{"datarhei", datarhei, "iss", nil, "alice", ""},
		{"EnableIoT", enableIoT, "iss", nil, "alice", ""},
		{"EnableIoT in milliseconds", millis, "iss", nil, "alice", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pub, priv, _ := ed25519.GenerateKey(rand.Reader)
				key, err := claims.NewKey("EdDSA", "", pub)
				if err != nil {
					t.Fatal(err)
				}
				keys, err := claims.NewKeySet(key)
				if err != nil {
					t.Fatal(err)
				}
				now := time.Now()
				for _, is := range []claims.Use{claims.Access, claims.Refresh} {
					want := claims.Claims[struct{}]{Use: is, Issuer: row.issuer, Audience: row.aud, Subject: row.subject,
						Party: row.party, ID: "an id", IssuedAt: now, Expiry: now.Add(time.Hour)}
					if is == claims.Refresh {
						want.AccessID = "the access token's"
					}
					token := signed(t, encode(t, row.dialect, claims.Header{Algorithm: "EdDSA"}, want), priv)
					for _, wanted := range []claims.Use{claims.Access, claims.Refresh} {
						v, err := claims.NewVerifier[struct{}](claims.Config{Issuer: row.issuer, Audience: row.aud, Keys: keys, Dialect: row.dialect, Use: wanted})
						if err != nil {
							t.Fatal(err)
						}
						got, err := v.Verify(context.Background(), token)
						if is != wanted {
							if !errors.Is(err, claims.ErrInvalid) || got != nil {
								t.Errorf("%s token as %s: %v", is, wanted, err)
							}
							continue
						}
						if err != nil {
							t.Fatalf("%s token: %v", is, err)
						}
						if got.Subject != want.Subject || got.Use != is || !got.Expiry.Equal(want.Expiry.Truncate(time.Millisecond)) && !got.Expiry.Equal(want.Expiry.Truncate(time.Second)) {
							t.Errorf("%s token says %+v", is, got)
						}
						if is == claims.Access && got.Party != row.party {
							t.Errorf("party %q, want %q", got.Party, row.party)
						}
					}
				}
			})
		})
	}
}

// TestObjectSubject reads a subject that is an object, in one spelling, and
// nothing else in its place.
func TestObjectSubject(t *testing.T) {
	v := must(claims.NewVerifier[struct{}](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", "")), Dialect: facilioo}))
	verify := func(sub, party string) (*claims.Claims[struct{}], error) {
		return verifyAt(v, token("HS256", pairs()["HS256"].private, `{"alg":"HS256","typ":"JWT"}`,
			`{"iss":"iss1","sub":`+sub+`,"aud":"api","exp":1700000100,"partyType":`+party+`}`))
	}
	c, err := verify("{ \"accountId\" : 2,\n\"name\" : \"a b\" }", "-7")
	if err != nil || c.Subject != `{"accountId":2,"name":"a b"}` || c.Party != "-7" {
		t.Errorf("%+v, %v", c, err)
	}
	for _, sub := range []string{`"alice"`, `"{}"`, `[]`, `2`, `true`} {
		if _, err := verify(sub, "2"); !errors.Is(err, claims.ErrMemberType) {
			t.Errorf("sub %s: %v", sub, err)
		}
	}
	if _, err := verify(`{"a":"`+strings.Repeat("a", 1024)+`"}`, "2"); !errors.Is(err, claims.ErrSubject) {
		t.Errorf("a long sub: %v", err)
	}
	if _, err := verify(`{ }`, "2"); !errors.Is(err, claims.ErrSubject) {
		t.Errorf("an empty sub: %v", err)
	}
	for _, party := range []string{`"2"`, `2.0`, `2e0`, `true`, `[2]`, `9223372036854775808`} {
		if _, err := verify(`{"a":1}`, party); !errors.Is(err, claims.ErrMemberType) {
			t.Errorf("party %s: %v", party, err)
		}
	}
}

// TestScope reads and writes the scope as a string and as a list, under both
// names that are in use.
func TestScope(t *testing.T) {
	names := claims.Dialect{ScopeMember: "scp"}
	list := claims.Dialect{ScopeMember: "scp", ScopeList: true}
	for _, row := range []struct {
		name    string
		dialect claims.Dialect
		member  string
		want    []string
	}{
		{"scope", claims.Dialect{}, `"scope":"read write"`, []string{"read", "write"}},
		{"another member", claims.Dialect{}, `"scp":"read"`, nil},
		{"scp", names, `"scp":"read write"`, []string{"read", "write"}},
		{"scope where it is scp", names, `"scope":"read"`, nil},
		{"spaces, and a tab in a name", names, `"scp":"  a\tb  c "`, []string{"a\tb", "c"}},
		{"list", list, `"scp":["read","write"]`, []string{"read", "write"}},
		{"empty list", list, `"scp":[]`, nil},
	} {
		v := must(claims.NewVerifier[struct{}](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("EdDSA", "")), Dialect: row.dialect}))
		payload := strings.TrimSuffix(goodPayload, "}") + "," + row.member + "}"
		c, err := v.VerifyAt(t.Context(), tokenOf("EdDSA", payload), moment)
		if err != nil || !slices.Equal(c.Scope, row.want) {
			t.Errorf("%s: %+v, %v, want %q", row.name, c, err, row.want)
			continue
		}
		if row.want == nil {
			continue
		}
		_, written := decoded(t, encode(t, row.dialect, claims.Header{Algorithm: "EdDSA"}, *c))
		if want := strings.Join(strings.Fields(row.member), " "); row.name != "spaces, and a tab in a name" && !strings.Contains(written, want) {
			t.Errorf("%s: written %s, want %s", row.name, written, want)
		}
	}
	for member, d := range map[string]claims.Dialect{
		`"scope":["read"]`: {}, `"scope":1`: {}, `"scp":["a"]`: names, `"scp":"a"`: list, `"scp":[1]`: list,
		`"scp":["a b"]`: list, `"scp":[""]`: list, `"scp":[["a"]]`: list, `"scp":{}`: list,
	} {
		v := must(claims.NewVerifier[struct{}](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("EdDSA", "")), Dialect: d}))
		payload := strings.TrimSuffix(goodPayload, "}") + "," + member + "}"
		if _, err := v.VerifyAt(t.Context(), tokenOf("EdDSA", payload), moment); !errors.Is(err, claims.ErrMemberType) {
			t.Errorf("%s: %v", member, err)
		}
	}
}
