package claims_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/golang-jwt/jwt/v5"
)

// BenchmarkVerify shows what reading costs: "bare" is the signature check alone,
// by the same method with the same key; "first" is Verify of a token that is not
// remembered, "again" of one that is.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA", "HS256"} {
		s := token(alg, pairs()[alg].private, `{"alg":"`+alg+`","kid":"k","typ":"at+jwt"}`,
			`{"iss":"iss1","sub":"alice","aud":"api","exp":1700000100,"iat":1700000000,"jti":"0b9a4ac2","party":"Admin","company":7}`)
		end := strings.LastIndexByte(s, '.')
		input, sig := s[:end], unb64(s[end+1:])
		b.Run(alg+"/bare", func(b *testing.B) {
			method, public := jwt.GetSigningMethod(alg), pairs()[alg].public
			b.ReportAllocs()
			for b.Loop() {
				if err := method.Verify(input, sig, public); err != nil {
					b.Fatal(err)
				}
			}
		})
		for _, row := range []struct {
			name     string
			remember int
		}{{"first", -1}, {"again", 0}} {
			b.Run(alg+"/"+row.name, func(b *testing.B) {
				v := must(claims.NewVerifier[Account](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf(alg, "k")), Remember: row.remember}))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := v.VerifyAt(context.Background(), s, moment); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
