package lockout_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

func BenchmarkLockout(b *testing.B) {
	for name, right := range map[string]bool{"right": true, "undecided": false} {
		b.Run(name, func(b *testing.B) {
			l, err := lockout.New(lockout.Config{Name: "test"})
			if err != nil {
				b.Fatal(err)
			}
			check := func(context.Context) (bool, error) {
				if right {
					return true, nil
				}
				return false, lockout.ErrUndecided
			}
			b.ReportAllocs()
			for b.Loop() {
				l.Attempt(context.Background(), "victim@example.com", check)
			}
		})
	}
	b.Run("blocked", func(b *testing.B) {
		l, err := lockout.New(lockout.Config{Name: "test"})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			l.Attempt(context.Background(), "victim@example.com", func(context.Context) (bool, error) { return false, nil })
		}
	})
}

// BenchmarkFull is an attacker who guesses at ever new keys in a store at its bound,
// however it was filled. It reports what a guess costs there as a multiple of what
// it costs in a store that has room. Rounds of the two take turns. The quickest tenth
// counts, which other work of the machine has left alone.
func BenchmarkFull(b *testing.B) {
	const bound = 1 << 17 // the default
	for _, full := range []struct {
		name            string
		blocked, others int // charges of the first half of the keys and of the second
	}{
		{"all with one charge", 1, 1},
		{"all with four charges", 4, 4},
		{"half blocked, one charge", 5, 1},
		{"half blocked, four charges", 5, 4},
	} {
		b.Run(full.name, func(b *testing.B) {
			filled := newLockout(b, lockout.Config{Store: lockout.NewMemoryStore(bound), Logger: quietLog})
			for i := range 2 * bound { // surely at the bound, in every shard
				charges := full.others
				if i < bound/2 {
					charges = full.blocked
				}
				for range charges {
					filled.Attempt(context.Background(), "old"+strconv.Itoa(i), wrong)
				}
			}
			const round = 100
			var next int
			costs := func(l *lockout.Lockout) float64 {
				start := time.Now()
				for range round {
					next++
					l.Attempt(context.Background(), "new"+strconv.Itoa(next), wrong)
				}
				return float64(time.Since(start)) / round
			}
			var room *lockout.Lockout
			var inRoom, inFull []float64
			for b.Loop() {
				if len(inRoom)%(bound/2/round) == 0 {
					room = newLockout(b, lockout.Config{Store: lockout.NewMemoryStore(bound)})
				}
				inRoom = append(inRoom, costs(room))
				inFull = append(inFull, costs(filled))
			}
			slices.Sort(inRoom)
			slices.Sort(inFull)
			b.ReportMetric(0, "ns/op")
			room10, full10 := inRoom[len(inRoom)/10], inFull[len(inFull)/10]
			b.ReportMetric(room10, "ns/guess-with-room")
			b.ReportMetric(full10, "ns/guess-full")
			b.ReportMetric(full10/room10, "x")
		})
	}
}
