package issuer_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"strconv"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// benchmarked are the algorithms that are measured, with material for
// golang-jwt's signing methods.
func benchmarked(b *testing.B) []struct {
	alg      string
	key      *signing.Key
	material any
} {
	b.Helper()
	secret := make([]byte, 32)
	rand.Read(secret)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	ec := privateKey(b, "ES256")
	of := func(alg string, signer crypto.Signer) *signing.Key {
		key, err := signing.NewKey(alg, signer, always)
		if err != nil {
			b.Fatal(err)
		}
		return key
	}
	hmac, err := signing.NewSecret("HS256", "k", secret, always)
	if err != nil {
		b.Fatal(err)
	}
	return []struct {
		alg      string
		key      *signing.Key
		material any
	}{
		{"RS256", of("RS256", rsaOnce()), rsaOnce()},
		{"ES256", of("ES256", ec), ec},
		{"EdDSA", of("EdDSA", ed), ed},
		{"HS256", hmac, secret},
	}
}

// BenchmarkPair measures a pair (a whole Issue in memory: ids, two tokens,
// record, store) beside the signatures alone that it contains: two of the
// algorithm, or one and an HMAC.
func BenchmarkPair(b *testing.B) {
	alice := claims.Claims[account]{Subject: "alice", Party: "Admin", Scope: []string{"read", "write"}, App: account{7}}
	secret, err := signing.NewSecret("HS256", "r", make([]byte, 32), always)
	if err != nil {
		b.Fatal(err)
	}
	for _, k := range benchmarked(b) {
		method := jwt.GetSigningMethod(k.alg)
		input := strings.Repeat("x", 400)
		b.Run(k.alg+"/two bare signatures", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for range 2 {
					if _, err := method.Sign(input, k.material); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		for name, refreshKeys := range map[string]*signing.Schedule{"pair": nil, "pair with RefreshKeys": schedule(b, secret)} {
			if refreshKeys != nil && k.alg == "HS256" {
				continue
			}
			tokens := newIssuer(b, issuer.Config[account]{Keys: schedule(b, k.key), RefreshKeys: refreshKeys})
			b.Run(k.alg+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := tokens.Issue(b.Context(), alice); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkRefresh measures a refresh in memory beside what it can't do
// without: one verification and two signatures.
func BenchmarkRefresh(b *testing.B) {
	for _, k := range benchmarked(b) {
		method := jwt.GetSigningMethod(k.alg)
		input := strings.Repeat("x", 400)
		sig, err := method.Sign(input, k.material)
		if err != nil {
			b.Fatal(err)
		}
		public := k.material
		if signer, ok := k.material.(crypto.Signer); ok {
			public = signer.Public()
		}
		b.Run(k.alg+"/bare signatures", func(b *testing.B) {
			for b.Loop() {
				if err := method.Verify(input, sig, public); err != nil {
					b.Fatal(err)
				}
				for range 2 {
					if _, err := method.Sign(input, k.material); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run(k.alg+"/refresh", func(b *testing.B) {
			tokens := newIssuer(b, issuer.Config[account]{Keys: schedule(b, k.key)})
			pair := issue(b, tokens, "alice")
			b.ReportAllocs()
			for b.Loop() {
				pair = refresh(b, tokens, pair.RefreshToken)
			}
		})
	}
}

// BenchmarkMemoryStore measures the store alone, with many sessions in it.
func BenchmarkMemoryStore(b *testing.B) {
	for _, n := range []int{1000, 200_000} {
		b.Run(strconv.Itoa(n)+" sessions", func(b *testing.B) {
			secret, err := signing.NewSecret("HS256", "k", make([]byte, 32), always)
			if err != nil {
				b.Fatal(err)
			}
			store := issuer.NewMemoryStore()
			tokens := newIssuer(b, issuer.Config[account]{Keys: schedule(b, secret), Store: store})
			before := heapInUse()
			ids := make([]string, n)
			for i := range ids {
				ids[i] = issue(b, tokens, "subject "+strconv.Itoa(i)).Session
			}
			grown := heapInUse() - before
			i := 0
			for b.Loop() {
				r, _, err := store.Load(b.Context(), ids[i%n])
				if err != nil {
					b.Fatal(err)
				}
				r.Version++
				if swapped, err := store.Swap(b.Context(), r); err != nil || !swapped {
					b.Fatal(swapped, err)
				}
				i++
			}
			b.ReportMetric(float64(grown)/float64(n), "bytes/session")
		})
	}
}
