package issuer_test

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
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
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
		tokens := newIssuer(t, issuer.Config[account]{Keys: schedule(t, key)})
		verify := verifier(t, tokens, claims.Dialect{})
		for range 5 {
			if _, err := verify.Verify(t.Context(), issue(t, tokens, "alice").AccessToken); err != nil {
				t.Fatal(err)
			}
		}
		refresh(t, tokens, issue(t, tokens, "alice").RefreshToken)
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
		tokens := newIssuer(t, issuer.Config[account]{Keys: schedule(t, key)})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 50 {
					token := issue(t, tokens, "alice").AccessToken
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
		t.Skip("this toolchain makes no RSA key of 1024 bits:", err)
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
		tokens := newIssuer(t, issuer.Config[account]{Keys: schedule(t, key)})
		pair := issue(t, tokens, "alice")
		signer.sign = sign
		if got, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: "alice"}); err == nil || got != (issuer.Pair{}) {
			t.Errorf("%s: issued %v, %v", name, got, err)
		}
		if got, err := tokens.Refresh(t.Context(), pair.RefreshToken); err == nil || errors.Is(err, issuer.ErrGrant) || got != (issuer.Pair{}) {
			t.Errorf("%s: refreshed %v, %v", name, got, err)
		}
		signer.sign = nil
		refresh(t, tokens, pair.RefreshToken) // nothing was spent
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

func TestKeysDoNotShowThemselves(t *testing.T) {
	secret := []byte("a secret of thirty-two bytes !!!")
	key, err := signing.NewSecret("HS256", "k1", secret, always)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	private, _ := signing.NewKey("EdDSA", ed, always)
	tokens := newIssuer(t, issuer.Config[account]{Keys: schedule(t, key)})
	pair := issue(t, tokens, "alice")
	var text string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, shown := range []any{key, private, pair} {
			text += fmt.Sprintf(verb, shown) + "\n"
		}
	}
	for _, hidden := range []string{string(secret), hex.EncodeToString(secret), hex.EncodeToString(ed[:8]), pair.AccessToken[:30], pair.RefreshToken, hex.EncodeToString([]byte(pair.RefreshToken))} {
		if strings.Contains(text, hidden) {
			t.Errorf("%q shows in %s", hidden, text)
		}
	}
	if !strings.Contains(text, "k1") || !strings.Contains(text, pair.Session) {
		t.Errorf("a key or pair can't be told from another: %s", text)
	}
}

// jwks fetches what an issuer publishes.
func jwks(t testing.TB, tokens *issuer.Issuer[account]) (kids []string, body string, h http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	tokens.JWKS().ServeHTTP(w, httptest.NewRequest("GET", "/jwks", nil))
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || w.Code != 200 || set.Keys == nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	for _, k := range set.Keys {
		kids = append(kids, k["kid"])
		for name := range k {
			if !strings.Contains(" kty use alg kid n e crv x y ", " "+name+" ") {
				t.Errorf("the key set has a member %q", name)
			}
		}
		if k["use"] != "sig" || k["alg"] == "" {
			t.Errorf("published as %v", k)
		}
	}
	return kids, w.Body.String(), w.Header()
}

func TestJWKS(t *testing.T) {
	var keys []*signing.Key
	for i, alg := range asymmetric {
		signer := privateKey(t, alg)
		if _, isRSA := signer.(*rsa.PrivateKey); isRSA {
			if alg != "RS256" { // one id for one key
				continue
			}
		}
		key, err := signing.NewKey(alg, signer, time.Now().Add(time.Duration(-i)*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	secret, err := signing.NewSecret("HS256", "hidden", make([]byte, 32), time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	tokens := newIssuer(t, issuer.Config[account]{Keys: schedule(t, append(keys, secret)...)})
	kids, body, h := jwks(t, tokens)
	if len(kids) != len(keys) || strings.Contains(body, "hidden") || strings.Contains(body, "oct") {
		t.Errorf("published: %s", body)
	}
	if h.Get("Cache-Control") != "public, max-age=300" || h.Get("Content-Type") != "application/jwk-set+json" || h.Get("ETag") == "" {
		t.Errorf("headers: %v", h)
	}
	again := httptest.NewRequest("GET", "/jwks", nil)
	again.Header.Set("If-None-Match", h.Get("ETag"))
	w := httptest.NewRecorder()
	tokens.JWKS().ServeHTTP(w, again)
	if w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("with its ETag: %d", w.Code)
	}
	w = httptest.NewRecorder()
	tokens.JWKS().ServeHTTP(w, httptest.NewRequest("POST", "/jwks", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d %v", w.Code, w.Header())
	}
}

// TestSchedule walks through the life of three keys: which signs, which are
// published and verify, hour by hour.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		k := []*signing.Key{edKey(t, always), edKey(t, start.Add(10*time.Hour)), edKey(t, start.Add(20*time.Hour))}
		keys := schedule(t, k[2], k[0], k[1])
		tokens := newIssuer(t, issuer.Config[account]{Keys: keys, Lead: 2 * time.Hour, AccessLife: time.Hour, RefreshLife: 4 * time.Hour, SessionLife: 100 * time.Hour})
		const least = 5 * time.Minute // the leeway
		for _, row := range []struct {
			at     time.Duration
			signs  int
			offers []int // best first
		}{
			{0, 0, []int{0}},
			{8*time.Hour - 1, 0, []int{0}},
			{8 * time.Hour, 0, []int{0, 1}},
			{10*time.Hour - time.Second, 0, []int{0, 1}},
			{10 * time.Hour, 1, []int{1, 0}},
			{14*time.Hour + least - 1, 1, []int{1, 0}},
			{14*time.Hour + least, 1, []int{1}},
			{18 * time.Hour, 1, []int{1, 2}},
			{20 * time.Hour, 2, []int{2, 1}},
			{24*time.Hour + least, 2, []int{2}},
			{1000 * time.Hour, 2, []int{2}},
		} {
			time.Sleep(time.Until(start.Add(row.at)))
			var want []string
			for _, i := range row.offers {
				want = append(want, k[i].ID())
			}
			if got, _, _ := jwks(t, tokens); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%v: published %v, want %v", row.at, got, want)
			}
			offered, err := tokens.KeySet().Keys(t.Context(), claims.Header{Algorithm: "EdDSA"})
			if err != nil || len(offered) != len(want) {
				t.Fatalf("%v: %d keys verify, want %d: %v", row.at, len(offered), len(want), err)
			}
			for i, key := range offered {
				if key.ID() != want[i] {
					t.Errorf("%v: key %d to verify is %s, want %s", row.at, i, key.ID(), want[i])
				}
				same, _ := tokens.KeySet().Keys(t.Context(), claims.Header{Algorithm: "EdDSA", KeyID: key.ID()})
				if len(same) != 1 || same[0] != key {
					t.Errorf("%v: a key is not the same *Key as before", row.at)
				}
			}
			if kid := header(t, issue(t, tokens, "alice").AccessToken)["kid"]; kid != k[row.signs].ID() {
				t.Errorf("%v: %s signs, want %s", row.at, kid, k[row.signs].ID())
			}
		}
	})
}

// TestKeysOutliveTheirTokens refreshes and verifies over 49 days of keys that
// change every day: no genuine token is ever refused.
func TestKeysOutliveTheirTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var keys []*signing.Key
		for day := range 60 {
			keys = append(keys, edKey(t, start.AddDate(0, 0, day)))
		}
		tokens := newIssuer(t, issuer.Config[account]{Keys: schedule(t, keys...), SessionLife: 50 * 24 * time.Hour})
		verify := verifier(t, tokens, claims.Dialect{})
		pair := issue(t, tokens, "alice")
		for range 7 {
			time.Sleep(15*time.Minute - time.Second)
			if _, err := verify.Verify(t.Context(), pair.AccessToken); err != nil {
				t.Fatalf("after %v: %v", time.Since(start), err)
			}
			time.Sleep(7*24*time.Hour - 15*time.Minute)
			pair = refresh(t, tokens, pair.RefreshToken)
		}
	})
}

func TestSchedulesThatAreRefused(t *testing.T) {
	a, b := edKey(t, always), edKey(t, always)
	if s, err := signing.NewSchedule(); err == nil || s != nil {
		t.Error("no key")
	}
	if s, err := signing.NewSchedule(nil); err == nil || s != nil {
		t.Error("a nil key")
	}
	if s, err := signing.NewSchedule(a, b); err == nil || s != nil {
		t.Error("two keys from the same time")
	}
	if s, err := signing.NewSchedule(a, a); err == nil || s != nil {
		t.Error("one key twice")
	}
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	early, _ := signing.NewKey("EdDSA", private, always)
	late, _ := signing.NewKey("EdDSA", private, time.Now())
	if s, err := signing.NewSchedule(early, late); err == nil || s != nil {
		t.Error("one key from two times")
	}
}

func TestNothingIsIssuedBeforeTheFirstKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{Keys: schedule(t, edKey(t, time.Now().Add(time.Hour)))})
		if pair, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: "alice"}); err == nil || pair != (issuer.Pair{}) {
			t.Errorf("%v, %v", pair, err)
		}
		time.Sleep(time.Hour)
		issue(t, tokens, "alice")
	})
}

// TestWithdrawnKeys replaces a schedule while it serves.
func TestWithdrawnKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stolen, next := edKey(t, always), edKey(t, time.Now())
		keys := schedule(t, stolen)
		tokens := newIssuer(t, issuer.Config[account]{Keys: keys})
		verify := verifier(t, tokens, claims.Dialect{})
		pair := issue(t, tokens, "alice")
		if err := keys.Replace(); err == nil {
			t.Fatal("replaced by nothing")
		}
		if _, err := verify.Verify(t.Context(), pair.AccessToken); err != nil {
			t.Fatal("a schedule that was refused was put in place")
		}
		if err := keys.Replace(next); err != nil {
			t.Fatal(err)
		}
		if _, err := verify.Verify(t.Context(), pair.AccessToken); !errors.Is(err, claims.ErrInvalid) {
			t.Errorf("a withdrawn key verifies: %v", err)
		}
		refused(t, tokens, pair.RefreshToken, issuer.ErrGrant)
		if kids, _, _ := jwks(t, tokens); len(kids) != 1 || kids[0] != next.ID() {
			t.Errorf("published: %v", kids)
		}
		issue(t, tokens, "alice")
	})
}

// TestRefreshKeys gives refresh tokens a key of their own, which opens nothing
// else and is published nowhere.
func TestRefreshKeys(t *testing.T) {
	secret, err := signing.NewSecret("HS256", "refresh", make([]byte, 32), always)
	if err != nil {
		t.Fatal(err)
	}
	tokens := newIssuer(t, issuer.Config[account]{RefreshKeys: schedule(t, secret)})
	pair := refresh(t, tokens, issue(t, tokens, "alice").RefreshToken)
	if a, r := header(t, pair.AccessToken), header(t, pair.RefreshToken); a["alg"] != "EdDSA" || r["alg"] != "HS256" || r["kid"] != "refresh" {
		t.Errorf("headers %v, %v", a, r)
	}
	if kids, _, _ := jwks(t, tokens); len(kids) != 1 {
		t.Errorf("published: %v", kids)
	}
	if keys, _ := tokens.KeySet().Keys(t.Context(), claims.Header{Algorithm: "HS256"}); len(keys) != 0 {
		t.Error("the refresh key verifies access tokens")
	}
	shared := schedule(t, secret)
	if _, err := issuer.New(issuer.Config[account]{Issuer: "i", Audience: []string{"a"}, Store: issuer.NewMemoryStore(), Keys: shared, RefreshKeys: schedule(t, secret)}); err == nil {
		t.Error("one key is for both")
	}
}
