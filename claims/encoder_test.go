package claims_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// TestEncoderWritesTheSame holds what is written to what was written when the
// digests were taken: a byte that is another one on the wire, in any of these
// dialects, shows here.
func TestEncoderWritesTheSame(t *testing.T) {
	placed := claims.Dialect{Members: []string{"company", "iss", "sub", "aud", "exp", "on", "party"}}
	for _, row := range []struct {
		name, digest string
		dialect      claims.Dialect
	}{
		{"RFC 9068", "543fc83d2a86f5782742e28be9934386f31ad8a110568820583625bd637cc9b5", claims.Dialect{}},
		{"facilioo", "c37d18816ba5d65984a1bce8ebc9096906dd4ac61f71d71ac7272a26fb93924f", facilioo},
		{"fib", "42971ca70c5d2e810ead5c520d7fd34afd210f9325900348acdf12f2bb2bbe07", fib},
		{"datarhei", "01dc72b7751c57f2b8b9bf365ea3f957b5671315bd33004b245a589476a1cf86", datarhei},
		{"EnableIoT", "3c2886e77f9493dd66ff10bb5a0d3a8f341ac4ac6f756de8b14b86f565246f2c", enableIoT},
		{"members of App among the others", "8eca458e1bc553e7ef3831ab98589a7cf42763e82b6d792aaef225ab7239dfd9", placed},
	} {
		h := sha256.New()
		r := rand.New(rand.NewPCG(3, 4))
		for i := range 300 {
			use := []claims.Use{claims.Access, claims.Access, claims.Refresh}[i%3]
			header := claims.Header{Algorithm: "HS256", KeyID: []string{"", "k", `k"1\`, "schlüssel\n"}[i%4]}
			app := map[string]any{"company": i, "on": i%2 == 0, randomText(r): randomText(r), "z": []any{randomText(r), nil}}
			fmt.Fprintln(h, encode(t, row.dialect, header, randomClaims(r, row.dialect, use, app)))
			fmt.Fprintln(h, encode(t, row.dialect, header, randomClaims(r, row.dialect, use, base{r.Int64(), randomText(r)})))
			fmt.Fprintln(h, encode(t, row.dialect, header, randomClaims(r, row.dialect, use, struct{}{})))
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != row.digest {
			t.Errorf("%s: what is written has changed: digest %s, not %s", row.name, got, row.digest)
		}
	}
}

// TestEncoderForgetsNothing uses one encoder for every header and use in turn,
// and a new one for each: they write the same.
func TestEncoderForgetsNothing(t *testing.T) {
	e := must(claims.NewEncoder[struct{}](claims.Dialect{}))
	r := rand.New(rand.NewPCG(9, 10))
	for range 500 {
		h := claims.Header{Algorithm: []string{"HS256", "EdDSA"}[r.IntN(2)], KeyID: []string{"", "a", "b"}[r.IntN(3)]}
		c := randomClaims(r, claims.Dialect{}, []claims.Use{claims.Access, claims.Refresh}[r.IntN(2)], struct{}{})
		if got, want := must(e.Encode(h, &c)), encode(t, claims.Dialect{}, h, c); got != want {
			t.Fatalf("%+v, %s:\n got %s\nwant %s", h, c.Use, got, want)
		}
	}
}

// TestEncoderOfNothing has a dialect that demands no member, and nothing to say.
func TestEncoderOfNothing(t *testing.T) {
	d := claims.Dialect{Members: []string{}, AbsentSubject: true, InsecureNoIssuer: true, InsecureNoAudience: true, InsecureNoExpiry: true}
	if head, payload := decoded(t, encode(t, d, claims.Header{Algorithm: "HS256"}, claims.Claims[struct{}]{Use: claims.Access})); payload != "{}" || head != `{"alg":"HS256","typ":"at+jwt"}` {
		t.Errorf("%s %s", head, payload)
	}
}

// TestEncoderOfDeepSubjects: what is written can be read, and a payload is read
// 32 deep.
func TestEncoderOfDeepSubjects(t *testing.T) {
	d := claims.Dialect{ObjectSubject: true}
	e := must(claims.NewEncoder[struct{}](d))
	key := pairs()["EdDSA"].private
	v := must(claims.NewVerifier[struct{}](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("EdDSA", "")), Dialect: d}))
	for _, row := range []struct {
		depth int
		ok    bool
	}{{1, true}, {31, true}, {32, false}, {33, false}} {
		for _, nested := range []string{
			strings.Repeat(`{"a":`, row.depth) + "1" + strings.Repeat("}", row.depth),
			`{"a":` + strings.Repeat("[", row.depth-1) + "1" + strings.Repeat("]", row.depth-1) + "}",
		} {
			c := claims.Claims[struct{}]{Use: claims.Access, Issuer: "iss1", Audience: []string{"api"}, Subject: nested, Expiry: moment.Add(time.Hour)}
			input, err := e.Encode(claims.Header{Algorithm: "EdDSA"}, &c)
			if (err == nil) != row.ok {
				t.Errorf("%d deep: %v", row.depth, err)
			}
			if err != nil {
				continue
			}
			if got, err := verifyAt(v, signed(t, input, key.(ed25519.PrivateKey))); err != nil || got.Subject != nested {
				t.Errorf("%d deep: %+v, %v", row.depth, got, err)
			}
		}
	}
	for _, subject := range []string{`{"a":1},"b":2`, `{"a":1},"sub":{"b":1}`, `{"a":1}}`, `{"a":1}} {`, ` {} `, `1`, `"a"`, `[{"a":1}]`, ` `} {
		c := claims.Claims[struct{}]{Use: claims.Access, Issuer: "iss1", Audience: []string{"api"}, Subject: subject, Expiry: moment.Add(time.Hour)}
		if input, err := e.Encode(claims.Header{Algorithm: "EdDSA"}, &c); err == nil {
			t.Errorf("%s is written: %s", subject, input)
		}
	}
}

// BenchmarkEncode measures an access and a refresh token without signatures.
func BenchmarkEncode(b *testing.B) {
	e := must(claims.NewEncoder[struct {
		Company int `json:"company,omitempty"`
	}](claims.Dialect{}))
	c := claims.Claims[struct {
		Company int `json:"company,omitempty"`
	}]{
		Issuer: "https://id.example", Subject: "alice@example.com", Audience: []string{"api"}, IssuedAt: moment, Expiry: moment,
		ID: "AAAAAAAAAAAAAAAAAAAAAA.1.AAAAAAAAAAA", Session: "AAAAAAAAAAAAAAAAAAAAAA", Party: "Admin", Scope: []string{"read", "write"},
	}
	c.App.Company = 7
	for _, c.Use = range []claims.Use{claims.Access, claims.Refresh} {
		b.Run(string(c.Use), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Encode(claims.Header{Algorithm: "EdDSA", KeyID: "2026"}, &c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
