package jwks_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

var allAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512", "none"}

// names lists what a set offers to tokens without kid, as "alg kid".
func names(t testing.TB, set claims.KeySet) (found []string) {
	t.Helper()
	for _, alg := range allAlgorithms {
		keys, err := set.Keys(t.Context(), claims.Header{Algorithm: alg})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if k.Algorithm() != alg {
				t.Errorf("%v was offered for %s", k, alg)
			}
			found = append(found, strings.TrimSpace(alg+" "+k.ID()))
		}
	}
	return found
}

// Each set has an Ed25519 key "good" besides the one of the row.
func TestJWK(t *testing.T) {
	rsa0, rsa1 := rsaKeys()[0].Public(), rsaKeys()[1].Public()
	p256, p384, p521 := newEC(elliptic.P256()).Public(), newEC(elliptic.P384()).Public(), newEC(elliptic.P521()).Public()
	short := jwkOf(p256, "k", nil)
	x, _ := p256.(*ecdsa.PublicKey).Bytes()
	modulus := rsa0.(*rsa.PublicKey).N.Bytes()
	for _, row := range []struct {
		name string
		key  any
		want string // besides "EdDSA good"; "" if the key is skipped
	}{
		{"RSA", jwkOf(rsa0, "k", nil), "RS256 k"},
		{"P-256", jwkOf(p256, "k", nil), "ES256 k"},
		{"P-384", jwkOf(p384, "k", nil), "ES384 k"},
		{"P-521", jwkOf(p521, "k", nil), "ES512 k"},
		{"Ed25519", edJWK(7, "k"), "EdDSA k"},
		{"without kid", jwkOf(rsa0, "", nil), "RS256"},
		{"alg PS512", jwkOf(rsa0, "k", object{"alg": "PS512"}), "PS512 k"},
		{"use and key_ops", jwkOf(rsa0, "k", object{"use": "sig", "key_ops": []string{"verify"}}), "RS256 k"},
		{"modulus with a leading zero", jwkOf(rsa0, "k", object{"n": b64(append([]byte{0}, modulus...))}), "RS256 k"},
		{"unknown members", jwkOf(rsa0, "k", object{"KTY": "oct", "new": object{"a": []any{1, nil}}}), "RS256 k"},

		{"KY-12 oct", object{"kty": "oct", "kid": "k", "alg": "HS256", "k": b64(make([]byte, 32))}, ""},
		{"KY-12 oct with alg RS256", object{"kty": "oct", "kid": "k", "alg": "RS256", "k": b64(make([]byte, 32))}, ""},
		{"KY-12 RSA with alg HS256", jwkOf(rsa0, "k", object{"alg": "HS256"}), ""},
		{"KY-13 KY-14 use enc", jwkOf(rsa0, "k", object{"use": "enc"}), ""},
		{"KY-13 KY-14 use Sig", jwkOf(rsa0, "k", object{"use": "Sig"}), ""},
		{"use null is no use", jwkOf(rsa0, "k", object{"use": nil}), "RS256 k"},
		{"KY-13 KY-14 key_ops encrypt", jwkOf(rsa0, "k", object{"key_ops": []string{"encrypt"}}), ""},
		{"KY-13 KY-14 key_ops sign", jwkOf(rsa0, "k", object{"key_ops": []string{"sign"}}), ""},
		{"KY-13 KY-14 key_ops verify and encrypt", jwkOf(rsa0, "k", object{"key_ops": []string{"verify", "encrypt"}}), ""},
		{"KY-13 KY-14 key_ops empty", jwkOf(rsa0, "k", object{"key_ops": []string{}}), ""},
		{"key_ops null is no list", jwkOf(rsa0, "k", object{"key_ops": nil}), "RS256 k"},
		{"KY-13 KY-14 key_ops string", jwkOf(rsa0, "k", object{"key_ops": "verify"}), ""},
		{"KY-13 key_ops against use", jwkOf(rsa0, "k", object{"use": "enc", "key_ops": []string{"verify"}}), ""},
		{"KY-15 PS256 is not offered to RS256", jwkOf(rsa0, "", object{"alg": "PS256"}), "PS256"},
		{"KY-16 RSA 2040 bits", jwkOf(newRSA(2040).Public(), "k", nil), ""},
		{"KY-16 RSA 1024 bits", jwkOf(newRSA(1024).Public(), "k", nil), ""},
		{"RSA exponent 1", jwkOf(rsa0, "k", object{"e": "AQ"}), ""},
		{"RSA exponent 2^31-1", jwkOf(rsa0, "k", object{"e": "f____w"}), "RS256 k"},
		{"RSA exponent 2^31+1", jwkOf(rsa0, "k", object{"e": "gAAAAQ"}), ""},
		{"RSA exponent 2^32-1", jwkOf(rsa0, "k", object{"e": "_____w"}), ""},
		{"RSA exponent 2^64+65537", jwkOf(rsa0, "k", object{"e": b64(new(big.Int).SetBit(big.NewInt(65537), 64, 1).Bytes())}), ""},
		{"RSA without n", object{"kty": "RSA", "kid": "k", "e": "AQAB"}, ""},
		{"RSA even modulus", jwkOf(rsa0, "k", object{"n": b64(append(modulus[:255:255], 2))}), ""},
		{"RSA with crv", jwkOf(rsa0, "k", object{"crv": "P-256"}), ""},
		{"padding", jwkOf(rsa0, "k", object{"n": b64(modulus) + "="}), ""},
		{"line break", jwkOf(rsa0, "k", object{"n": b64(modulus)[:100] + "\n" + b64(modulus)[100:]}), ""},
		{"standard base64", jwkOf(p256, "k", object{"x": "++++" + short["x"].(string)[4:]}), ""},
		{"number for a string", jwkOf(rsa0, "k", object{"e": 65537}), ""},
		{"KY-18 not on the curve", jwkOf(p256, "k", object{"y": b64(make([]byte, 32))}), ""},
		{"KY-18 infinity", jwkOf(p256, "k", object{"x": b64(make([]byte, 32)), "y": b64(make([]byte, 32))}), ""},
		{"KY-18 coordinate beyond the field", jwkOf(p256, "k", object{"x": b64(bytes.Repeat([]byte{255}, 32))}), ""},
		{"KY-18 short coordinate", jwkOf(p256, "k", object{"x": b64(x[2:33])}), ""},
		{"KY-18 long coordinate", jwkOf(p256, "k", object{"x": b64(append([]byte{0}, x[1:33]...))}), ""},
		{"KY-18 crv of another size", jwkOf(p256, "k", object{"crv": "P-384"}), ""},
		{"KY-18 kty RSA on an EC key", jwkOf(p256, "k", object{"kty": "RSA"}), ""},
		{"KY-18 ES384 on P-256", jwkOf(p256, "k", object{"alg": "ES384"}), ""},
		{"KY-18 short Ed25519", jwkOf(ed(7).Public(), "k", object{"x": b64(make([]byte, 31))}), ""},
		{"KY-21 kty AKP", object{"kty": "AKP", "alg": "ML-DSA-44", "kid": "k", "pub": "AAAA"}, ""},
		{"KY-21 crv Ed448", object{"kty": "OKP", "crv": "Ed448", "kid": "k", "x": b64(make([]byte, 57))}, ""},
		{"KY-21 crv X25519", object{"kty": "OKP", "crv": "X25519", "kid": "k", "x": b64(append(make([]byte, 31), 9))}, ""},
		{"KY-21 crv secp256k1", jwkOf(p256, "k", object{"crv": "secp256k1"}), ""},
		{"KY-21 kty foo", object{"kty": "foo", "kid": "k"}, ""},
		{"KY-21 no kty", object{"kid": "k"}, ""},
		{"KY-21 a number", 7, ""},
		{"KY-21 null", nil, ""},
		{"KY-22 x5u is not fetched", jwkOf(rsa0, "k", object{"x5u": "https://evil.example/cert"}), "RS256 k"},
		{"KY-22 x5c is not read", jwkOf(rsa0, "k", object{"x5c": []string{"AAAA"}, "x5t": "!"}), "RS256 k"},
		{"KY-32 private members", jwkOf(rsa1, "k", object{"d": b64(rsaKeys()[1].D.Bytes()), "p": "AA", "q": "AA"}), "RS256 k"},
		{"kid too long", jwkOf(rsa0, strings.Repeat("k", 257), nil), ""},
		{"kid a number", jwkOf(rsa0, "", object{"kid": 7}), ""},
		{"alg RSA-OAEP", jwkOf(rsa0, "k", object{"alg": "RSA-OAEP"}), ""},
		{"alg none", jwkOf(rsa0, "k", object{"alg": "none"}), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				server := newKeyServer(setOf(row.key, edJWK(1, "good")))
				set := server.follow(t, jwks.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
				want := []string{"EdDSA good"}
				if row.want != "" {
					want = append(want, row.want)
				}
				got := names(t, set)
				slices.Sort(got)
				if slices.Sort(want); !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
				if s := set.Stats(); s.Skipped != 2-len(want) || s.Keys != len(want) {
					t.Errorf("%+v", s)
				}
				if note := row.want == "" || strings.HasPrefix(row.name, "KY-32"); note != (strings.Count(log.String(), "\n") == 1) {
					t.Errorf("log: %s", &log)
				}
				if n := len(server.fetches()); n != 1 {
					t.Errorf("%d fetches", n)
				}
			})
		})
	}
}

func TestDuplicateMembersOfAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := setOf(edJWK(1, "good"))
		for _, twice := range []string{`{"kid":"k","kid":"l",`, `{"x":"AA",`, `{"deep":{"a":[{"b":1,"\u0062":2}]},`, `{"deep":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `,`} {
			bad := strings.Replace(setOf(edJWK(2, "")), `{"crv"`, twice+`"crv"`, 1)
			server := newKeyServer(strings.TrimSuffix(bad, "]}") + "," + strings.TrimPrefix(good, `{"keys":[`))
			if got := names(t, server.follow(t, jwks.Config{})); !slices.Equal(got, []string{"EdDSA good"}) {
				t.Errorf("%s: got %q", twice, got)
			}
		}
	})
}

// Half of a surrogate pair stands for no character: readers replace it, each by
// something else. A text that has one is no text, wherever it stands.
func TestLoneSurrogates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := setOf(edJWK(1, "good"))
		for _, bad := range []string{
			strings.Replace(good, "good", `\ud800`, 1), strings.Replace(good, "good", `\udc00\ud800`, 1), strings.Replace(good, `"kid"`, `"\udfff":1,"kid"`, 1),
			strings.Replace(good, `"keys"`, `"x":[{"y":"\ud834"}],"keys"`, 1), strings.Replace(good, `"kid"`, `"x":["\ud834\u0041"],"kid"`, 1),
		} {
			if set, err := jwks.New(newKeyServer(bad).config(jwks.Config{})); err == nil {
				t.Errorf("%s: %q are offered", bad, names(t, set))
			}
		}
		pair := newKeyServer(strings.Replace(good, "good", `\ud834\udd1e`, 1))
		offered(t, pair.follow(t, jwks.Config{}), header("\U0001d11e"), 1)
	})
}

// A set has bounds of its own: as many members as its keys may have together.
func TestLargeSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var many []any
		for i := range 1000 {
			key := edJWK(byte(i), fmt.Sprint("k", i))
			for j := range 10 {
				key[fmt.Sprint("x", j)] = j
			}
			many = append(many, key)
		}
		wide := edJWK(1, "wide")
		for i := range 256 - len(wide) {
			wide[fmt.Sprint(i)] = i
		}
		many[7] = wide
		set := newKeyServer(setOf(many...)).follow(t, jwks.Config{MaxKeys: 1000})
		offered(t, set, header("wide"), 1)
		offered(t, set, header("k999"), 1)
		wide["one more"] = 1
		set = newKeyServer(setOf(many...)).follow(t, jwks.Config{MaxKeys: 1000})
		if s := set.Stats(); s.Keys != 999 || s.Skipped != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestDuplicateKid(t *testing.T) {
	for _, row := range []struct {
		name string
		keys []any
		want []string
	}{
		{"KY-11 two keys", []any{edJWK(1, "k"), edJWK(2, "k"), edJWK(3, "l")}, []string{"EdDSA l"}},
		{"KY-11 three keys", []any{edJWK(1, "k"), edJWK(2, "k"), edJWK(1, "k"), edJWK(3, "l")}, []string{"EdDSA l"}},
		{"KY-11 the same key twice", []any{edJWK(1, "k"), edJWK(1, "k")}, []string{"EdDSA k"}},
		{"KY-11 of other algorithms", []any{edJWK(1, "k"), jwkOf(rsaKeys()[0].Public(), "k", nil)}, []string{"RS256 k", "EdDSA k"}},
		{"KY-11 alg written and not", []any{edJWK(1, "k"), jwkOf(ed(2).Public(), "k", object{"alg": "EdDSA"}), edJWK(3, "l")}, []string{"EdDSA l"}},
		{"without kid", []any{edJWK(1, ""), edJWK(2, "")}, []string{"EdDSA", "EdDSA"}},
		{"an unusable one does not count", []any{edJWK(1, "k"), jwkOf(ed(2).Public(), "k", object{"use": "enc"})}, []string{"EdDSA k"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := names(t, newKeyServer(setOf(row.keys...)).follow(t, jwks.Config{})); !slices.Equal(got, row.want) {
					t.Errorf("got %q, want %q", got, row.want)
				}
			})
		})
	}
}

func TestAlgorithms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newKeyServer(setOf(jwkOf(rsaKeys()[0].Public(), "k", nil), jwkOf(rsaKeys()[1].Public(), "l", object{"alg": "RS256"}), edJWK(1, "m")))
		set := server.follow(t, jwks.Config{Algorithms: []string{"PS384", "PS256"}})
		if got := names(t, set); !slices.Equal(got, []string{"PS256 k", "PS384 k"}) {
			t.Errorf("got %q", got)
		}
	})
}

// A kid is the name of its own key alone.
func TestKidOfNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := newKeyServer(setOf(edJWK(1, ""), edJWK(2, "k"))).follow(t, jwks.Config{})
		offered(t, set, header("k"), 1)
		offered(t, set, header(""), 2)
		offered(t, set, header("other"), 0)
	})
}

func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		lines := func() int { return strings.Count(log.String(), "\n") }
		server := newKeyServer(setOf(edJWK(1, "k"), object{"kty": "oct", "kid": "bad\n\x1b[31m" + strings.Repeat("k", 100_000), "k": "c2VjcmV0"}))
		server.follow(t, jwks.Config{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
		next := func() {
			time.Sleep(15 * time.Minute)
			synctest.Wait()
		}
		next()
		next()
		if s := log.String(); lines() != 1 || len(s) > 1000 || strings.Contains(s, "c2VjcmV0") || !strings.Contains(s, "oct") {
			t.Errorf("want one short line, got %.1000s", s)
		}
		many := []any{edJWK(1, "k")}
		for range 90 {
			many = append(many, object{"kty": "foo", "kid": strings.Repeat("k", 1000)})
		}
		server.serve(setOf(many...))
		next()
		if lines() != 2 || log.Len() > 4000 {
			t.Errorf("%d lines, %d bytes", lines(), log.Len())
		}
		server.serve(setOf(edJWK(1, "k")))
		next()
		server.fail(errors.New("one"))
		next()
		next()
		server.serve(setOf(edJWK(1, "k")))
		next()
		if lines() != 4 { // failed, and works again
			t.Errorf("%d lines: %s", lines(), &log)
		}
		log.Reset()
		secret := b64(rsaKeys()[0].D.Bytes())
		server.serve(setOf(jwkOf(rsaKeys()[0].Public(), "k", object{"d": secret})))
		next()
		if lines() != 1 || strings.Contains(log.String(), secret) {
			t.Errorf("KY-32: %s", &log)
		}
	})
}
