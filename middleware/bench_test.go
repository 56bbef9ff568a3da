package middleware_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/golang-jwt/jwt/v5"
)

// blank is a ResponseWriter that costs nothing.
type blank struct{ h http.Header }

func (b blank) Header() http.Header         { return b.h }
func (b blank) Write(p []byte) (int, error) { return len(p), nil }
func (b blank) WriteHeader(int)             {}

var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

func run(b *testing.B, h http.Handler, r *http.Request) {
	w := blank{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

// BenchmarkHandler is what the guard itself costs: the verifier is a map.
func BenchmarkHandler(b *testing.B) {
	g := newGuard()
	b.Run("admitted", func(b *testing.B) { run(b, g.Handler(nothing), bearer("Bearer token-a")) })
	b.Run("narrowed", func(b *testing.B) {
		run(b, g.Only(user, admin).Scope("orders:write").Handler(nothing), bearer("Bearer token-a"))
	})
	b.Run("anonymous", func(b *testing.B) { run(b, g.Optional(nothing), bearer()) })
	b.Run("refused", func(b *testing.B) { run(b, g.Handler(nothing), bearer()) })
}

// BenchmarkRS256 is a whole request beside the one thing in it that must cost:
// with a verifier that remembers no token, and with one that remembers this.
func BenchmarkRS256(b *testing.B) {
	value := token(b, goodHeader, goodPayload(`,"party":"admin"`))
	b.Run("signature alone", func(b *testing.B) {
		dot := strings.LastIndexByte(value, '.')
		sig, err := base64.RawURLEncoding.DecodeString(value[dot+1:])
		if err != nil {
			b.Fatal(err)
		}
		key := &signingKey().PublicKey
		b.ReportAllocs()
		for b.Loop() {
			if err := jwt.SigningMethodRS256.Verify(value[:dot], sig, key); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, remember := range map[string]int{"first sight": -1, "repeat": 0} {
		b.Run(name, func(b *testing.B) {
			g := middleware.New(rememberingVerifier(b, remember), middleware.Config{})
			if _, err := g.Check(bearer("Bearer " + value)); err != nil {
				b.Fatal(err)
			}
			run(b, g.Only(admin).Handler(nothing), bearer("Bearer "+value))
		})
	}
}
