package claims_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

func TestEveryAlgorithm(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			named := token(alg, pairs()[alg].private, `{"alg":"`+alg+`","kid":"k","typ":"at+jwt"}`, goodPayload)
			for _, kid := range []string{"", "k"} {
				v := verifierOf(keyOf(alg, kid))
				for i := range 3 { // the header is remembered, then the token
					accepted(t, v, tokenOf(alg, fmt.Sprintf(`{"iss":"iss1","sub":"%d","aud":"api","exp":1700000100}`, i/2)))
					accepted(t, v, named)
				}
			}
			refused(t, verifierOf(keyOf(alg, "other")), named, claims.ErrUnknownKey)
			// No key of another algorithm is tried.
			for _, other := range algorithms {
				if other != alg {
					refused(t, verifierOf(keyOf(other, "")), tokenOf(alg, goodPayload), claims.ErrUnknownKey)
				}
			}
		})
	}
}

func TestKeyMaterial(t *testing.T) {
	rsaPublic := pairs()["RS256"].public.(*rsa.PublicKey)
	short := func(bits int) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
	}
	ec := pairs()["ES256"].public.(*ecdsa.PublicKey)
	//lint:ignore SA1019 nothing else makes a key that is wrong
	off := &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}
	//lint:ignore SA1019 nothing else makes a key that is wrong
	infinity := &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int), Y: new(big.Int)}
	tooLarge := math.MaxInt32
	tooLarge += 2 // where int has 32 bits it is negative then
	even := short(2048)
	even.N = new(big.Int).Sub(even.N, big.NewInt(1))
	secret := func(n int) []byte { return make([]byte, n) }
	for _, row := range []struct {
		id, alg  string
		material any
		insecure bool // accepted by NewKeyOfInsecureSize
	}{
		{"KY-16 RSA 1024", "RS256", short(1024), true},
		{"KY-16 RSA 2040", "PS256", short(2040), true},
		{"KY-16 RSA 1023", "RS256", short(1023), false},
		{"KY-16 RSA 16385", "RS256", short(16385), false},
		{"RSA exponent 1", "RS256", &rsa.PublicKey{N: rsaPublic.N, E: 1}, false},
		{"RSA exponent even", "RS256", &rsa.PublicKey{N: rsaPublic.N, E: 65536}, false},
		{"RSA exponent too large for crypto/rsa", "RS256", &rsa.PublicKey{N: rsaPublic.N, E: tooLarge}, false},
		{"RSA modulus even", "RS256", even, false},
		{"RSA modulus negative", "RS256", &rsa.PublicKey{N: new(big.Int).Neg(rsaPublic.N), E: 65537}, false},
		{"RSA nil", "RS256", (*rsa.PublicKey)(nil), false},
		{"RSA empty", "RS256", &rsa.PublicKey{}, false},
		{"RSA private", "RS256", pairs()["RS256"].private, false},
		{"RSA by value", "RS256", *rsaPublic, false},
		{"RSA as EC", "ES256", rsaPublic, false},
		{"RSA as EdDSA", "EdDSA", rsaPublic, false},
		{"RSA as HMAC", "HS256", rsaPublic, false},
		{"KY-18 off the curve", "ES256", off, false},
		{"KY-18 infinity", "ES256", infinity, false},
		{"KY-18 P-384 as ES256", "ES256", pairs()["ES384"].public, false},
		{"KY-18 P-521 as ES384", "ES384", pairs()["ES512"].public, false},
		{"KY-18 P-256 as ES512", "ES512", ec, false},
		{"EC nil", "ES256", (*ecdsa.PublicKey)(nil), false},
		{"EC without a curve", "ES256", &ecdsa.PublicKey{}, false},
		{"EC without a point", "ES256", &ecdsa.PublicKey{Curve: elliptic.P256()}, false},
		{"EC private", "ES256", pairs()["ES256"].private, false},
		{"EC as RSA", "RS256", ec, false},
		{"EdDSA short", "EdDSA", ed25519.PublicKey(secret(31)), false},
		{"EdDSA as bytes", "EdDSA", secret(32), false},
		{"EdDSA private", "EdDSA", pairs()["EdDSA"].private, false},
		{"EdDSA as EC", "ES256", pairs()["EdDSA"].public, false},
		{"EdDSA as HMAC", "HS256", pairs()["EdDSA"].public, false},
		{"KY-19 31", "HS256", secret(31), true},
		{"KY-19 47", "HS384", secret(47), true},
		{"KY-19 63", "HS512", secret(63), true},
		{"KY-19 empty", "HS256", []byte{}, false},
		{"KY-19 nil", "HS256", []byte(nil), false},
		{"HMAC string", "HS256", strings.Repeat("s", 32), false},
		{"no material", "RS256", nil, false},
		{"none", "none", []byte("x"), false},
		{"no algorithm", "", secret(64), false},
		{"ES256K", "ES256K", ec, false},
		{"lower case", "hs256", secret(64), false},
	} {
		t.Run(row.id, func(t *testing.T) {
			if k, err := claims.NewKey(row.alg, "", row.material); k != nil || !errors.Is(err, claims.ErrKeyMaterial) {
				t.Errorf("NewKey: %v, %v", k, err)
			}
			k, err := claims.NewKeyOfInsecureSize(row.alg, "", row.material)
			if row.insecure != (err == nil) || (err != nil && !errors.Is(err, claims.ErrKeyMaterial)) {
				t.Errorf("NewKeyOfInsecureSize: %v, %v", k, err)
			}
		})
	}
	if _, err := claims.NewKey("HS256", strings.Repeat("k", 257), secret(32)); !errors.Is(err, claims.ErrKeyMaterial) {
		t.Errorf("a kid that no header could have: %v", err)
	}
}

func TestKeysKeepTheirSecret(t *testing.T) {
	secret := bytes.Repeat([]byte("topsecret!"), 4)
	k := must(claims.NewKey("HS256", "kid", secret))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, v := range []any{k, *k, []*claims.Key{k}, setOf(k)} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, "topsecret") || strings.Contains(out, fmt.Sprintf("%x", "topsecret")) || strings.Contains(out, "116, 111, 112") || strings.Contains(out, "116 111 112") {
				t.Errorf("%s of %T shows the secret: %s", verb, v, out)
			}
		}
	}
	// What was given is copied.
	v := verifierOf(k)
	s := token("HS256", slices.Clone(secret), `{"alg":"HS256","typ":"at+jwt"}`, goodPayload)
	clear(secret)
	accepted(t, v, s)
	public := slices.Clone(pairs()["EdDSA"].public.(ed25519.PublicKey))
	v = verifierOf(must(claims.NewKey("EdDSA", "", public)))
	clear(public)
	accepted(t, v, tokenOf("EdDSA", goodPayload))
	n := &rsa.PublicKey{N: new(big.Int).Set(pairs()["RS256"].public.(*rsa.PublicKey).N), E: 65537}
	v = verifierOf(must(claims.NewKey("RS256", "", n)))
	n.N.SetInt64(0)
	n.E = 0
	accepted(t, v, tokenOf("RS256", goodPayload))
}

func TestKeySets(t *testing.T) {
	t.Run("KY-11", func(t *testing.T) {
		other := must(claims.NewKey("HS256", "a", make([]byte, 32)))
		if _, err := claims.NewKeySet(keyOf("HS256", "a"), other); !errors.Is(err, claims.ErrKeyMaterial) {
			t.Errorf("two keys of one id: %v", err)
		}
		// Two algorithms may share an id: they never meet.
		v := verifierOf(keyOf("HS256", "a"), keyOf("RS256", "a"))
		accepted(t, v, tokenOf("RS256", goodPayload))
	})
	for name, keys := range map[string][]*claims.Key{"none": nil, "nil": {nil}, "the zero Key": {new(claims.Key)}} {
		if _, err := claims.NewKeySet(keys...); !errors.Is(err, claims.ErrKeyMaterial) {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Run("KY-27", func(t *testing.T) {
		old, secret := keyOf("HS256", "k"), bytes.Repeat([]byte("new!"), 16)
		keys := &countingKeys{keys: []*claims.Key{old}}
		v := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: keys}))
		header := `{"alg":"HS256","kid":"k","typ":"at+jwt"}`
		before := token("HS256", pairs()["HS256"].private, header, goodPayload)
		after := token("HS256", secret, header, goodPayload)
		accepted(t, v, before)
		refused(t, v, after, claims.ErrSignature)
		keys.keys = []*claims.Key{must(claims.NewKey("HS256", "k", secret))}
		refused(t, v, before, claims.ErrSignature)
		accepted(t, v, after)
		keys.keys = nil
		refused(t, v, after, claims.ErrUnknownKey)
	})
	t.Run("KY-15", func(t *testing.T) {
		refused(t, verifierOf(keyOf("PS256", "a"), keyOf("PS256", "")), tokenOf("RS256", goodPayload), claims.ErrUnknownKey)
	})
	t.Run("KY-23", func(t *testing.T) {
		var keys swappedKeys
		sets := [][]*claims.Key{{keyOf("HS256", "a")}, {keyOf("HS256", "a"), keyOf("RS256", "b")}}
		keys.now.Store(&sets[0])
		v := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: &keys}))
		s := tokenOf("HS256", goodPayload)
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if _, err := verifyAt(v, s); err != nil {
					t.Error(err)
				}
			})
		}
		for i := range 1000 {
			keys.now.Store(&sets[i%2])
		}
		wg.Wait()
	})
	t.Run("a set that can't answer", func(t *testing.T) {
		down := errors.New("key server is down")
		for _, cause := range []error{down, context.DeadlineExceeded, fmt.Errorf("its own token: %w", claims.ErrInvalid), claims.ErrExpired} {
			v := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: &countingKeys{err: cause, keys: []*claims.Key{keyOf("HS256", "")}}}))
			c, err := verifyAt(v, tokenOf("HS256", goodPayload))
			if c != nil || !errors.Is(err, claims.ErrKeySetAnswer) || errors.Is(err, claims.ErrInvalid) || errors.Is(err, claims.ErrExpired) {
				t.Errorf("%v: %v, %v", cause, c, err)
			}
			if errors.Is(cause, down) && !errors.Is(err, down) {
				t.Errorf("the cause is lost: %v", err)
			}
		}
	})
	t.Run("a set that offers the wrong keys is not believed", func(t *testing.T) {
		hs, rs := pairs()["HS256"].private, pairs()["RS256"].private
		offered := []*claims.Key{nil, new(claims.Key), keyOf("PS256", ""), keyOf("RS256", "other"), keyOf("HS512", "")}
		v := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: &countingKeys{keys: offered}}))
		refused(t, v, token("RS256", rs, `{"alg":"RS256","kid":"mine","typ":"at+jwt"}`, goodPayload), claims.ErrUnknownKey)
		refused(t, v, token("HS256", hs, `{"alg":"HS256","typ":"at+jwt"}`, goodPayload), claims.ErrUnknownKey)
		accepted(t, v, token("RS256", rs, `{"alg":"RS256","kid":"other","typ":"at+jwt"}`, goodPayload))
		// Having verified one token, a key still verifies none of another id.
		refused(t, v, token("RS256", rs, `{"alg":"RS256","kid":"mine","typ":"at+jwt"}`, goodPayload), claims.ErrUnknownKey)
	})
}

// swappedKeys is a key set whose keys change while it is asked.
type swappedKeys struct{ now atomic.Pointer[[]*claims.Key] }

func (s *swappedKeys) Keys(context.Context, claims.Header) ([]*claims.Key, error) {
	return *s.now.Load(), nil
}

// TestTries counts how often keys are tried with a token that names none.
func TestTries(t *testing.T) {
	tries := 0
	right := claims.Counting(keyOf("HS256", ""), &tries)
	wrong := make([]*claims.Key, 40)
	for i := range wrong {
		secret := make([]byte, 32)
		secret[0] = byte(i)
		wrong[i] = claims.Counting(must(claims.NewKey("HS256", "", secret)), &tries)
	}
	var unfit []*claims.Key
	for _, alg := range algorithms[1:] {
		unfit = append(unfit, claims.Counting(keyOf(alg, ""), &tries), nil)
	}
	config := claims.Config{Issuer: "iss1", Audience: []string{"api"}, Remember: -1}
	for n := range 20 {
		config.Keys = &countingKeys{keys: slices.Concat(unfit, wrong[:n], unfit, []*claims.Key{right})}
		v := must(claims.NewVerifier[map[string]any](config))
		tries = 0
		if n < 16 {
			accepted(t, v, tokenOf("HS256", goodPayload))
		} else {
			refused(t, v, tokenOf("HS256", goodPayload), claims.ErrSignature)
		}
		if want := min(n+1, 16); tries != want {
			t.Errorf("%d wrong keys before the right one: %d tries, want %d", n, tries, want)
		}
		// The last success comes first.
		tries = 0
		if n < 16 {
			accepted(t, v, tokenOf("HS256", goodPayload))
			if tries != 1 {
				t.Errorf("%d wrong keys, the second time: %d tries", n, tries)
			}
		}
	}
	// A forged token costs no more after a success, and one of the last key's
	// that it has no part in is not tried.
	keys := &countingKeys{keys: append([]*claims.Key{right}, wrong...)}
	config.Keys = keys
	v := must(claims.NewVerifier[map[string]any](config))
	accepted(t, v, tokenOf("HS256", goodPayload))
	forged := tokenOf("HS256", goodPayload)[:len(tokenOf("HS256", goodPayload))-43] + b64(make([]byte, 32))
	tries = 0
	refused(t, v, forged, claims.ErrSignature)
	if tries != 16 {
		t.Errorf("a forged token cost %d tries", tries)
	}
	// Where it stands too far back, its success is forgotten: what is answered
	// must not depend on what came before, remembered tokens included.
	for _, remember := range []int{-1, 0} {
		moved := &countingKeys{keys: []*claims.Key{right}}
		c := config
		c.Keys, c.Remember = moved, remember
		v := must(claims.NewVerifier[map[string]any](c))
		accepted(t, v, tokenOf("HS256", goodPayload))
		moved.keys = slices.Concat(unfit, wrong[:15], []*claims.Key{right})
		accepted(t, v, tokenOf("HS256", goodPayload))
		moved.keys = slices.Concat(unfit, wrong[:16], []*claims.Key{right})
		tries = 0
		refused(t, v, tokenOf("HS256", goodPayload), claims.ErrSignature)
		if tries != 16 {
			t.Errorf("%d tries", tries)
		}
	}
	keys.keys = wrong[:3]
	tries = 0
	refused(t, v, tokenOf("HS256", goodPayload), claims.ErrSignature)
	if tries != 3 {
		t.Errorf("3 keys offered, %d tried", tries)
	}
}

func TestJoin(t *testing.T) {
	secretA, secretB := bytes.Repeat([]byte("A"), 32), bytes.Repeat([]byte("B"), 32)
	config := func(issuer, audience string, secret []byte, size int) claims.Config {
		return claims.Config{Issuer: issuer, Audience: []string{audience}, MaxBytes: size,
			Keys: setOf(must(claims.NewKey("HS256", "1", secret)))}
	}
	a := must(claims.NewVerifier[map[string]any](config("A", "api", secretA, 1024)))
	b := must(claims.NewVerifier[map[string]any](config("B", "other", secretB, 4096)))
	v := must(claims.Join(a, b))
	by := func(secret []byte, iss, aud, more string) string {
		return token("HS256", secret, `{"alg":"HS256","kid":"1","typ":"at+jwt"}`, `{"iss":"`+iss+`","sub":"alice","aud":"`+aud+`","exp":1700000100`+more+`}`)
	}
	for range 2 { // the second time the header is remembered
		accepted(t, v, by(secretA, "A", "api", ""))
		accepted(t, v, by(secretB, "B", "other", ""))
		t.Run("KY-25", func(t *testing.T) { refused(t, v, by(secretB, "A", "api", ""), claims.ErrSignature) })
		t.Run("KY-26", func(t *testing.T) { refused(t, v, by(secretA, "B", "other", ""), claims.ErrSignature) })
		refused(t, v, by(secretA, "A", "other", ""), claims.ErrAudience)
		refused(t, v, by(secretB, "B", "api", ""), claims.ErrAudience)
	}
	for _, iss := range []string{"C", "", "a", `A","iss":"B`} {
		reason := claims.ErrIssuer
		if strings.Contains(iss, "iss") {
			reason = claims.ErrDuplicate
		}
		refused(t, v, by(secretA, iss, "api", ""), reason)
	}
	refused(t, v, token("HS256", secretA, `{"alg":"HS256","typ":"at+jwt"}`, `{"sub":"alice","aud":"api","exp":1700000100}`), claims.ErrIssuer)
	refused(t, v, token("HS256", secretA, `{"alg":"HS256","typ":"at+jwt"}`, `{"iss":["A"],"sub":"alice","aud":"api","exp":1700000100}`), claims.ErrIssuer)
	// Each issuer keeps its own bound.
	more := `,"x":"` + strings.Repeat("x", 1000) + `"`
	refused(t, v, by(secretA, "A", "api", more), claims.ErrTooLarge)
	accepted(t, v, by(secretB, "B", "other", more))
	refused(t, v, by(secretB, "B", "other", strings.Repeat(" ", 4096)), claims.ErrTooLarge)
	// Joined verifiers may be joined again.
	c := must(claims.NewVerifier[map[string]any](config("C", "api", secretB, 0)))
	both := must(claims.Join(v, c))
	accepted(t, both, by(secretA, "A", "api", ""))
	accepted(t, both, by(secretB, "C", "api", ""))
	unnamed := config("", "api", secretA, 0)
	unnamed.Dialect.InsecureNoIssuer = true
	noIssuer := must(claims.NewVerifier[map[string]any](unnamed))
	for name, verifiers := range map[string][]*claims.Verifier[map[string]any]{
		"nothing": nil, "twice": {a, a}, "twice inside": {v, a}, "nil": {a, nil}, "zero": {a, new(claims.Verifier[map[string]any])},
		"no issuer, twice": {a, noIssuer, noIssuer},
	} {
		if _, err := claims.Join(verifiers...); !errors.Is(err, claims.ErrVerifier) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFaciliooBundles reads two bundles as they were published: END lines that
// lack a dash, blocks glued together.
func TestFaciliooBundles(t *testing.T) {
	sample := strings.TrimSpace(string(must(os.ReadFile("testdata/facilioo-sample.jwt"))))
	for _, row := range []struct {
		file   string
		keys   int
		reason error
	}{
		{"testdata/facilioo-older.pem", 1, claims.ErrExpired},
		{"testdata/facilioo-newer.pem", 3, claims.ErrSignature},
	} {
		bundle := must(os.ReadFile(row.file))
		for _, text := range [][]byte{
			bundle, bytes.ReplaceAll(bundle, []byte("\n"), []byte("\r\n")),
			slices.Concat([]byte("Our keys, "+sample), bundle, []byte("Note: they change.\n")),
		} {
			if block, _ := pem.Decode(text); block != nil {
				t.Errorf("%s: encoding/pem reads it too: the test is about nothing", row.file)
			}
			keys, err := claims.ParsePEM(text, "RS256")
			if err != nil || len(keys) != row.keys {
				t.Fatalf("%s: %d keys, %v", row.file, len(keys), err)
			}
			v := must(claims.NewVerifier[struct{}](claims.Config{Issuer: "dev-api.facilioo.de", Audience: []string{"dev-app.facilioo.de"},
				Keys: setOf(keys...), Dialect: facilioo}))
			c, err := v.Verify(context.Background(), sample)
			if c != nil || !errors.Is(err, row.reason) {
				t.Errorf("%s: %v, want %v", row.file, err, row.reason)
			}
			if row.reason != claims.ErrExpired {
				if errors.Is(err, claims.ErrExpired) {
					t.Error("a foreign key's token is told that it is expired")
				}
				continue
			}
			c, err = v.VerifyAt(context.Background(), sample, time.Unix(1651760242, 0))
			if err != nil || c.Subject != `{"accountId":2,"companyId":2}` {
				t.Errorf("in its time: %+v, %v", c, err)
			}
		}
	}
}

func TestPEM(t *testing.T) {
	block := func(label string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
	}
	pkix := func(alg string) []byte { return must(x509.MarshalPKIXPublicKey(pairs()[alg].public)) }
	rsaPrivate := pairs()["RS256"].private.(*rsa.PrivateKey)
	cert := func(until time.Time) string {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: until}
		return block("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, &rsaPrivate.PublicKey, rsaPrivate)))
	}
	certFor := func(usage x509.KeyUsage, life time.Duration) string {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(life), KeyUsage: usage, IsCA: usage&x509.KeyUsageCertSign != 0, BasicConstraintsValid: true}
		return block("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, &rsaPrivate.PublicKey, rsaPrivate)))
	}
	pkcs1 := block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaPrivate.PublicKey))
	good := block("PUBLIC KEY", pkix("ES256"))
	lines := strings.Split(strings.TrimSpace(good), "\n")
	small := must(rsa.GenerateKey(rand.Reader, 1024))

	// Each file's keys verify under the algorithms named.
	for name, row := range map[string]struct {
		text, alg string
		want      []string
	}{
		"PKCS#1":            {pkcs1, "", []string{"RS256"}},
		"PKIX RSA":          {block("PUBLIC KEY", pkix("RS256")), "", []string{"RS256"}},
		"PKIX RSA as PS512": {block("PUBLIC KEY", pkix("RS256")), "PS512", []string{"PS512"}},
		"PKIX EC":           {good + block("PUBLIC KEY", pkix("ES384")) + block("PUBLIC KEY", pkix("ES512")), "", []string{"ES256", "ES384", "ES512"}},
		"PKIX Ed25519":      {block("PUBLIC KEY", pkix("EdDSA")), "", []string{"EdDSA"}},
		"KY-20 certificate": {cert(time.Now().Add(time.Hour)), "", []string{"RS256"}},
		"KY-20 two blocks":  {pkcs1 + good, "", []string{"RS256", "ES256"}},
		"text around":       {"Keys:\n" + pkcs1 + "and\n" + good + "that's all", "", []string{"RS256", "ES256"}},
		"CRLF":              {strings.ReplaceAll(good, "\n", "\r\n"), "", []string{"ES256"}},
		"no last line end":  {strings.TrimSpace(good), "", []string{"ES256"}},
		"one line":          {strings.ReplaceAll(good, "\n", ""), "", []string{"ES256"}},
		"glued":             {strings.TrimSpace(good) + pkcs1, "", []string{"ES256", "RS256"}},
		"a dash missing":    {strings.TrimSpace(good)[:len(strings.TrimSpace(good))-1], "", []string{"ES256"}},
		"missing and glued": {strings.TrimSpace(good)[:len(strings.TrimSpace(good))-1] + pkcs1, "", []string{"ES256", "RS256"}},
		// Perl's CryptX writes this label (wild: "PEM forms").
		"PKIX labelled PKCS#1": {block("RSA PUBLIC KEY", pkix("RS256")), "", []string{"RS256"}},
		// An environment variable that holds a bundle, as many deployments have it.
		"line ends as two characters":  {strings.ReplaceAll(pkcs1+good, "\n", `\n`), "", []string{"RS256", "ES256"}},
		"line ends as four characters": {strings.ReplaceAll(pkcs1, "\n", `\r\n`), "", []string{"RS256"}},
		// A chain file: the leaf, then its CA, which signs certificates alone (RFC 5280
		// §4.2.1.3), also one that has expired.
		"leaf and CA":            {certFor(x509.KeyUsageDigitalSignature, time.Hour) + certFor(x509.KeyUsageCertSign|x509.KeyUsageCRLSign, time.Hour), "", []string{"RS256"}},
		"leaf and an expired CA": {certFor(0, time.Hour) + certFor(x509.KeyUsageCertSign, -time.Hour), "", []string{"RS256"}},
		"a CA that signs data":   {certFor(x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature, time.Hour), "", []string{"RS256"}},
		"blanks":                 {strings.ReplaceAll(good, "\n", " \t\n"), "", []string{"ES256"}},
	} {
		keys, err := claims.ParsePEM([]byte(row.text), row.alg)
		if err != nil || len(keys) != len(row.want) {
			t.Errorf("%s: %v, %v", name, keys, err)
			continue
		}
		for i, k := range keys {
			if k.Algorithm() != row.want[i] || k.ID() != "" {
				t.Errorf("%s: key %d is %v", name, i, k)
			}
			accepted(t, verifierOf(k), tokenOf(row.want[i], goodPayload))
		}
	}

	after := "\n\n" + pkcs1 // the bad block begins in a later line
	first := 3 + strings.Count(pkcs1, "\n")
	for name, row := range map[string]struct {
		text string
		line int // 0: no line
		also error
	}{
		"nothing":                   {"", 0, nil},
		"no block":                  {"hello\n", 0, nil},
		"KY-20 10 MiB":              {strings.Repeat(good, 10<<20/len(good)), 0, nil},
		"KY-20 PKCS#8 private":      {after + block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(rsaPrivate))), first, nil},
		"KY-20 PKCS#1 private":      {after + block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaPrivate)), first, nil},
		"KY-20 EC private":          {after + block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(pairs()["ES256"].private.(*ecdsa.PrivateKey)))), first, nil},
		"KY-20 encrypted":           {after + block("ENCRYPTED PRIVATE KEY", []byte{1}), first, nil},
		"KY-20 expired certificate": {after + cert(time.Now().Add(-time.Hour)), first, nil},
		"KY-20 trailing DER":        {after + block("PUBLIC KEY", append(pkix("ES256"), 0)), first, nil},
		"KY-16 RSA 1024":            {after + block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&small.PublicKey)), first, claims.ErrKeyMaterial},
		"another label":             {after + block("CERTIFICATE REQUEST", []byte{1}), first, nil},
		"wrong label":               {after + block("PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaPrivate.PublicKey)), first, nil},
		"an EC key labelled RSA":    {after + block("RSA PUBLIC KEY", pkix("ES256")), first, nil},
		"EC parameters":             {after + block("EC PARAMETERS", []byte{1}), first, nil},
		"only a CA":                 {certFor(x509.KeyUsageCertSign, time.Hour), 0, nil},
		"X25519":                    {after + block("PUBLIC KEY", append([]byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00}, make([]byte, 32)...)), first, claims.ErrKeyMaterial},
		"no END":                    {after + strings.Join(lines[:len(lines)-1], "\n"), first, nil},
		"BEGIN again":               {after + strings.Join(lines[:len(lines)-1], "\n") + "\n" + good, first, nil},
		"END alone":                 {after + lines[len(lines)-1], first, nil},
		"another END":               {after + strings.Replace(good, "END PUBLIC", "END PRIVATE", 1), first + len(lines) - 1, nil},
		"END of three dashes":       {after + strings.TrimSpace(good)[:len(strings.TrimSpace(good))-2], first + len(lines) - 1, nil},
		"shared dashes":             {after + strings.TrimSpace(good) + good[5:], first + len(lines) - 1, nil},
		"too few shared dashes":     {after + strings.TrimSpace(good) + "---" + good[5:], first + len(lines) - 1, nil},
		"BEGIN of four dashes":      {after + strings.Replace(good, "KEY-----\n", "KEY----\n", 1), first, nil},
		"BEGIN and nothing":         {after + "-----BEGIN X----", first, nil},
		"BEGIN without a label":     {after + "-----BEGIN -----\n", first, nil},
		"BEGIN over two lines":      {after + "-----BEGIN PUBLIC\nKEY-----\n", first, nil},
		"not base64":                {after + lines[0] + "\n!!\n" + lines[len(lines)-1], first, nil},
		"no content":                {after + lines[0] + "\n" + lines[len(lines)-1], first, nil},
		"unpadded":                  {after + lines[0] + "\nAAA\n" + lines[len(lines)-1], first, nil},
		"stray bits":                {after + lines[0] + "\nAAF=\n" + lines[len(lines)-1], first, nil},
		"headers":                   {after + lines[0] + "\nProc-Type: 4,ENCRYPTED\n\n" + strings.Join(lines[1:], "\n"), first, nil},
	} {
		keys, err := claims.ParsePEM([]byte(row.text), "")
		if keys != nil || !errors.Is(err, claims.ErrPEM) || row.also != nil && !errors.Is(err, row.also) {
			t.Errorf("%s: %v, %v", name, keys, err)
			continue
		}
		if row.line > 0 && !strings.Contains(err.Error(), fmt.Sprintf("line %d: ", row.line)) {
			t.Errorf("%s: not in line %d: %v", name, row.line, err)
		}
		if len(err.Error()) > 300 || strings.Contains(err.Error(), "MII") {
			t.Errorf("%s: the error shows what was read: %v", name, err)
		}
	}
	// An algorithm that does not fit the key is an error too.
	if _, err := claims.ParsePEM([]byte(good), "RS256"); !errors.Is(err, claims.ErrPEM) || !errors.Is(err, claims.ErrKeyMaterial) {
		t.Errorf("EC as RS256: %v", err)
	}
}
