package signing_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// TestClockReadBefore asks for the keys with a clock that was read before the kept plan
// was made: by a caller that was held up, or on a machine whose clock was set back.
func TestClockReadBefore(t *testing.T) {
	begin := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	var keys []*signing.Key
	for i := range 3 {
		key, err := signing.NewKey("EdDSA", newEd25519(t), begin.Add(time.Duration(i)*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	schedule, err := signing.NewSchedule(keys...)
	if err != nil {
		t.Fatal(err)
	}
	for _, window := range []signing.Window{{}, {Lead: time.Minute}, {Hold: time.Minute}, {Lead: 2 * time.Hour, Hold: time.Minute}} {
		set := schedule.KeySet(window)
		offered := func(kept bool, now time.Time) []string {
			from := set
			if !kept {
				from = schedule.KeySet(window) // has no plan yet
			}
			ids, err := signing.OfferedAt(from, now)
			if err != nil {
				t.Fatal(err)
			}
			return ids
		}
		for _, step := range []time.Duration{2 * time.Hour, 2*time.Hour - 1, time.Hour, time.Hour - 1, 0, 3 * time.Hour, time.Hour + time.Minute} {
			now := begin.Add(step)
			if got, want := offered(true, now), offered(false, now); !slices.Equal(got, want) {
				t.Errorf("%+v at %v: %v, want %v", window, step, got, want)
			}
		}
	}
}
