package issuer

import (
	"testing"
	"time"
)

// TestDecide is the rotation policy as a table. It stands inside the package
// because the policy is one unexported function.
func TestDecide(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	live := &session{generation: 5, rotated: start, expiry: at(time.Hour), absolute: at(2 * time.Hour)}
	over := *live
	over.ended = endRevoked
	old := *live
	old.expiry = at(3 * time.Hour)
	const grace = 10 * time.Second
	for _, row := range []struct {
		name       string
		session    *session
		generation uint64
		now        time.Time
		grace      time.Duration
		want       verdict
	}{
		{"no session", nil, 5, at(0), grace, unknown},
		{"ended", &over, 5, at(0), grace, ended},
		{"ended, spent token", &over, 1, at(0), grace, ended},
		{"ended and expired", &over, 5, at(time.Hour), grace, ended},
		{"current", live, 5, at(0), grace, rotate},
		{"current, last moment", live, 5, at(time.Hour - 1), grace, rotate},
		{"idle for its life", live, 5, at(time.Hour), grace, expired},
		{"idle for longer", live, 5, at(time.Hour + 1), grace, expired},
		{"absolute life", &old, 5, at(2 * time.Hour), grace, expired},
		{"spent token of an expired session", live, 1, at(time.Hour), grace, expired},
		{"one behind, at once", live, 4, at(0), grace, repeat},
		{"one behind, last moment of grace", live, 4, at(grace - 1), grace, repeat},
		{"one behind, grace is over", live, 4, at(grace), grace, reused},
		{"one behind, clock a little back", live, 4, at(-time.Second), grace, repeat},
		{"one behind, clock far back", live, 4, at(-time.Hour), grace, reused},
		{"one behind, no grace", live, 4, at(0), 0, reused},
		{"two behind within grace", live, 3, at(0), grace, reused},
		{"generation 0", live, 0, at(0), grace, reused},
		{"ahead", live, 6, at(0), grace, ahead},
		{"far ahead", live, 1<<63 - 1, at(0), grace, ahead},
	} {
		if got := decide(row.session, row.generation, row.now, row.grace); got != row.want {
			t.Errorf("%s: verdict %d, want %d", row.name, got, row.want)
		}
	}
}
