package ratelimitredis_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimitredis"
)

// step is one step of a history: time passes, then one of the two happens.
type step struct {
	wait  time.Duration
	cells []ratelimit.Cell
	entry lockout.Entry
}

// outcome is what a store says about a step.
type outcome struct {
	granted bool
	debts   []time.Duration
	charges int
	blocked time.Duration
}

// stores are the two kinds, in memory or in Redis.
type stores struct {
	ratelimit.Store
	lockouts lockout.Store
}

func (s step) apply(store stores) (o outcome, err error) {
	if s.cells == nil {
		o.charges, o.blocked, err = store.lockouts.Apply(context.Background(), s.entry)
		return o, err
	}
	cells := append([]ratelimit.Cell(nil), s.cells...)
	o.granted, err = store.Take(context.Background(), cells)
	for _, c := range cells {
		o.debts = append(o.debts, c.Debt)
	}
	return o, err
}

// Intervals and spans that are not round, and some that are at the bounds.
var (
	intervals = []time.Duration{1000, 333_333_333, time.Second, 7*time.Hour + 1, 1 << 52}
	spans     = []time.Duration{time.Microsecond, time.Second, 999_999 * time.Microsecond, 24 * time.Hour, 366 * 24 * time.Hour}
)

func history(r *rand.Rand, steps int) []step {
	all := make([]step, steps)
	for i := range all {
		s := &all[i]
		unit := intervals[r.IntN(len(intervals)-1)]
		if r.IntN(2) == 0 {
			unit = spans[r.IntN(len(spans))]
		}
		switch r.IntN(24) {
		case 0:
			s.wait = unit
		case 1:
			s.wait = unit - 1
		case 2:
			s.wait = time.Duration(r.Int64N(int64(unit))) / 7
		case 3:
			s.wait = 1
		}
		if r.IntN(2) == 0 {
			s.entry = randomEntry(r)
			continue
		}
		for _, p := range r.Perm(len(intervals))[:1+r.IntN(3)] {
			s.cells = append(s.cells, randomCell(r, p))
		}
	}
	return all
}

func randomCell(r *rand.Rand, policy int) ratelimit.Cell {
	interval := intervals[policy]
	burst := min(5, int64(1<<52/interval))
	return ratelimit.Cell{
		Policy: fmt.Sprint("p", policy), Key: fmt.Sprint(r.IntN(2)),
		Cost: interval * time.Duration(1+r.Int64N(burst)), Interval: interval, Tolerance: interval * time.Duration(burst),
	}
}

func randomEntry(r *rand.Rand) lockout.Entry {
	i := r.IntN(len(spans))
	return lockout.Entry{
		Name: fmt.Sprint("p", i), Key: fmt.Sprint(r.IntN(2)),
		Op:      []lockout.Op{lockout.OpCharge, lockout.OpCharge, lockout.OpCharge, lockout.OpRefund, lockout.OpPeek, lockout.OpClear}[r.IntN(6)],
		Receipt: 1<<64 - 1 - uint64(r.IntN(12)),
		Tries:   1 + i, Window: spans[(i+1)%len(spans)], Block: spans[i],
	}
}

// Memory and Redis, whose clocks show the same, say the same about the same
// random history, to the nanosecond.
func TestSameAsMemory(t *testing.T) {
	client := anyServer(t).client(t)
	for range 5 {
		seed := rand.Uint64()
		steps := history(rand.New(rand.NewPCG(seed, 0)), 3000)
		want := make([]outcome, len(steps))
		synctest.Test(t, func(t *testing.T) {
			memory := stores{ratelimit.NewMemoryStore(0), lockout.NewMemoryStore(0)}
			for i, s := range steps {
				time.Sleep(s.wait)
				var err error
				if want[i], err = s.apply(memory); err != nil {
					t.Fatal(err)
				}
			}
		})
		store, clock := newStore(t, client, ratelimitredis.Config{}), newClock(client)
		store.ReadClock(clock.key)
		grants, blocks := 0, 0
		for i, s := range steps {
			if s.wait > 0 {
				clock.advance(s.wait)
			}
			got, err := s.apply(stores{store, store})
			if err != nil || !reflect.DeepEqual(got, want[i]) {
				t.Fatalf("seed %d, step %d %+v: %+v, %v; memory says %+v", seed, i, s, got, err, want[i])
			}
			if got.granted {
				grants++
			}
			if got.blocked > 0 {
				blocks++
			}
		}
		if grants < 100 || blocks < 20 {
			t.Errorf("seed %d: %d grants and %d blocks are no test", seed, grants, blocks)
		}
	}
}
