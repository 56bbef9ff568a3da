package issuer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// TestEveryAlgorithmIssues has keys of every algorithm sign pairs.
func TestEveryAlgorithmIssues(t *testing.T) {
	works := func(t *testing.T, key *signing.Key, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		tokens := newIssuer(t, issuer.Config[account]{Keys: schedule(t, key)})
		pair := refresh(t, tokens, issue(t, tokens, "alice").RefreshToken)
		if _, err := verifier(t, tokens, claims.Dialect{}).Verify(t.Context(), pair.AccessToken); err != nil {
			t.Fatal(err)
		}
	}
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			key, err := signing.NewKey(alg, privateKey(t, alg), always)
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

// kms is a signer as that of a key management service, which fails if it is told
// to.
type kms struct {
	crypto.Signer
	fails error
}

func (k *kms) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if k.fails != nil {
		return nil, k.fails
	}
	return k.Signer.Sign(r, digest, opts)
}

// TestSignersThatFail: when the key can't be had, nothing is issued and nothing
// is spent.
func TestSignersThatFail(t *testing.T) {
	signer := &kms{Signer: privateKey(t, "ES256")}
	key, err := signing.NewKey("ES256", signer, always)
	if err != nil {
		t.Fatal(err)
	}
	tokens := newIssuer(t, issuer.Config[account]{Keys: schedule(t, key)})
	pair := issue(t, tokens, "alice")
	signer.fails = errors.New("throttled")
	if got, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: "alice"}); !errors.Is(err, signer.fails) || got != (issuer.Pair{}) {
		t.Errorf("issued %v, %v", got, err)
	}
	if got, err := tokens.Refresh(t.Context(), pair.RefreshToken); !errors.Is(err, signer.fails) || errors.Is(err, issuer.ErrGrant) || got != (issuer.Pair{}) {
		t.Errorf("refreshed %v, %v", got, err)
	}
	signer.fails = nil
	refresh(t, tokens, pair.RefreshToken) // nothing was spent
}

// TestPairsDoNotShowThemselves prints and logs a pair.
func TestPairsDoNotShowThemselves(t *testing.T) {
	pair := issue(t, newIssuer(t, issuer.Config[account]{}), "alice")
	var text strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&text, verb+"\n", pair)
	}
	for _, logger := range []slog.Handler{slog.NewTextHandler(&text, nil), slog.NewJSONHandler(&text, nil)} {
		slog.New(logger).Info("", "pair", pair)
	}
	for _, hidden := range []string{pair.AccessToken[:30], pair.RefreshToken, hex.EncodeToString([]byte(pair.RefreshToken))} {
		if strings.Contains(text.String(), hidden) {
			t.Errorf("%q shows in %s", hidden, text.String())
		}
	}
	if !strings.Contains(text.String(), pair.Session) {
		t.Errorf("a pair can't be told from another: %s", text.String())
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

// TestKeysOfAnIssuer walks through the life of three keys: which signs, which are
// published and verify, hour by hour.
func TestKeysOfAnIssuer(t *testing.T) {
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

// TestLastKeyWithdrawn removes the only key's file. What it signed is not
// refused as a bad token, which would log everybody out, but can't be verified.
func TestLastKeyWithdrawn(t *testing.T) {
	dir := keyDir(t)
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(dir, "19990101T000000Z.pem")
		writeKey(t, dir, filepath.Base(path), newEd25519(t))
		var log strings.Builder
		keys, err := signing.LoadSchedule(dir, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		tokens := newIssuer(t, issuer.Config[account]{Keys: keys})
		verify := verifier(t, tokens, claims.Dialect{})
		pair := issue(t, tokens, "alice")
		if _, err := verify.Verify(t.Context(), pair.AccessToken); err != nil {
			t.Fatal(err)
		}
		jwks := func() int {
			w := httptest.NewRecorder()
			tokens.JWKS().ServeHTTP(w, httptest.NewRequest("GET", "/jwks.json", nil))
			return w.Code
		}
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			time.Sleep(10 * time.Second)
			if c, err := verify.Verify(t.Context(), pair.AccessToken); err == nil || errors.Is(err, claims.ErrInvalid) || c != nil {
				t.Errorf("verified: %v, %v", c, err)
			}
			if _, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: "bob"}); err == nil {
				t.Error("a key that was withdrawn signs")
			}
			if _, err := tokens.Refresh(t.Context(), pair.RefreshToken); err == nil || errors.Is(err, issuer.ErrGrant) {
				t.Errorf("refreshed: %v", err)
			}
			if err := tokens.Revoke(t.Context(), pair.RefreshToken); err == nil {
				t.Error("revoked")
			}
			if code := jwks(); code != 503 {
				t.Errorf("key set: %d", code)
			}
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("logged %d times: %s", n, log.String())
		}
		if err := errors.Join(os.Rename(path+".away", path), keys.Reload()); err != nil {
			t.Fatal(err)
		}
		refresh(t, tokens, pair.RefreshToken)
		if code := jwks(); code != 200 {
			t.Errorf("key set: %d", code)
		}
	})
}

var rsaOnce = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// privateKey returns a key that fits an algorithm.
func privateKey(t testing.TB, alg string) crypto.Signer {
	t.Helper()
	curves := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
	if alg == "EdDSA" {
		return newEd25519(t)
	}
	curve, ok := curves[alg]
	if !ok {
		return rsaOnce()
	}
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newEd25519(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private
}

// writeKey writes a private key as LoadSchedule reads it.
func writeKey(t testing.TB, dir, name string, private crypto.PrivateKey) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, name), block, 0o600); err != nil {
		t.Fatal(err)
	}
}

// keyDir returns an empty directory for keys, whatever the umask is.
func keyDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// head returns a token's header.
func head(token string) string {
	h, _, _ := strings.Cut(token, ".")
	return h
}
