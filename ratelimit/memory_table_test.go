package ratelimit

import (
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/named"
)

func digest(hi, lo uint64) named.Digest { return named.Digest{Hi: hi, Lo: lo} }

// The table is not reachable from outside one key at a time, so it is tested
// from inside: against a Go map, over random histories with few digests, so
// that there are chains that wrap around the end.
func TestTable(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		var tab table
		want := map[named.Digest]int64{}
		now := int64(1)
		for step := range 400 {
			d := digest(rnd.Uint64()|0xF<<60*rnd.Uint64N(2), rnd.Uint64N(40))
			if rnd.IntN(2) == 0 {
				d.Hi = 1<<64 - 1 - rnd.Uint64N(9)
			}
			switch rnd.IntN(8) {
			case 0:
				now += rnd.Int64N(50)
				tab.sweep(now)
				for d, until := range want {
					if until <= now {
						delete(want, d)
					}
				}
			case 1:
				if i, found := tab.find(d); found {
					tab.remove(i)
					delete(want, d)
				}
			default:
				debt := 1 + rnd.Int64N(100)
				tab.put(d, now, time.Duration(debt), 1, 1000)
				want[d] = now + debt
			}
			used := 0
			for i := range tab.slots {
				if tab.slots[i].full != 0 {
					used++
				}
			}
			if used != tab.used || len(tab.slots) > 0 && used*5 > len(tab.slots)*4 {
				t.Fatalf("seed %d step %d: %d used of %d, counted %d", seed, step, used, len(tab.slots), tab.used)
			}
			for d, until := range want {
				if got := tab.debt(d, now); int64(got) != max(0, until-now) {
					t.Fatalf("seed %d step %d: debt %d, want %d", seed, step, got, until-now)
				}
			}
		}
	}
}

func TestTable_evict(t *testing.T) {
	var tab table
	now := int64(1)
	tab.put(digest(1, 1), now, 100, 1, 100) // exhausted
	tab.put(digest(2, 2), now, 50, 1, 100)
	tab.put(digest(3, 3), now, 10, 1, 100) // the fullest
	for _, gone := range []named.Digest{digest(3, 3), digest(2, 2)} {
		if !tab.evict(now) || tab.has(gone) {
			t.Fatalf("%v is still there", gone)
		}
	}
	for range 3 {
		if tab.evict(now) || !tab.has(digest(1, 1)) {
			t.Fatal("an exhausted bucket was evicted")
		}
	}
	if tab.evict(now + 99) {
		t.Fatal("evicted a nanosecond early")
	}
	if !tab.evict(now+100) || tab.used != 0 {
		t.Fatal("a bucket that is full again was not evicted")
	}
}

// A caller that holds several shards must not lock them in its own order, which
// goes wrong too rarely to be seen from outside.
func TestMemoryStore_order(t *testing.T) {
	m := &MemoryStore{mask: 0xFF}
	o := m.order([]named.Digest{digest(0, 7), digest(1, 0x103), digest(2, 9), digest(3, 3), digest(4, 7), digest(5, 1)})
	if got := o.shards[:o.n]; !reflect.DeepEqual(got, []uint64{1, 3, 7, 9}) {
		t.Errorf("locks %v", got)
	}
}

// An overflow bucket is in the shard of the key that it stands for, which alone is
// locked.
func TestMemoryStore_overflowShard(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	m := NewMemoryStore(8 * shardKeys)
	s, full := &m.shards[5], false
	for i := range 10 * shardKeys {
		d := digest(rnd.Uint64(), rnd.Uint64()&^m.mask|5)
		o, room := m.room(s, m.space(strconv.Itoa(i%3)), d, 1)
		if !room || m.shard(o) != s {
			t.Fatalf("%x is counted at %x: %v", d, o, room)
		}
		full = full || o != d
		s.cells.put(o, 1, 100, 1, 100)
	}
	if !full {
		t.Error("the shard was never full")
	}
}

// What a request may have to do for the store: sweep a full shard of which none, half,
// or all has expired, or make a larger table of it.
func BenchmarkTable(b *testing.B) {
	fill := func(expired int) (tab table) {
		rnd := rand.New(rand.NewPCG(1, 1))
		for i := range shardKeys {
			until := time.Duration(100)
			if i%4 < expired {
				until = 10
			}
			tab.put(digest(rnd.Uint64(), rnd.Uint64()), 1, until, 1, 1000)
		}
		return tab
	}
	for name, step := range map[string]struct {
		expired int
		do      func(*table)
	}{
		"sweep, none expired":   {0, func(t *table) { t.sweep(50) }},
		"sweep, a half expired": {2, func(t *table) { t.sweep(50) }},
		"sweep, 3/4 expired":    {3, func(t *table) { t.sweep(50) }},
		"sweep, all expired":    {4, func(t *table) { t.sweep(50) }},
		"grow":                  {0, func(t *table) { t.resize(50) }},
		"evict, all exhausted":  {0, func(t *table) { t.stuck = 0; t.evict(50) }},
	} {
		b.Run(name, func(b *testing.B) {
			full := fill(step.expired)
			for b.Loop() {
				tab := full
				tab.slots = append([]slot(nil), full.slots...)
				step.do(&tab)
			}
		})
	}
}
