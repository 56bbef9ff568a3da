package signing_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// TestSignsNothingButItsTokens has a schedule sign all sorts of things: it signs
// nothing whose header does not name the key that signs.
func TestSignsNothingButItsTokens(t *testing.T) {
	key, err := signing.NewSecret("HS256", "k", make([]byte, 32), always)
	if err != nil {
		t.Fatal(err)
	}
	keys := schedule(t, key)
	good, payload := encoded(`{"alg":"HS256","typ":"at+jwt","kid":"k"}`), encoded(`{}`)
	sign := func(input string) (string, error) {
		return keys.Sign(t.Context(), func(claims.Header) (string, error) { return input, nil })
	}
	for range 2 { // also when it knows the good header
		for name, input := range map[string]string{
			"nothing":            "",
			"no payload":         good,
			"an empty payload":   good + ".",
			"an empty header":    "." + payload,
			"three segments":     good + "." + payload + ".",
			"another algorithm":  encoded(`{"alg":"HS384","kid":"k"}`) + "." + payload,
			"none":               encoded(`{"alg":"none"}`) + "." + payload,
			"no algorithm":       encoded(`{"kid":"k"}`) + "." + payload,
			"another kid":        encoded(`{"alg":"HS256","kid":"other"}`) + "." + payload,
			"an empty kid":       encoded(`{"alg":"HS256","kid":""}`) + "." + payload,
			"no JSON":            encoded(`alg=HS256`) + "." + payload,
			"no object":          encoded(`"HS256"`) + "." + payload,
			"no base64url":       "{}." + payload,
			"a header, unquoted": `{"alg":"HS256"}.` + payload,
		} {
			if token, err := sign(input); err == nil || token != "" {
				t.Errorf("%s: signed %q, %v", name, token, err)
			}
		}
		if token, err := sign(good + "." + payload); err != nil || !strings.HasPrefix(token, good+"."+payload+".") {
			t.Errorf("%q, %v", token, err)
		}
	}
	if _, err := sign(encoded(`{"alg":"HS256"}`) + "." + payload); err != nil {
		t.Errorf("without a kid: %v", err)
	}
}

func TestSignPassesErrorsOn(t *testing.T) {
	keys, oops := schedule(t, edKey(t, always)), errors.New("oops")
	token, err := keys.Sign(t.Context(), func(claims.Header) (string, error) { return "", oops })
	if !errors.Is(err, oops) || token != "" {
		t.Errorf("%q, %v", token, err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	token, err = keys.Sign(over, func(claims.Header) (string, error) { panic("called") })
	if !errors.Is(err, context.Canceled) || token != "" {
		t.Errorf("with a context that is over: %q, %v", token, err)
	}
}

func TestZeroValuesRefuse(t *testing.T) {
	for name, s := range map[string]*signing.Schedule{"zero": new(signing.Schedule), "nil": nil} {
		if token, err := mint(t, s); err == nil || token != "" {
			t.Errorf("%s: signed %q, %v", name, token, err)
		}
		if found, err := s.KeySet(open).Keys(t.Context(), claims.Header{Algorithm: "EdDSA"}); err == nil || found != nil {
			t.Errorf("%s: offers %v, %v", name, found, err)
		}
		if s.Keys() != nil {
			t.Errorf("%s: has keys", name)
		}
	}
	if s, err := signing.NewSchedule(new(signing.Key)); err == nil || s != nil {
		t.Error("a zero Key is scheduled")
	}
	if k := new(signing.Key); k.ID() != "" || k.Algorithm() != "" || !k.From().IsZero() {
		t.Errorf("a zero Key says %v", k)
	}
}

// TestSignsWhileKeysChange has eight sign while two keys take turns: each token
// verifies under the key that it names.
func TestSignsWhileKeysChange(t *testing.T) {
	a, b := edKey(t, always), edKey(t, always)
	keys, both := schedule(t, a), map[string]*claims.Verifier[struct{}]{}
	for _, k := range []*signing.Key{a, b} {
		both[k.ID()] = verifier(t, schedule(t, k).KeySet(open))
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				token, err := mint(t, keys)
				if err == nil {
					_, err = both[keyID(t, token)].Verify(t.Context(), token)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 200 {
		if err := keys.Replace([]*signing.Key{a, b}[i%2]); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
}

// TestKeysOfASchedule: they come in the order in which they sign, and the slice
// is the caller's.
func TestKeysOfASchedule(t *testing.T) {
	late, early := edKey(t, always.AddDate(1, 0, 0)), edKey(t, always)
	keys := schedule(t, late, early)
	got := keys.Keys()
	if len(got) != 2 || got[0] != early || got[1] != late {
		t.Fatalf("%v", got)
	}
	got[0] = nil
	if keys.Keys()[0] != early {
		t.Error("the caller's slice is the schedule's")
	}
}
