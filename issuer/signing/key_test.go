package signing_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// kms is a crypto.Signer that is none of the standard library's types, as that
// of a key management service. sign, if set, replaces what it signs.
type kms struct {
	crypto.Signer
	sign func(digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

func (k *kms) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if k.sign != nil {
		return k.sign(digest, opts)
	}
	return k.Signer.Sign(r, digest, opts)
}

var rsaOnce = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func ecKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// privateKey returns a key that fits an algorithm.
func privateKey(t testing.TB, alg string) crypto.Signer {
	t.Helper()
	switch alg {
	case "ES256":
		return ecKey(t, elliptic.P256())
	case "ES384":
		return ecKey(t, elliptic.P384())
	case "ES512":
		return ecKey(t, elliptic.P521())
	case "EdDSA":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	default:
		return rsaOnce()
	}
}

var asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

func TestEveryAlgorithmSigns(t *testing.T) {
	works := func(t *testing.T, key *signing.Key, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		keys := schedule(t, key)
		verify := verifier(t, keys.KeySet(signing.Window{}))
		for range 5 {
			if _, err := verify.Verify(t.Context(), mustMint(t, keys)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, alg := range asymmetric {
		t.Run(alg, func(t *testing.T) {
			key, err := signing.NewKey(alg, privateKey(t, alg), always)
			works(t, key, err)
		})
		t.Run(alg+" by any signer", func(t *testing.T) {
			key, err := signing.NewKey(alg, &kms{Signer: privateKey(t, alg)}, always)
			works(t, key, err)
		})
	}
	for alg, size := range map[string]int{"HS256": 32, "HS384": 48, "HS512": 64} {
		t.Run(alg, func(t *testing.T) {
			key, err := signing.NewSecret(alg, "k", make([]byte, size), always)
			works(t, key, err)
		})
	}
}

// TestPublicHalves gets from a key what its signer says of itself, and nothing
// of a secret.
func TestPublicHalves(t *testing.T) {
	for _, alg := range asymmetric {
		signer := privateKey(t, alg)
		key, err := signing.NewKey(alg, signer, always)
		if err != nil {
			t.Fatal(err)
		}
		if same, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !same.Equal(key.Public()) {
			t.Errorf("%s: %T", alg, key.Public())
		}
	}
	secret, err := signing.NewSecret("HS256", "", make([]byte, 32), always)
	if err != nil || secret.Public() != nil || new(signing.Key).Public() != nil {
		t.Errorf("a secret is public: %v", err)
	}
}

// TestSecretsSignAtOnce has many sign with one secret, and golang-jwt verify
// what they signed.
func TestSecretsSignAtOnce(t *testing.T) {
	for alg, method := range map[string]jwt.SigningMethod{"HS256": jwt.SigningMethodHS256, "HS384": jwt.SigningMethodHS384, "HS512": jwt.SigningMethodHS512} {
		secret := []byte(strings.Repeat("a secret that is longer than a block of any hash ", 4))
		key, err := signing.NewSecret(alg, "k", secret, always)
		if err != nil {
			t.Fatal(err)
		}
		given := strings.Clone(string(secret))
		clear(secret) // NewSecret has a copy
		keys := schedule(t, key)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 50 {
					token, err := mint(t, keys)
					if err != nil {
						t.Error(err)
						return
					}
					end := strings.LastIndexByte(token, '.')
					sig, err := base64.RawURLEncoding.DecodeString(token[end+1:])
					if err == nil {
						err = method.Verify(token[:end], sig, []byte(given))
					}
					if err != nil {
						t.Errorf("%s: %v", alg, err)
					}
				}
			})
		}
		all.Wait()
	}
}

func TestKeysThatDoNotFit(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this Go makes no RSA key of 1024 bits, set GODEBUG=rsa1024min=0: ", err)
	}
	var noRSA *rsa.PrivateKey
	p224 := ecKey(t, elliptic.P224())
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	for _, row := range []struct {
		name, alg string
		signer    crypto.Signer
	}{
		{"no signer", "RS256", nil},
		{"nil key", "RS256", noRSA},
		{"short key", "EdDSA", ed25519.PrivateKey{1, 2, 3}},
		{"empty algorithm", "", ed},
		{"none", "none", ed},
		{"unknown algorithm", "XX256", ed},
		{"wrong case", "eddsa", ed},
		{"HMAC with a public key", "HS256", rsaOnce()},
		{"RSA for ECDSA", "ES256", rsaOnce()},
		{"Ed25519 for RSA", "RS256", ed},
		{"P-256 for ES384", "ES384", ecKey(t, elliptic.P256())},
		{"P-224", "ES256", p224},
		{"RSA of 1024 bits", "RS256", small},
		{"empty RSA key", "RS256", &rsa.PrivateKey{}},
		{"empty ECDSA key", "ES256", &ecdsa.PrivateKey{}},
	} {
		if key, err := signing.NewKey(row.alg, row.signer, always); err == nil || key != nil {
			t.Errorf("%s: %v, %v", row.name, key, err)
		}
	}
	for _, row := range []struct {
		name, alg string
		size      int
	}{
		{"KY-19 31 bytes for HS256", "HS256", 31}, {"KY-19 47 bytes for HS384", "HS384", 47}, {"KY-19 63 bytes for HS512", "HS512", 63},
		{"KY-19 empty", "HS256", 0}, {"RS256", "RS256", 64}, {"none", "none", 64}, {"no algorithm", "", 64},
	} {
		if key, err := signing.NewSecret(row.alg, "", make([]byte, row.size), always); err == nil || key != nil {
			t.Errorf("%s: %v, %v", row.name, key, err)
		}
	}
}

// TestKeysProveThemselves is KY-30: what a signer signs must verify under its
// own public key, from the start.
func TestKeysProveThemselves(t *testing.T) {
	t.Run("KY-30 public half of another key", func(t *testing.T) {
		for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
			mine, other := privateKey(t, alg), privateKey(t, alg)
			if alg == "RS256" || alg == "PS256" {
				other, _ = rsa.GenerateKey(rand.Reader, 2048)
			}
			signer := &kms{Signer: mine, sign: func(d []byte, o crypto.SignerOpts) ([]byte, error) { return other.Sign(rand.Reader, d, o) }}
			if key, err := signing.NewKey(alg, signer, always); err == nil || key != nil {
				t.Errorf("%s: %v, %v", alg, key, err)
			}
		}
	})
	t.Run("KY-30 private halves that don't belong together", func(t *testing.T) {
		_, a, _ := ed25519.GenerateKey(rand.Reader)
		_, b, _ := ed25519.GenerateKey(rand.Reader)
		mixed := append(append(ed25519.PrivateKey(nil), a[:32]...), b[32:]...)
		if key, err := signing.NewKey("EdDSA", mixed, always); err == nil || key != nil {
			t.Errorf("%v, %v", key, err)
		}
		ec, other := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
		ec.PublicKey = other.PublicKey
		if key, err := signing.NewKey("ES256", ec, always); err == nil || key != nil {
			t.Errorf("%v, %v", key, err)
		}
	})
}

// TestSignersThatFail lets a signer go wrong after it has proved itself: what
// it returns is an error or verifies, and never stands in a token.
func TestSignersThatFail(t *testing.T) {
	der := func(r, s *big.Int) []byte {
		b, _ := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		return b
	}
	huge := new(big.Int).Lsh(big.NewInt(1), 300)
	for name, sign := range map[string]func([]byte, crypto.SignerOpts) ([]byte, error){
		"error":        func([]byte, crypto.SignerOpts) ([]byte, error) { return nil, errors.New("throttled") },
		"panic":        func([]byte, crypto.SignerOpts) ([]byte, error) { panic("oh") },
		"nothing":      func([]byte, crypto.SignerOpts) ([]byte, error) { return nil, nil },
		"no ASN.1":     func([]byte, crypto.SignerOpts) ([]byte, error) { return make([]byte, 64), nil },
		"zero":         func([]byte, crypto.SignerOpts) ([]byte, error) { return der(big.NewInt(0), big.NewInt(0)), nil },
		"negative":     func([]byte, crypto.SignerOpts) ([]byte, error) { return der(big.NewInt(-1), big.NewInt(1)), nil },
		"out of range": func([]byte, crypto.SignerOpts) ([]byte, error) { return der(huge, huge), nil },
		"wrong":        func([]byte, crypto.SignerOpts) ([]byte, error) { return der(big.NewInt(1), big.NewInt(1)), nil },
		"trailing": func([]byte, crypto.SignerOpts) ([]byte, error) {
			return append(der(big.NewInt(1), big.NewInt(1)), 0), nil
		},
	} {
		signer := &kms{Signer: ecKey(t, elliptic.P256())}
		key, err := signing.NewKey("ES256", signer, always)
		if err != nil {
			t.Fatal(err)
		}
		keys := schedule(t, key)
		signer.sign = sign
		if got, err := mint(t, keys); err == nil || got != "" {
			t.Errorf("%s: signed %q, %v", name, got, err)
		}
		signer.sign = nil
		mustMint(t, keys)
	}
}

// TestThumbprints compares ids with the examples of RFC 7638 §3.1 and RFC 8037
// §A.3.
func TestThumbprints(t *testing.T) {
	seed, _ := hex.DecodeString("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	key, err := signing.NewKey("EdDSA", ed25519.NewKeyFromSeed(seed), always)
	if err != nil {
		t.Fatal(err)
	}
	if want := "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; key.ID() != want {
		t.Errorf("thumbprint %s, want %s", key.ID(), want)
	}
}

// TestKeysDoNotShowThemselves prints keys with every verb and logs them, also
// from a field that is not exported, whose methods fmt does not call.
func TestKeysDoNotShowThemselves(t *testing.T) {
	secret := []byte("a secret of thirty-two bytes !!!")
	key, err := signing.NewSecret("HS256", "name of the key", secret, always)
	if err != nil {
		t.Fatal(err)
	}
	ed := newEd25519(t)
	private, err := signing.NewKey("EdDSA", ed, always)
	if err != nil {
		t.Fatal(err)
	}
	mustMint(t, schedule(t, key)) // it has signed
	type holder struct {
		key  *signing.Key
		keys []*signing.Key
		all  *signing.Schedule
	}
	held := holder{key, []*signing.Key{key, private}, schedule(t, key)}
	var text strings.Builder
	for _, shown := range []any{key, private, held, &held, held.keys, held.all, schedule(t, private)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&text, verb+"\n", shown)
		}
		for _, logger := range []slog.Handler{slog.NewTextHandler(&text, nil), slog.NewJSONHandler(&text, nil)} {
			slog.New(logger).Info("", "shown", shown)
		}
	}
	shown := strings.ToLower(text.String())
	for _, material := range [][]byte{secret, ed.Seed()} {
		for _, hidden := range []string{string(material), hex.EncodeToString(material), base64.StdEncoding.EncodeToString(material), strings.Trim(fmt.Sprint(material), "[]")} {
			if strings.Contains(shown, strings.ToLower(hidden)) {
				t.Errorf("%q shows in %s", hidden, shown)
			}
		}
	}
	if !strings.Contains(shown, "name of the key") || !strings.Contains(shown, strings.ToLower(private.ID())) {
		t.Errorf("a key can't be told from another: %s", shown)
	}
}
