package claims_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf16"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/golang-jwt/jwt/v5"
)

// refused checks that no claims come out and the error has the wanted reason.
func refused(t *testing.T, v *claims.Verifier[map[string]any], token string, reason error) {
	t.Helper()
	c, err := verifyAt(v, token)
	if c != nil {
		t.Errorf("claims came out: %+v", c)
	}
	if !errors.Is(err, reason) || !errors.Is(err, claims.ErrInvalid) {
		t.Errorf("%.80q: got %v, want %v", token, err, reason)
	}
	if err != nil && (len(err.Error()) > 400 || strings.ContainsAny(err.Error(), "\r\n\x1b")) {
		t.Errorf("the error does not fit a log line: %q", err)
	}
}

func accepted(t *testing.T, v *claims.Verifier[map[string]any], token string) *claims.Claims[map[string]any] {
	t.Helper()
	c, err := verifyAt(v, token)
	if err != nil {
		t.Fatalf("%.80q: %v", token, err)
	}
	return c
}

// TestHeaderAttacks signs each header correctly with a key that the verifier
// has, so that nothing but the header can be the reason.
func TestHeaderAttacks(t *testing.T) {
	v := verifierOf(keyOf("HS256", ""), keyOf("HS256", "good"), keyOf("RS256", "k1"))
	many := make([]string, 100_000)
	for i := range many {
		many[i] = fmt.Sprintf(`"a%d":1`, i)
	}
	wide := func(s string) string {
		var b bytes.Buffer
		for _, u := range utf16.Encode([]rune(s)) {
			b.Write([]byte{byte(u), byte(u >> 8)})
		}
		return b.String()
	}
	const typ = `"typ":"at+jwt"`
	const alg = `"alg":"HS256"`
	for _, row := range []struct {
		id, header string
		reason     error // nil: accepted
	}{
		{"JW-01 none", `{"alg":"none",` + typ + `}`, claims.ErrAlgorithm},
		{"JW-02 None", `{"alg":"None",` + typ + `}`, claims.ErrAlgorithm},
		{"JW-02 NONE", `{"alg":"NONE",` + typ + `}`, claims.ErrAlgorithm},
		{"JW-02 nOnE", `{"alg":"nOnE",` + typ + `}`, claims.ErrAlgorithm},
		{"JW-02 blank", `{"alg":"none ",` + typ + `}`, claims.ErrAlgorithm},
		{"JW-02 NUL", `{"alg":"none\u0000",` + typ + `}`, claims.ErrAlgorithm},
		{"JW-03 missing", `{` + typ + `}`, claims.ErrAlgorithm},
		{"JW-03 null", `{"alg":null,` + typ + `}`, claims.ErrAlgorithm},
		{"JW-03 number", `{"alg":5,` + typ + `}`, claims.ErrAlgorithm},
		{"JW-03 array", `{"alg":["RS256"],` + typ + `}`, claims.ErrAlgorithm},
		{"JW-03 object", `{"alg":{"a":1},` + typ + `}`, claims.ErrAlgorithm},
		{"JW-03 empty", `{"alg":"",` + typ + `}`, claims.ErrAlgorithm},
		{"JW-07 lower case", `{"alg":"hs256",` + typ + `}`, claims.ErrAlgorithm},
		{"JW-07 blank", `{"alg":"HS256 ",` + typ + `}`, claims.ErrAlgorithm},
		{"JW-07 mixed", `{"alg":"hS256",` + typ + `}`, claims.ErrAlgorithm},
		{"JW-07 full width", `{"alg":"ＨＳ２５６",` + typ + `}`, claims.ErrAlgorithm},
		{"JW-19 kid too long", `{"kid":"` + strings.Repeat("k", 257) + `",` + alg + `,` + typ + `}`, claims.ErrKeyID},
		{"JW-19 kid of 64 KiB", `{"kid":"` + strings.Repeat("k", 1<<16) + `",` + alg + `,` + typ + `}`, claims.ErrTooLarge},
		{"JW-20 number", `{"kid":5,` + alg + `,` + typ + `}`, claims.ErrKeyID},
		{"JW-20 null", `{"kid":null,` + alg + `,` + typ + `}`, claims.ErrKeyID},
		{"JW-20 array", `{"kid":["good"],` + alg + `,` + typ + `}`, claims.ErrKeyID},
		{"JW-20 object", `{"kid":{},` + alg + `,` + typ + `}`, claims.ErrKeyID},
		{"JW-20 true", `{"kid":true,` + alg + `,` + typ + `}`, claims.ErrKeyID},
		{"JW-21 empty kid", `{"kid":"",` + alg + `,` + typ + `}`, claims.ErrKeyID},
		{"JW-22 crit", `{"crit":["x"],"x":1,` + alg + `,` + typ + `}`, claims.ErrHeader},
		{"JW-23 empty", `{"crit":[],` + alg + `,` + typ + `}`, claims.ErrHeader},
		{"JW-23 string", `{"crit":"exp",` + alg + `,` + typ + `}`, claims.ErrHeader},
		{"JW-23 number", `{"crit":[1],` + alg + `,` + typ + `}`, claims.ErrHeader},
		{"JW-23 alg", `{"crit":["alg"],` + alg + `,` + typ + `}`, claims.ErrHeader},
		{"JW-23 absent", `{"crit":["x"],` + alg + `,` + typ + `}`, claims.ErrHeader},
		{"JW-23 twice", `{"crit":["x","x"],"x":1,` + alg + `,` + typ + `}`, claims.ErrHeader},
		{"JW-23 null", `{"crit":null,` + alg + `,` + typ + `}`, claims.ErrHeader},
		{"JW-24 crit and b64", `{"crit":["b64"],"b64":false,` + alg + `,` + typ + `}`, claims.ErrHeader},
		{"JW-24 b64 false", `{"b64":false,` + alg + `,` + typ + `}`, claims.ErrHeader},
		{"JW-24 b64 true", `{"b64":true,` + alg + `,` + typ + `}`, claims.ErrHeader},
		{"JW-25 alg twice", `{"alg":"none",` + alg + `,` + typ + `}`, claims.ErrDuplicate},
		{"JW-25 alg twice, good", `{` + alg + `,` + alg + `,` + typ + `}`, claims.ErrDuplicate},
		{"JW-25 escaped", `{` + alg + `,"\u0061lg":"HS256",` + typ + `}`, claims.ErrDuplicate},
		{"JW-25 kid twice", `{"kid":"a","kid":"good",` + alg + `,` + typ + `}`, claims.ErrDuplicate},
		{"JW-25 deep", `{"x":{"a":1,"a":2},` + alg + `,` + typ + `}`, claims.ErrDuplicate},
		{"JW-27 ALG", `{"ALG":"none",` + alg + `,` + typ + `}`, nil},
		{"JW-27 Kid", `{"Kid":"evil","kid":"good",` + alg + `,` + typ + `}`, nil},
		{"JW-27 Crit", `{"Crit":["x"],` + alg + `,` + typ + `}`, nil},
		{"JW-27 only ALG", `{"ALG":"HS256",` + typ + `}`, claims.ErrAlgorithm},
		{"JW-27 only Typ", `{"Typ":"at+jwt",` + alg + `}`, claims.ErrType},
		{"JW-34 PBES2", `{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647}`, claims.ErrAlgorithm},
		{"JW-34 enc", `{` + alg + `,` + typ + `,"enc":"A128GCM","p2c":2147483647}`, claims.ErrHeader},
		{"JW-35 zip", `{"zip":"DEF",` + alg + `,` + typ + `}`, claims.ErrHeader},
		{"JW-36 cty", `{"cty":"JWT",` + alg + `,` + typ + `}`, claims.ErrHeader},
		{"JW-41 nested", `{"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `,` + alg + `,` + typ + `}`, claims.ErrSyntax},
		{"JW-41 1 MiB", `{"x":"` + strings.Repeat("a", 1<<20) + `",` + alg + `,` + typ + `}`, claims.ErrTooLarge},
		{"JW-41 100,000 members", `{` + strings.Join(many, ",") + `,` + alg + `,` + typ + `}`, claims.ErrTooLarge},
		{"JW-42 UTF-16", wide(`{` + alg + `,` + typ + `}`), claims.ErrSyntax},
		{"JW-42 BOM", "\ufeff{" + alg + "," + typ + "}", claims.ErrSyntax},
		{"JW-42 invalid UTF-8", `{"x":"` + "\xff" + `",` + alg + `,` + typ + `}`, claims.ErrSyntax},
		{"JW-42 lone surrogate", `{"x":"\ud834",` + alg + `,` + typ + `}`, claims.ErrSyntax},
		{"JW-42 surrogates reversed", `{"x":"\udd1e\ud834",` + alg + `,` + typ + `}`, claims.ErrSyntax},
		{"JW-43 absent", `{` + alg + `}`, claims.ErrType},
		{"JW-43 JWT", `{` + alg + `,"typ":"JWT"}`, claims.ErrType},
		{"JW-43 empty", `{` + alg + `,"typ":""}`, claims.ErrType},
		{"JW-43 application", `{` + alg + `,"typ":"application/at+jwt"}`, nil},
		{"JW-43 Application", `{` + alg + `,"typ":"Application/AT+JWT"}`, nil},
		{"JW-43 AT+JWT", `{` + alg + `,"typ":"AT+JWT"}`, nil},
		{"JW-43 application twice", `{` + alg + `,"typ":"application/application/at+jwt"}`, claims.ErrType},
		{"JW-43 parameters", `{` + alg + `,"typ":"at+jwt;x=y"}`, claims.ErrType},
		{"JW-43 other folding", `{` + alg + `,"typ":"at+j\u017fwt"}`, claims.ErrType},
		{"JW-44 dpop", `{` + alg + `,"typ":"dpop+jwt"}`, claims.ErrType},
		{"JW-44 secevent", `{` + alg + `,"typ":"secevent+jwt"}`, claims.ErrType},
		{"JW-44 logout", `{` + alg + `,"typ":"logout+jwt"}`, claims.ErrType},
		{"JW-44 number", `{` + alg + `,"typ":123}`, claims.ErrType},
		{"JW-44 array", `{` + alg + `,"typ":["JWT"]}`, claims.ErrType},
		{"header null", `null`, claims.ErrSyntax},
		{"header array", `[]`, claims.ErrSyntax},
		{"header twice", `{` + alg + `,` + typ + `}{}`, claims.ErrSyntax},
	} {
		t.Run(row.id, func(t *testing.T) {
			s := token("HS256", pairs()["HS256"].private, row.header, goodPayload)
			if row.reason == nil {
				accepted(t, v, s)
				return
			}
			refused(t, v, s, row.reason)
		})
	}
}

// TestNoKeyIsTouchedBeforeTheTokenIsRead counts the questions to the key set.
func TestNoKeyIsTouchedBeforeTheTokenIsRead(t *testing.T) {
	keys := &countingKeys{keys: []*claims.Key{keyOf("HS256", "")}}
	v := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: keys}))
	good := tokenOf("HS256", goodPayload)
	for _, row := range []struct {
		token  string
		reason error
	}{
		{strings.Repeat("a", 1<<20), claims.ErrTooLarge},
		{"a.b", claims.ErrSegments},
		{good + "=", claims.ErrBase64},
		{tokenOf("HS256", `null`), claims.ErrSyntax},
		{token("HS256", pairs()["HS256"].private, `{"alg":"HS256","crit":["x"]}`, goodPayload), claims.ErrHeader},
		{token("HS256", pairs()["HS256"].private, `{"alg":"HS256"}`, goodPayload), claims.ErrType},
		{tokenOf("HS256", `{"iss":"iss2","sub":"alice","aud":"api","exp":1700000100}`), claims.ErrIssuer},
		{tokenOf("HS256", `{"iss":"iss1","sub":"alice","aud":"other","exp":1700000100}`), claims.ErrAudience},
		{tokenOf("HS256", `{"iss":"iss1","sub":"alice","aud":"api","exp":1e30}`), claims.ErrDate},
	} {
		refused(t, v, row.token, row.reason)
	}
	if len(keys.asked) != 0 {
		t.Errorf("the key set was asked %d times", len(keys.asked))
	}
	accepted(t, v, good)
	if len(keys.asked) != 1 {
		t.Errorf("the key set was asked %d times for the good token", len(keys.asked))
	}
}

func TestSegmentAttacks(t *testing.T) {
	v := verifierOf(keyOf("HS256", ""), keyOf("HS384", ""), keyOf("RS256", ""))
	good := tokenOf("HS256", goodPayload)
	part := strings.Split(good, ".")
	h, p, s := part[0], part[1], part[2]
	// A signature of 4n characters, where the length of what is decoded is the
	// same with a line break.
	full := tokenOf("HS384", goodPayload)
	accepted(t, v, good)
	accepted(t, v, full)
	const plain = `{"alg":"none"}`
	flat := fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, p, h, s)
	general := fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, p, h, s)
	// A character whose two or four stray bits are set.
	stray := func(segment string) string {
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		i := strings.IndexByte(alphabet, segment[len(segment)-1])
		return segment[:len(segment)-1] + alphabet[i|1:i|1+1]
	}
	// 32 bytes leave two stray bits, and so does a header made to.
	head := `{"alg":"HS256","typ":"at+jwt"}   `
	for len(head)%3 == 0 {
		head += " "
	}
	body := goodPayload
	for len(body)%3 == 0 {
		body += " "
	}
	resigned := func(h, p string) string {
		return h + "." + p + "." + b64(must(jwt.SigningMethodHS256.Sign(h+"."+p, pairs()["HS256"].private)))
	}
	for _, row := range []struct {
		id, token string
		reason    error
	}{
		{"JW-01 no signature", b64(plain) + "." + p + ".", claims.ErrSegments},
		{"JW-01 RFC 7515 A.5", "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.", claims.ErrSegments},
		{"JW-28 LF at the end", good + "\n", claims.ErrBase64},
		{"JW-28 CR at the end", good + "\r", claims.ErrBase64},
		{"JW-28 LF after 4n", full + "\n", claims.ErrBase64},
		{"JW-28 CR LF after 4n", full + "\r\n", claims.ErrBase64},
		{"JW-28 four LF", full + "\n\n\n\n", claims.ErrBase64},
		{"JW-28 LF inside", h + "." + p + "." + s[:10] + "\n" + s[10:], claims.ErrBase64},
		{"JW-28 LF in the payload", resigned(h, p[:8]+"\n"+p[8:]), claims.ErrBase64},
		{"JW-28 LF in the header", resigned(h+"\n", p), claims.ErrBase64},
		{"JW-29 padded signature", good + "=", claims.ErrBase64},
		{"JW-29 padded payload", resigned(h, b64(body)+"="), claims.ErrBase64},
		{"JW-29 padded header", resigned(b64(head)+"=", p), claims.ErrBase64},
		{"JW-29 stray bits in the signature", h + "." + p + "." + stray(s), claims.ErrBase64},
		{"JW-29 stray bits in the payload", resigned(h, stray(b64(body))), claims.ErrBase64},
		{"JW-29 stray bits in the header", resigned(stray(b64(head)), p), claims.ErrBase64},
		{"JW-29 standard alphabet", h + "." + p + "." + "+/" + s[2:], claims.ErrBase64},
		{"JW-29 blank", h + "." + p + ". " + s, claims.ErrBase64},
		{"JW-29 NUL", good + "\x00", claims.ErrBase64},
		{"JW-30 nothing", "", claims.ErrSegments},
		{"JW-30 one", h, claims.ErrSegments},
		{"JW-30 two", h + "." + p, claims.ErrSegments},
		{"JW-30 four", good + "." + s, claims.ErrSegments},
		{"JW-30 five", good + ".a.b", claims.ErrSegments},
		{"JW-30 leading dot", "." + good, claims.ErrSegments},
		{"JW-30 trailing dot", good + ".", claims.ErrSegments},
		{"JW-30 empty header", "." + p + "." + s, claims.ErrSegments},
		{"JW-30 empty payload", h + ".." + s, claims.ErrSyntax},
		{"JW-30 empty payload, signed", resigned(h, ""), claims.ErrSyntax},
		{"JW-30 empty signature", h + "." + p + ".", claims.ErrSegments},
		{"JW-30 dots", "..", claims.ErrSegments},
		{"JW-30 one dot", ".", claims.ErrSegments},
		{"JW-31 flattened", flat, claims.ErrSegments},
		{"JW-31 general", general, claims.ErrSegments},
		{"JW-31 in base64", b64(flat) + "." + p + "." + s, claims.ErrAlgorithm},
		{"JW-35 JWE", h + "." + p + "." + s + "." + s + "." + s, claims.ErrSegments},
		{"JW-36 nested", tokenOf("HS256", good), claims.ErrSyntax},
		{"JW-36 nested in a string", tokenOf("HS256", `"`+good+`"`), claims.ErrSyntax},
		{"JW-40 signature cut", h + "." + p + "." + b64(unb64(s)[:31]), claims.ErrSignature},
		{"JW-40 signature longer", h + "." + p + "." + b64(append(unb64(s), 0)), claims.ErrSignature},
		{"JW-40 MAC of 16 bytes", h + "." + p + "." + b64(unb64(s)[:16]), claims.ErrSignature},
	} {
		t.Run(row.id, func(t *testing.T) { refused(t, v, row.token, row.reason) })
	}
}

func TestSignatureAttacks(t *testing.T) {
	rsaPair := pairs()["RS256"]
	rsaPrivate := rsaPair.private.(*rsa.PrivateKey)
	header := func(alg string) string { return `{"alg":"` + alg + `","typ":"at+jwt"}` }
	named := func(alg, kid string) string { return `{"alg":"` + alg + `","kid":"` + kid + `","typ":"at+jwt"}` }

	t.Run("JW-04", func(t *testing.T) {
		v := verifierOf(keyOf("RS256", ""), keyOf("RS256", "k1"))
		der := must(x509.MarshalPKIXPublicKey(rsaPair.public))
		spki := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		pkcs1 := x509.MarshalPKCS1PublicKey(&rsaPrivate.PublicKey)
		n := rsaPrivate.N.Bytes()
		for i, secret := range [][]byte{
			spki, bytes.TrimSpace(spki), bytes.ReplaceAll(spki, []byte("\n"), []byte("\r\n")),
			pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}), der,
			[]byte(`{"kty":"RSA","n":"` + b64(n) + `","e":"AQAB"}`), n,
		} {
			for _, h := range []string{header("HS256"), named("HS256", "k1")} {
				if refused(t, v, token("HS256", secret, h, goodPayload), claims.ErrUnknownKey); t.Failed() {
					t.Fatalf("secret %d", i)
				}
			}
		}
	})
	t.Run("JW-06", func(t *testing.T) {
		v := verifierOf(keyOf("HS256", ""))
		for _, secret := range []string{"", "\x00", "null", "undefined", "secret"} {
			refused(t, v, token("HS256", []byte(secret), header("HS256"), goodPayload), claims.ErrSignature)
		}
	})
	t.Run("JW-08", func(t *testing.T) {
		v := verifierOf(keyOf("RS256", "k1"))
		for _, alg := range []string{"PS256", "RS512", "RS384", "PS512"} {
			refused(t, v, token(alg, rsaPrivate, named(alg, "k1"), goodPayload), claims.ErrUnknownKey)
		}
		// The same key object under the other algorithm's header is no help either.
		refused(t, v, token("PS256", rsaPrivate, named("RS256", "k1"), goodPayload), claims.ErrSignature)
	})
	t.Run("JW-09", func(t *testing.T) {
		for _, row := range []struct{ alg, of string }{{"ES384", "ES256"}, {"ES512", "ES256"}, {"ES512", "ES384"}, {"ES256", "ES384"}} {
			if _, err := claims.NewKey(row.alg, "", pairs()[row.of].public); !errors.Is(err, claims.ErrKeyMaterial) {
				t.Errorf("a key for %s as %s: %v", row.of, row.alg, err)
			}
			v := verifierOf(keyOf(row.of, "k"))
			s := ecdsaToken(row.alg, pairs()[row.of].private.(*ecdsa.PrivateKey))
			refused(t, v, s, claims.ErrUnknownKey)
		}
	})
	t.Run("JW-10", func(t *testing.T) {
		input := b64(header("ES256")) + "." + b64(goodPayload)
		hash := sha256.Sum256([]byte(input))
		der := must(ecdsa.SignASN1(rand.Reader, pairs()["ES256"].private.(*ecdsa.PrivateKey), hash[:]))
		refused(t, verifierOf(keyOf("ES256", "")), input+"."+b64(der), claims.ErrSignature)
	})
	t.Run("JW-11", func(t *testing.T) {
		v := verifierOf(keyOf("ES256", ""))
		good := strings.Split(tokenOf("ES256", goodPayload), ".")
		raw := unb64(good[2])
		n, p := elliptic.P256().Params().N, elliptic.P256().Params().P
		zero, r, s := new(big.Int), new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])
		for _, pair := range [][2]*big.Int{{zero, zero}, {zero, s}, {r, zero}, {n, s}, {r, n}, {p, p}, {n, n}} {
			sig := make([]byte, 64)
			pair[0].FillBytes(sig[:32])
			pair[1].FillBytes(sig[32:])
			refused(t, v, good[0]+"."+good[1]+"."+b64(sig), claims.ErrSignature)
		}
	})
	t.Run("JW-13", func(t *testing.T) {
		v := verifierOf(keyOf("EdDSA", ""))
		good := strings.Split(tokenOf("EdDSA", goodPayload), ".")
		sig := unb64(good[2])
		// S + L, the order of the base point, little endian.
		l, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
		s := slices.Clone(sig[32:])
		slices.Reverse(s)
		sum := new(big.Int).Add(new(big.Int).SetBytes(s), l).FillBytes(make([]byte, 32))
		slices.Reverse(sum)
		refused(t, v, good[0]+"."+good[1]+"."+b64(slices.Concat(sig[:32], sum)), claims.ErrSignature)
		// R = p + 1, which is the identity written otherwise.
		r := bytes.Repeat([]byte{0xff}, 32)
		r[0], r[31] = 0xee, 0x7f
		refused(t, v, good[0]+"."+good[1]+"."+b64(slices.Concat(r, sig[32:])), claims.ErrSignature)
		// Under the identity as a key the signature (identity, 0) holds for all.
		identity := make(ed25519.PublicKey, 32)
		identity[0] = 1
		if !ed25519.Verify(identity, []byte("anything"), slices.Concat(identity, make([]byte, 32))) {
			t.Error("a point of small order no longer verifies: the check for it can go")
		}
		for _, flip := range []byte{0, 0x80} {
			identity[31] ^= flip
			if _, err := claims.NewKey("EdDSA", "", identity); !errors.Is(err, claims.ErrKeyMaterial) {
				t.Errorf("small order: %v", err)
			}
		}
	})
	t.Run("JW-14", func(t *testing.T) {
		v := verifierOf(keyOf("ES256", "k1"))
		attacker := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		point := must(attacker.PublicKey.Bytes())
		jwk := `{"kty":"EC","crv":"P-256","x":"` + b64(point[1:33]) + `","y":"` + b64(point[33:]) + `"}`
		for _, kid := range []string{`"kid":"k1",`, ``} {
			refused(t, v, token("ES256", attacker, `{"alg":"ES256",`+kid+`"typ":"at+jwt","jwk":`+jwk+`}`, goodPayload), claims.ErrSignature)
		}
	})
	t.Run("JW-15, JW-16", func(t *testing.T) {
		var calls atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
		defer server.Close()
		attacker := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		template := &x509.Certificate{SerialNumber: big.NewInt(1)}
		chain := must(x509.CreateCertificate(rand.Reader, template, template, &attacker.PublicKey, attacker))
		v := verifierOf(keyOf("ES256", "k1"), keyOf("ES256", ""))
		for _, offer := range []string{`"jku":"` + server.URL + `"`, `"x5u":"` + server.URL + `"`, `"x5c":["` + b64(chain) + `"]`} {
			refused(t, v, token("ES256", attacker, `{"alg":"ES256","kid":"k1","typ":"at+jwt",`+offer+`}`, goodPayload), claims.ErrSignature)
		}
		if calls.Load() != 0 {
			t.Errorf("%d calls were made for a stranger", calls.Load())
		}
	})
	t.Run("JW-17, JW-18, JW-19 kid", func(t *testing.T) {
		keys := &countingKeys{keys: []*claims.Key{keyOf("HS256", "k1")}}
		v := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: keys}))
		for _, kid := range []string{
			"../../../../dev/null", "/etc/passwd", "file:///dev/null", "x' UNION SELECT 'AAAA';--", "|sleep 5",
			"${jndi:ldap://x}", "*)(uid=*", "a\r\nlevel=info msg=\"in\"", "\x1b[31m",
		} {
			h := string(must(json.Marshal(map[string]string{"alg": "HS256", "typ": "at+jwt", "kid": kid})))
			keys.asked = nil
			refused(t, v, token("HS256", []byte{}, h, goodPayload), claims.ErrUnknownKey)
			if want := (claims.Header{Algorithm: "HS256", KeyID: kid}); len(keys.asked) != 1 || keys.asked[0] != want {
				t.Errorf("the key set was asked for %+v", keys.asked)
			}
		}
	})
	t.Run("JW-21", func(t *testing.T) {
		// Without kid all keys of the algorithm are tried, and no other.
		v := verifierOf(keyOf("HS256", "a"), keyOf("RS256", "b"), keyOf("ES256", "c"))
		for _, alg := range []string{"HS256", "RS256", "ES256"} {
			accepted(t, v, tokenOf(alg, goodPayload))
		}
		refused(t, v, tokenOf("PS256", goodPayload), claims.ErrUnknownKey)
		refused(t, v, tokenOf("HS512", goodPayload), claims.ErrUnknownKey)
		refused(t, v, token("HS256", pairs()["HS256"].private, named("HS256", "b"), goodPayload), claims.ErrUnknownKey)
	})
	t.Run("JW-37", func(t *testing.T) {
		v := verifierOf(keyOf("PS256", ""))
		input := b64(header("PS256")) + "." + b64(goodPayload)
		hash := sha256.Sum256([]byte(input))
		for _, salt := range []int{0, 1, 20, 31, 32, 33, 222} {
			s := input + "." + b64(pss(rsaPrivate, hash[:], salt))
			if salt == 32 {
				accepted(t, v, s)
				continue
			}
			refused(t, v, s, claims.ErrSignature)
		}
	})
	t.Run("JW-39", func(t *testing.T) {
		for _, alg := range algorithms {
			one := strings.Split(tokenOf(alg, goodPayload), ".")
			two := strings.Split(tokenOf(alg, `{"iss":"iss1","sub":"admin","aud":"api","exp":1700000100}`), ".")
			refused(t, verifierOf(keyOf(alg, "")), two[0]+"."+two[1]+"."+one[2], claims.ErrSignature)
		}
	})
	t.Run("JW-40", func(t *testing.T) {
		for _, alg := range algorithms {
			v := verifierOf(keyOf(alg, ""))
			part := strings.Split(tokenOf(alg, goodPayload), ".")
			sig := unb64(part[2])
			refused(t, v, part[0]+"."+part[1]+"."+b64(sig[:len(sig)-1]), claims.ErrSignature)
			refused(t, v, part[0]+"."+part[1]+"."+b64(append(slices.Clone(sig), 0)), claims.ErrSignature)
			refused(t, v, part[0]+"."+part[1]+"."+b64(append([]byte{0}, sig...)), claims.ErrSignature)
		}
	})
	t.Run("JW-43 absent typ by dialect", func(t *testing.T) {
		v := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"},
			Keys: setOf(keyOf("HS256", "")), Dialect: claims.Dialect{AccessType: "JWT", AbsentType: true}}))
		for typ, reason := range map[string]error{``: nil, `,"typ":"JWT"`: nil, `,"typ":"jwt"`: nil, `,"typ":"at+jwt"`: claims.ErrType, `,"typ":"rt+jwt"`: claims.ErrType} {
			s := token("HS256", pairs()["HS256"].private, `{"alg":"HS256"`+typ+`}`, goodPayload)
			if reason == nil {
				accepted(t, v, s)
			} else {
				refused(t, v, s, reason)
			}
		}
		refresh := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Use: claims.Refresh,
			Keys: setOf(keyOf("HS256", "")), Dialect: claims.Dialect{AccessType: "JWT", AbsentType: true}}))
		refused(t, refresh, token("HS256", pairs()["HS256"].private, `{"alg":"HS256"}`, goodPayload), claims.ErrType)
	})
	t.Run("JW-47", func(t *testing.T) {
		c, err := verifyAt(verifierOf(keyOf("HS256", "")), tokenOf("HS256", goodPayload)+"A")
		if c != nil || err == nil {
			t.Errorf("claims %v with error %v", c, err)
		}
		var zero claims.Verifier[struct{}]
		if c, err := zero.Verify(context.Background(), tokenOf("HS256", goodPayload)); c != nil || !errors.Is(err, claims.ErrNoVerifier) || errors.Is(err, claims.ErrInvalid) {
			t.Errorf("the zero Verifier: %v, %v", c, err)
		}
	})
	t.Run("JW-48", func(t *testing.T) {
		v := verifierOf(keyOf("HS256", ""))
		var wg sync.WaitGroup
		for i := range 1000 {
			s := tokenOf("HS256", fmt.Sprintf(`{"iss":"iss1","sub":"s%d","aud":["api","x%d"],"exp":1700000100,"own":"o%d"}`, i, i, i))
			wg.Go(func() {
				c, err := verifyAt(v, s)
				if err != nil || c.Subject != fmt.Sprint("s", i) || c.Audience[1] != fmt.Sprint("x", i) || c.App["own"] != fmt.Sprint("o", i) {
					t.Errorf("%d: %+v, %v", i, c, err)
				}
			})
		}
		wg.Wait()
	})
}

// pss signs with a salt of any length, also of none, which the options of
// crypto/rsa can't say.
func pss(key *rsa.PrivateKey, hash []byte, salt int) []byte {
	if salt > 0 {
		return must(rsa.SignPSS(rand.Reader, key, crypto.SHA256, hash, &rsa.PSSOptions{SaltLength: salt}))
	}
	// RFC 8017 §9.1.1 with an empty salt.
	mHash := sha256.Sum256(append(make([]byte, 8), hash...))
	db := make([]byte, 256-32-1)
	db[len(db)-1] = 1
	for i := range db {
		var counter [4]byte
		counter[3] = byte(i / 32)
		mask := sha256.Sum256(append(mHash[:], counter[:]...))
		db[i] ^= mask[i%32]
	}
	db[0] &= 0x7f
	em := slices.Concat(db, mHash[:], []byte{0xbc})
	m := new(big.Int).SetBytes(em)
	return m.Exp(m, key.D, key.N).FillBytes(make([]byte, 256))
}

// ecdsaToken signs by an algorithm whose curve is not the key's, with r and s
// padded to its size.
func ecdsaToken(alg string, key *ecdsa.PrivateKey) string {
	size := map[string]int{"ES256": 32, "ES384": 48, "ES512": 66}[alg]
	hash := map[string]crypto.Hash{"ES256": crypto.SHA256, "ES384": crypto.SHA384, "ES512": crypto.SHA512}[alg].New()
	input := b64(`{"alg":"`+alg+`","typ":"at+jwt"}`) + "." + b64(goodPayload)
	hash.Write([]byte(input))
	sig := make([]byte, 2*size)
	r, s, err := ecdsa.Sign(rand.Reader, key, hash.Sum(nil))
	if err != nil {
		panic(err)
	}
	copy(sig[max(0, size-len(r.Bytes())):size], r.Bytes())
	copy(sig[size+max(0, size-len(s.Bytes())):], s.Bytes())
	return input + "." + b64(sig)
}
