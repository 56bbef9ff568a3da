package signing_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// TestSchedule walks through the life of three keys: which signs, which are
// published and verify, hour by hour.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		k := []*signing.Key{edKey(t, always), edKey(t, start.Add(10*time.Hour)), edKey(t, start.Add(20*time.Hour))}
		keys := schedule(t, k[2], k[0], k[1])
		window := signing.Window{Lead: 2 * time.Hour, Hold: 4 * time.Hour}
		set := keys.KeySet(window)
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
			{14*time.Hour - 1, 1, []int{1, 0}},
			{14 * time.Hour, 1, []int{1}},
			{18 * time.Hour, 1, []int{1, 2}},
			{20 * time.Hour, 2, []int{2, 1}},
			{24 * time.Hour, 2, []int{2}},
			{1000 * time.Hour, 2, []int{2}},
		} {
			time.Sleep(time.Until(start.Add(row.at)))
			var want []string
			for _, i := range row.offers {
				want = append(want, k[i].ID())
			}
			if got, _, _ := jwks(t, keys, window); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%v: published %v, want %v", row.at, got, want)
			}
			offered, err := set.Keys(t.Context(), claims.Header{Algorithm: "EdDSA"})
			if err != nil || len(offered) != len(want) {
				t.Fatalf("%v: %d keys verify, want %d: %v", row.at, len(offered), len(want), err)
			}
			for i, key := range offered {
				if key.ID() != want[i] {
					t.Errorf("%v: key %d to verify is %s, want %s", row.at, i, key.ID(), want[i])
				}
				same, _ := set.Keys(t.Context(), claims.Header{Algorithm: "EdDSA", KeyID: key.ID()})
				if len(same) != 1 || same[0] != key {
					t.Errorf("%v: a key is not the same *Key as before", row.at)
				}
			}
			if kid := keyID(t, mustMint(t, keys)); kid != k[row.signs].ID() {
				t.Errorf("%v: %s signs, want %s", row.at, kid, k[row.signs].ID())
			}
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
	private := newEd25519(t)
	early, _ := signing.NewKey("EdDSA", private, always)
	late, _ := signing.NewKey("EdDSA", private, time.Now())
	if s, err := signing.NewSchedule(early, late); err == nil || s != nil {
		t.Error("one key from two times")
	}
}

func TestNothingIsSignedBeforeTheFirstKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := schedule(t, edKey(t, time.Now().Add(time.Hour)))
		if token, err := mint(t, keys); err == nil || token != "" {
			t.Errorf("%q, %v", token, err)
		}
		time.Sleep(time.Hour)
		mustMint(t, keys)
	})
}

// TestWithdrawnKeys replaces a schedule while it serves.
func TestWithdrawnKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stolen, next := edKey(t, always), edKey(t, time.Now())
		keys := schedule(t, stolen)
		verify := verifier(t, keys.KeySet(open))
		token := mustMint(t, keys)
		if err := keys.Replace(); err == nil {
			t.Fatal("replaced by nothing")
		}
		if _, err := verify.Verify(t.Context(), token); err != nil {
			t.Fatal("a schedule that was refused was put in place")
		}
		if err := keys.Replace(next); err != nil {
			t.Fatal(err)
		}
		if _, err := verify.Verify(t.Context(), token); !errors.Is(err, claims.ErrInvalid) {
			t.Errorf("a withdrawn key verifies: %v", err)
		}
		if kids, _, _ := jwks(t, keys, open); len(kids) != 1 || kids[0] != next.ID() {
			t.Errorf("published: %v", kids)
		}
		mustMint(t, keys)
	})
}
