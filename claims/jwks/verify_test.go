package jwks_test

import (
	"crypto"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// token signs an access token of issuer with ed(seed).
func token(t testing.TB, issuer, kid string, seed byte) string {
	t.Helper()
	encoder, err := claims.NewEncoder[struct{}](claims.Dialect{})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := encoder.Encode(header(kid), &claims.Claims[struct{}]{
		Issuer: issuer, Audience: []string{"api"}, Subject: "alice", Use: claims.Access, Expiry: time.Now().Add(365 * 24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	key := ed(seed)
	signature, err := key.Sign(nil, []byte(signed), crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(signature)
}

func verifier(t testing.TB, issuer string, keys claims.KeySet) *claims.Verifier[struct{}] {
	t.Helper()
	v, err := claims.NewVerifier[struct{}](claims.Config{Issuer: issuer, Audience: []string{"api"}, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const issuerA, issuerB = "https://a.example", "https://b.example"

func TestTwoIssuers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newKeyServer(setOf(edJWK(1, "1"))).follow(t, jwks.Config{})
		b := newKeyServer(setOf(edJWK(2, "1"))).follow(t, jwks.Config{})
		v, err := claims.Join(verifier(t, issuerA, a), verifier(t, issuerB, b))
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			name   string
			issuer string
			seed   byte
			ok     bool
		}{
			{"A by A", issuerA, 1, true},
			{"B by B", issuerB, 2, true},
			{"KY-25 A by B", issuerA, 2, false},
			{"KY-26 B by A", issuerB, 1, false},
		} {
			for _, kid := range []string{"1", ""} {
				_, err := v.Verify(t.Context(), token(t, row.issuer, kid, row.seed))
				if row.ok != (err == nil) || err != nil && !errors.Is(err, claims.ErrInvalid) {
					t.Errorf("%s, kid %q: %v", row.name, kid, err)
				}
			}
		}
	})
}

// A set that was discovered for an issuer can't be given to the verifier of
// another; one that was found by its URL can.
func TestIssuerOfASet(t *testing.T) {
	for _, row := range []struct {
		name   string
		c      jwks.Config
		issuer string
		ok     bool
	}{
		{"KY-25 its own", jwks.Config{Issuer: issuerA}, issuerA, true},
		{"KY-25 another", jwks.Config{Issuer: issuerA}, issuerB, false},
		{"KY-25 but for a slash", jwks.Config{Issuer: issuerA}, issuerA + "/", false},
		{"URL", jwks.Config{URL: issuerA + "/jwks"}, issuerB, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.c.OnDemand, row.c.StartEmpty = true, true // nothing is fetched
			set, err := jwks.New(row.c)
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			if set.Issuer() != row.c.Issuer {
				t.Errorf("Issuer is %q, want %q", set.Issuer(), row.c.Issuer)
			}
			_, err = claims.NewVerifier[struct{}](claims.Config{Issuer: row.issuer, Audience: []string{"api"}, Keys: set})
			if row.ok != (err == nil) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// 401 is about the token, 503 about us.
func TestVerify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newKeyServer(setOf(edJWK(1, "one"), edJWK(2, "two")))
		v := verifier(t, issuerA, server.follow(t, jwks.Config{MaxStale: time.Hour}))
		verify := func(kid string, seed byte) error {
			_, err := v.Verify(t.Context(), token(t, issuerA, kid, seed))
			return err
		}
		if err := verify("one", 1); err != nil {
			t.Error(err)
		}
		if err := verify("one", 2); !errors.Is(err, claims.ErrInvalid) {
			t.Errorf("signed by another key of the set: %v", err)
		}
		if err := verify("garbage", 1); !errors.Is(err, claims.ErrInvalid) {
			t.Errorf("unknown kid: %v", err)
		}
		server.serve(setOf(edJWK(2, "two")))
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		if err := verify("one", 1); !errors.Is(err, claims.ErrInvalid) {
			t.Errorf("KY-07 removed key: %v", err)
		}
		if err := verify("two", 2); err != nil {
			t.Error(err)
		}
		server.fail(errDown)
		if err := verify("three", 3); errors.Is(err, claims.ErrInvalid) || !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("KY-05 unknown kid during an outage: %v", err)
		}
		time.Sleep(2 * time.Hour)
		if err := verify("two", 2); errors.Is(err, claims.ErrInvalid) || !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("KY-05 after MaxStale: %v", err)
		}
	})
}
