package vectortest_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/internal/jwstest"
)

// suite is a file of vectors with keys that we parse here.
type suite struct {
	TestGroups []struct {
		Comment         string
		Public, Private jwstest.JWK
		Tests           []struct {
			TcID    int
			Comment string
			Jws     string
			Result  string
			Flags   []string
		}
	}
}

func load[S any](t *testing.T, name string) (s S) {
	t.Helper()
	b, err := fs.ReadFile(wycheproof.TestVectors, name)
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// faulty are labels that contradict their own vectors.
var faulty = map[int]string{
	346: `called valid, but the JWK says alg PS256 and the token PS384: a key has one algorithm`,
	350: `called valid, but the JWK says alg PS256 and the token PS384: a key has one algorithm`,
	347: `called valid, but the JWK says alg "ES521", which is none`,
	351: `called valid, but the JWK says alg "ES521", which is none`,
	372: `called valid, but a segment has a "?", which is not base64url`,
	373: `called valid, but a segment has a "?", which is not base64url`,
	367: `called invalid, but is byte for byte the valid 357`,
	370: `called invalid, but is byte for byte the valid 357`,
}

// TestWycheproofJWS is JW-45, and with it JW-37 (281 to 286) and JW-38 (the
// rs256 group of modified paddings).
func TestWycheproofJWS(t *testing.T) {
	right, disputed := 0, 0
	for _, g := range load[suite](t, "json_web_signature_test.json").TestGroups {
		key := g.Public
		if key.Kty == "" {
			key = g.Private
		}
		for _, v := range g.Tests {
			err := jwstest.Verify(v.Jws, key)
			if faulty[v.TcID] != "" {
				disputed++
				if v.Result == "valid" && err == nil || v.Result == "invalid" && err != nil {
					t.Errorf("%d: agrees with its label now: %s", v.TcID, faulty[v.TcID])
				}
				continue
			}
			if (err == nil) != (v.Result == "valid") {
				t.Errorf("%d %s, %s: %s, but: %v", v.TcID, g.Comment, v.Comment, v.Result, err)
				continue
			}
			right++
		}
	}
	if right != 393 || disputed != 8 {
		t.Errorf("%d of 393 are right, %d are disputed", right, disputed)
	}
}

// notAboutSignatures are vectors of key sets whose fault is not in the one key
// that the token names.
var notAboutSignatures = map[int]string{
	1: "a set of secrets and public keys at once: whoever reads a JWK Set decides that, not the JWS layer",
	4: "two keys of one kid: NewKeySet refuses the set, shown below",
	7: "a key of a broken generator (ROCA): out of scope, as the documentation of package claims says",
}

// TestWycheproofJWK picks the key that the token names, as a key set does.
func TestWycheproofJWK(t *testing.T) {
	right := 0
	for _, g := range load[suite](t, "json_web_key_test.json").TestGroups {
		set := g.Public.Keys
		if len(set) == 0 {
			set = g.Private.Keys
		}
		for _, v := range g.Tests {
			err := errors.New("no key has that kid")
			for _, key := range set {
				if err = jwstest.Verify(v.Jws, key); err == nil {
					break
				}
			}
			if notAboutSignatures[v.TcID] != "" {
				continue
			}
			if (err == nil) != (v.Result == "valid") {
				t.Errorf("%d %s, %s: %s, but: %v", v.TcID, g.Comment, v.Comment, v.Result, err)
				continue
			}
			right++
		}
		if g.Tests[0].TcID == 4 {
			if _, err := keySet(t, set); err == nil {
				t.Error("4: a set with two keys of one kid was accepted")
			}
		}
	}
	if right != 23 {
		t.Errorf("%d of 23 are right", right)
	}
}

func keySet(t *testing.T, set []jwstest.JWK) (claims.KeySet, error) {
	var keys []*claims.Key
	for _, key := range set {
		material, err := key.Material()
		if err != nil {
			t.Fatal(err)
		}
		k, err := claims.NewKey(key.Alg, key.Kid, material)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	return claims.NewKeySet(keys...)
}
