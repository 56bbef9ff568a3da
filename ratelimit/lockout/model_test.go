package lockout_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

// model is a MemoryStore of one shard, as its documentation says it, by looking at
// every record.
type model struct {
	records map[string]*modelled
	steps   int
}

type modelled struct {
	record  []byte
	until   time.Time
	charges int
	blocks  bool
	touched int // the step that changed it last
}

const bound = 512 // the smallest: one shard

// apply reports also whether a charge was refused for want of room.
func (m *model) apply(e lockout.Entry, now time.Time) (charges int, wait time.Duration, full bool) {
	m.steps++
	for key, r := range m.records {
		if !r.until.After(now) {
			delete(m.records, key)
		}
	}
	name := e.Name + "/" + e.Key
	r := m.records[name]
	if r == nil {
		if e.Op != lockout.OpCharge {
			return 0, 0, false
		}
		if len(m.records) >= bound && !m.evict() {
			return 0, 0, true
		}
		r = new(modelled)
		m.records[name] = r
	}
	a := r.next(e, now)
	if e.Op == lockout.OpCharge && a.Wait == 0 && !r.blocks && a.Charges >= e.Tries && m.blocking() >= bound/2 {
		e.Op = lockout.OpRefund
		r.set(e, r.next(e, now), m.steps)
		return 0, 0, true
	}
	r.set(e, a, m.steps)
	return a.Charges, a.Wait, false
}

func (r *modelled) next(e lockout.Entry, now time.Time) lockout.Applied {
	a, err := e.Next(r.record, now)
	if err != nil {
		panic(err)
	}
	return a
}

func (r *modelled) set(e lockout.Entry, a lockout.Applied, step int) {
	after := modelled{a.Record, a.Until, a.Charges, a.Charges >= e.Tries, r.touched}
	if after.charges != r.charges || after.blocks != r.blocks || !after.until.Equal(r.until) {
		after.touched = step
	}
	*r = after
}

func (m *model) blocking() (n int) {
	for _, r := range m.records {
		if r.blocks {
			n++
		}
	}
	return n
}

func (m *model) evict() bool {
	having := make([]int, 101)
	for _, r := range m.records {
		if !r.blocks {
			having[r.charges]++
		}
	}
	most := 0
	for n := range having {
		if having[n] > having[most] {
			most = n
		}
	}
	victim := ""
	for key, r := range m.records {
		if !r.blocks && r.charges == most && (victim == "" || r.touched < m.records[victim].touched) {
			victim = key
		}
	}
	delete(m.records, victim)
	return victim != ""
}

// A MemoryStore forgets what its documentation says, and nothing else: over random
// histories that keep it at its bound it answers as the model does.
func TestMemoryStore_model(t *testing.T) {
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			store, m := lockout.NewMemoryStore(bound), &model{records: map[string]*modelled{}}
			kinds := []lockout.Entry{
				{Name: "a", Tries: 5, Window: time.Hour, Block: 3 * time.Hour},
				{Name: "b", Tries: 2, Window: 2 * time.Hour, Block: time.Hour},
				{Name: "a", Tries: 3, Window: 30 * time.Minute, Block: 10 * time.Hour}, // of the same records
			}
			refused, blocked := 0, 0
			for i := range 4000 {
				time.Sleep(10*time.Millisecond + time.Duration(rnd.Int64N(int64(5*time.Second)))) // each step sweeps
				e := kinds[rnd.IntN(1+rnd.IntN(len(kinds)))]
				e.Key, e.Receipt, e.Op = strconv.Itoa(rnd.IntN(200+rnd.IntN(1500))), rnd.Uint64N(4), lockout.OpCharge
				if seed%2 == 1 { // so many block that others may not
					e.Tries, e.Block, e.Key = 2+e.Tries%2, 10*time.Hour, strconv.Itoa(rnd.IntN(600))
				}
				if rnd.IntN(4) == 0 {
					e.Op = lockout.Op(1 + rnd.IntN(4))
				}
				if e.Op == lockout.OpCharge {
					e.Receipt = rnd.Uint64N(1000)
				}
				n, wait, err := store.Apply(t.Context(), e)
				wantN, wantWait, full := m.apply(e, time.Now())
				if n != wantN || wait != wantWait || (err != nil) != full {
					t.Fatalf("seed %d, step %d, %+v: %d, %v, %v; the model says %d, %v, full %v", seed, i, e, n, wait, err, wantN, wantWait, full)
				}
				if full {
					refused++
				}
				if wait > 0 {
					blocked++
				}
			}
			if (refused > 50) != (seed%2 == 1) || blocked < 50 || len(m.records) < bound-50 {
				t.Errorf("seed %d: %d refused, %d blocked, %d records at the end are no test", seed, refused, blocked, len(m.records))
			}
		})
	}
}
