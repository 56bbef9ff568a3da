package vectortest_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/golang-jwt/jwt/v5"
)

type tinkVector struct {
	ID, Test, JWS, Result string
	Recipe                json.RawMessage `json:"payload_recipe"`
	Validator             struct {
		Type            *string  `json:"expected_type_header"`
		IgnoreType      bool     `json:"ignore_type_header"`
		Issuer          *string  `json:"expected_issuer"`
		IgnoreIssuer    bool     `json:"ignore_issuer"`
		Audience        *string  `json:"expected_audience"`
		IgnoreAudience  bool     `json:"ignore_audiences"`
		NoExpiry        bool     `json:"allow_missing_expiration"`
		IssuedInThePast bool     `json:"expect_issued_in_the_past"`
		ClockSkew       float64  `json:"clock_skew"`
		Now             *float64 `json:"fixed_now"`
	}
}

// stricter are rows in which we refuse what tink accepts, on purpose.
var stricter = map[string]string{
	"tink-018": `iss "" where "" is expected: an issuer without a name can't be configured`,
	"tink-031": `iat in the future: tink checks it on demand, we do always`,
}

// moved are the dates in vectors that fix the time at 1234 seconds after 1970.
var moved = regexp.MustCompile(`"(exp|nbf|iat)":(\d+)(\.\d+)?`)

// TestTink is CL-37. tink's validator refuses an iss, aud or typ that nobody
// expects; so does ours for iss and aud, with the InsecureNo… options, and for
// typ always. Its "ignore" options have no counterpart: the verifier is told to
// expect what is there.
func TestTink(t *testing.T) {
	var doc struct {
		Key     jwk
		Vectors []tinkVector
	}
	readJSON(t, &doc, vectors(t), "tink/jwt_validation.json")
	secret := unb64(doc.Key.K)
	key, err := claims.NewKey("HS256", "", secret)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := claims.NewKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for _, v := range doc.Vectors {
		synctest.Test(t, func(t *testing.T) {
			err := tink(v, keys, secret)
			if (err != nil) && !errors.Is(err, claims.ErrInvalid) && stricter[v.ID] == "" {
				t.Fatalf("%s %s: %v", v.ID, v.Test, err)
			}
			if valid := v.Result == "valid" && stricter[v.ID] == ""; (err == nil) != valid {
				t.Errorf("%s %s: tink says %s, but: %v", v.ID, v.Test, v.Result, err)
				return
			}
			right++
		})
	}
	if right != 60 {
		t.Errorf("%d of 60 are right", right)
	}
}

// tink verifies v's token as its validator would. It runs in a bubble of
// package synctest, whose time begins with the year 2000.
func tink(v tinkVector, keys claims.KeySet, secret []byte) error {
	token := v.JWS
	if v.Recipe != nil {
		// The one vector that is not printed: too deep to be.
		token = sign(`{"alg":"HS256"}`, strings.Repeat(`{"a":`, 10_000)+`""`+strings.Repeat("}", 10_000), secret)
	}
	part := strings.Split(token, ".")
	header, payload := string(unb64(part[0])), string(unb64(part[1]))
	if v.Validator.Now != nil {
		// The same distances from another now.
		begin := time.Now().Unix()
		time.Sleep(time.Duration(*v.Validator.Now * float64(time.Second)))
		payload = moved.ReplaceAllStringFunc(payload, func(s string) string {
			m := moved.FindStringSubmatch(s)
			n, _ := time.ParseDuration(m[2] + "s")
			b, _ := json.Marshal(begin + int64(n/time.Second))
			return `"` + m[1] + `":` + string(b) + m[3]
		})
		token = sign(header, payload, secret)
	}
	c := claims.Config{Keys: keys, Leeway: time.Duration(v.Validator.ClockSkew * float64(time.Second))}
	c.Dialect = claims.Dialect{AccessType: "nobody-expects-this", AbsentType: true, AbsentSubject: true, InsecureNoExpiry: v.Validator.NoExpiry}
	var there struct {
		Typ, Iss any
		Aud      []string
	}
	_, _ = json.Unmarshal([]byte(header), &there), json.Unmarshal([]byte(payload), &there)
	switch typ, ok := there.Typ.(string); {
	case v.Validator.Type != nil:
		c.Dialect.AccessType, c.Dialect.AbsentType = *v.Validator.Type, false
	case v.Validator.IgnoreType && ok:
		c.Dialect.AccessType = typ
	}
	switch iss, ok := there.Iss.(string); {
	case v.Validator.Issuer != nil:
		c.Issuer = *v.Validator.Issuer
	case v.Validator.IgnoreIssuer && ok:
		c.Issuer = iss
	default:
		c.Dialect.InsecureNoIssuer = true
	}
	switch {
	case v.Validator.Audience != nil:
		c.Audience = []string{*v.Validator.Audience}
	case v.Validator.IgnoreAudience:
		c.Audience = there.Aud
	default:
		c.Dialect.InsecureNoAudience = true
	}
	verifier, err := claims.NewVerifier[map[string]any](c)
	if err != nil {
		return err
	}
	_, err = verifier.Verify(context.Background(), token)
	return err
}

func sign(header, payload string, secret []byte) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	sig, err := jwt.SigningMethodHS256.Sign(input, secret)
	if err != nil {
		panic(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}
