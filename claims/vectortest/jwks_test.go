package vectortest_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// set is a test group as package jwks gets it: the set as its text, and tokens
// that may be anything.
type set struct {
	TestGroups []struct {
		Public, Private json.RawMessage
		Tests           []struct {
			TcID    int
			Comment string
			Jws     json.RawMessage
			Result  string
		}
	}
}

// offered counts the keys that a document offers to a token, -1 if the document
// is refused. Files answer by other keys than those of the kid only if these
// have none; all keys here have one.
func offered(t *testing.T, doc, jws json.RawMessage) int {
	t.Helper()
	path := filepath.Join(t.TempDir(), "set.json")
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{path}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return -1
	}
	keys, err := files.Keys(t.Context(), header(t, jws))
	if err != nil {
		t.Fatal(err)
	}
	return len(keys)
}

// header is what the protected header of a vector says.
func header(t *testing.T, jws json.RawMessage) claims.Header {
	t.Helper()
	var token string
	err := json.Unmarshal(jws, &token)
	first, _, _ := strings.Cut(token, ".")
	text, err2 := base64.RawURLEncoding.DecodeString(first)
	var h struct{ Alg, Kid string }
	if err := errors.Join(err, err2, json.Unmarshal(text, &h)); err != nil {
		t.Fatal(err)
	}
	return claims.Header{Algorithm: h.Alg, KeyID: h.Kid}
}

// secrets are vectors that are valid by an HMAC secret. A JWK Set document
// brings none (claims.NewKey takes them); so these find no key.
var secrets = map[int]bool{2: true, 13: true, 14: true, 15: true}

// roca is a vector whose key a broken generator made, which nothing here
// detects: out of scope, as the documentation says.
const roca = 7

// TestWycheproofSets reads every set with package jwks. Every vector that is invalid by its key finds no key; the one that is valid
// by a public key finds exactly that.
func TestWycheproofSets(t *testing.T) {
	seen := 0
	for _, g := range load[set](t, "json_web_key_test.json").TestGroups {
		doc := g.Public
		if doc == nil {
			doc = g.Private
		}
		for _, v := range g.Tests {
			n := offered(t, doc, v.Jws)
			want := v.Result == "valid" && !secrets[v.TcID] || v.TcID == roca
			if want != (n == 1) || n > 1 {
				t.Errorf("%d %s: %s, but %d keys are offered", v.TcID, v.Comment, v.Result, n)
			}
			seen++
		}
	}
	if seen != 26 {
		t.Errorf("%d vectors, want 26", seen)
	}
}
