package vectortest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims"
)

// vectors returns the folder of vectors that can't be had as a Go module.
func vectors(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("GATEHOUSE_VECTORS")
	if dir == "" {
		t.Skip("set GATEHOUSE_VECTORS to the folder that has rfc7515, rfc7520-cookbook, rfc8037, rfc9449 and tink to run this test")
	}
	return dir
}

func readJSON(t *testing.T, into any, path ...string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRFC takes every serialisation that RFC 7515, 7520, 7797, 8037 and 9449
// print, and what a bearer verifier must say of it.
func TestRFC(t *testing.T) {
	dir := vectors(t)
	count := 0
	check := func(name, token string, key jwk, valid bool) {
		t.Helper()
		count++
		if err := verify(token, key); (err == nil) != valid {
			t.Errorf("%s: valid is %v, but: %v", name, valid, err)
		}
	}
	for _, file := range []string{"rfc7515/rfc7515.json", "rfc8037/rfc8037.json", "rfc9449/rfc9449.json"} {
		var doc struct {
			Vectors []struct {
				ID, JWS, Result string
				Key             jwk
				Header          struct{ Alg string }
				Embedded        bool `json:"embedded_jwk"`
			}
		}
		readJSON(t, &doc, dir, file)
		for _, v := range doc.Vectors {
			if !v.Embedded {
				check(v.ID, v.JWS, v.Key, v.Result == "valid")
				continue
			}
			// A DPoP proof carries its key. Under that, trusted for another
			// reason, the signature holds; as a bearer token it is offered to
			// keys of our own, and what it carries is not looked at.
			check(v.ID+" under its own key", v.JWS, v.Key, true)
			check(v.ID+" under ours", v.JWS, jwk{Kty: "oct", Alg: "HS256", K: "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}, false)
		}
	}
	// RFC 7520: the compact form of 4.1 to 4.4 and of RFC 8037 is a token. What
	// is detached, serialised as JSON, not base64url or encrypted is none.
	valid := map[string]bool{
		"jws/4_1.rsa_v15_signature.json": true, "jws/4_2.rsa-pss_signature.json": true, "jws/4_3.ecdsa_signature.json": true,
		"jws/4_4.hmac-sha2_integrity_protection.json": true, "curve25519/jws.json": true,
	}
	for _, pattern := range []string{"jws/*.json", "curve25519/*.json", "rfc7797/*.json"} {
		files, err := filepath.Glob(filepath.Join(dir, "rfc7520-cookbook", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			var doc struct {
				Input  struct{ Key json.RawMessage }
				Output map[string]json.RawMessage
			}
			readJSON(t, &doc, file)
			var keys []jwk // one, or in 4.8 several
			if json.Unmarshal(doc.Input.Key, &keys) != nil {
				keys = make([]jwk, 1)
				if err := json.Unmarshal(doc.Input.Key, &keys[0]); err != nil {
					t.Fatal(err)
				}
			}
			name, _ := filepath.Rel(filepath.Join(dir, "rfc7520-cookbook"), file)
			for form, raw := range doc.Output {
				token := string(raw)
				_ = json.Unmarshal(raw, &token)
				for _, key := range keys {
					check(name+" "+form, token, key, form == "compact" && valid[filepath.ToSlash(name)])
				}
			}
		}
	}
	var nested struct {
		Sign struct {
			Input  struct{ Key jwk }
			Output map[string]json.RawMessage
		}
		Encrypt struct {
			Output map[string]json.RawMessage
		}
	}
	readJSON(t, &nested, dir, "rfc7520-cookbook/6.nesting_signatures_and_encryption.json")
	for form, raw := range nested.Sign.Output {
		token := string(raw)
		_ = json.Unmarshal(raw, &token)
		check("6 signed "+form, token, nested.Sign.Input.Key, form == "compact")
	}
	for form, raw := range nested.Encrypt.Output {
		token := string(raw)
		_ = json.Unmarshal(raw, &token)
		check("6 encrypted "+form, token, nested.Sign.Input.Key, false)
	}
	if count != 50 {
		t.Errorf("%d forms were found, not 50", count)
	}
}

// TestPublishedDocuments reads the keys out of whole documents, prose and all,
// where those lie next to the vectors.
func TestPublishedDocuments(t *testing.T) {
	for name, want := range map[string]int{"facilioo-authentication-older.txt": 1, "facilioo-authentication-newer.txt": 3} {
		text, err := os.ReadFile(filepath.Join(vectors(t), "..", "seeds", name))
		if err != nil {
			t.Skip("the documents lie in ../seeds, seen from GATEHOUSE_VECTORS: ", err)
		}
		keys, err := claims.ParsePEM(text, "RS256")
		if err != nil || len(keys) != want {
			t.Errorf("%s: %d keys, %v", name, len(keys), err)
		}
	}
}
