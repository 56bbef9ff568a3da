package ratelimit

import (
	"math/bits"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/named"
)

// table is an open-addressing hash table of buckets, probed linearly. The digests are
// random to everybody else, and serve as hashes as they are. It holds no pointers, so
// the garbage collector does not look at it.
type table struct {
	slots []slot
	used  int
	hand  int   // where eviction goes on
	stuck int64 // until then there is nothing to evict
}

// slot is one bucket: the time at which its debt will have melted, and whether it was
// exhausted when last touched. A full of 0 is an empty slot.
type slot struct {
	named.Digest
	full int64
}

// exhausted marks a full time. The times themselves stay below it for decades.
const exhausted = 1 << 62

func (s *slot) until() int64 { return s.full &^ exhausted }

func (s *slot) debt(now int64) time.Duration { return time.Duration(max(0, s.until()-now)) }

// set notes a debt. A bucket that has less than one token left is exhausted.
func (s *slot) set(now int64, debt, interval, tolerance time.Duration) {
	s.full = now + int64(debt)
	if debt+interval > tolerance {
		s.full |= exhausted
	}
}

// home is where the search for a digest begins. It is the digest as a fraction of the
// table: no division, and any size will do.
func (t *table) home(d named.Digest) int {
	hi, _ := bits.Mul64(d.Hi, uint64(len(t.slots)))
	return int(hi)
}

func (t *table) next(i int) int {
	if i++; i < len(t.slots) {
		return i
	}
	return 0
}

// find returns the slot of d, or else the empty one where it would go. A table always
// has an empty slot, unless it has none at all.
func (t *table) find(d named.Digest) (i int, found bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	for i = t.home(d); t.slots[i].full != 0; i = t.next(i) {
		if t.slots[i].Digest == d {
			return i, true
		}
	}
	return i, false
}

func (t *table) has(d named.Digest) bool {
	_, found := t.find(d)
	return found
}

func (t *table) debt(d named.Digest, now int64) time.Duration {
	if i, found := t.find(d); found {
		return t.slots[i].debt(now)
	}
	return 0
}

// put notes a debt for d, which may be known or new.
func (t *table) put(d named.Digest, now int64, debt, interval, tolerance time.Duration) {
	i, found := t.find(d)
	if !found {
		if (t.used+1)*5 > len(t.slots)*4 {
			t.resize(now)
			i, _ = t.find(d)
		}
		t.slots[i].Digest = d
		t.used++
	}
	t.slots[i].set(now, debt, interval, tolerance)
}

// remove empties slot i. A bucket behind it that would not be found any more, since
// its search began at or before the gap, moves into the gap.
func (t *table) remove(i int) {
	for j := t.next(i); t.slots[j].full != 0; j = t.next(j) {
		if t.distance(t.home(t.slots[j].Digest), j) >= t.distance(i, j) {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = slot{}
	t.used--
}

// distance is the way from i forward to j.
func (t *table) distance(i, j int) int {
	if j < i {
		return j - i + len(t.slots)
	}
	return j - i
}

// resize makes a new table of what has not expired, two thirds full, with room for one
// more at least.
func (t *table) resize(now int64) {
	live := 0
	for i := range t.slots {
		if t.slots[i].until() > now {
			live++
		}
	}
	old := t.slots
	t.slots, t.used, t.hand = make([]slot, max(8, (live+1)*3/2)), live, 0
	for i := range old {
		if old[i].until() > now {
			j, _ := t.find(old[i].Digest)
			t.slots[j] = old[i]
		}
	}
}

// sweep removes what has expired, and gives memory back when most of it is unused.
func (t *table) sweep(now int64) {
	live := 0
	for i := range t.slots {
		if t.slots[i].until() > now {
			live++
		}
	}
	switch {
	case live == 0:
		*t = table{}
	case live*3 < len(t.slots):
		t.resize(now)
	case live < t.used:
		for i := 0; i < len(t.slots); {
			if s := &t.slots[i]; s.full != 0 && s.until() <= now {
				t.remove(i) // and look at i again: another may have moved in
			} else {
				i++
			}
		}
	}
}

// evictSample is how many slots evict looks at: finding the fullest of all would take
// a walk over the table for every new key of a flood.
const evictSample = 16

// evict removes one bucket: of a few, the one that would be full again first, but none
// that is exhausted. It is false if there is no other.
func (t *table) evict(now int64) bool {
	if now < t.stuck {
		return false
	}
	best, soonest := -1, int64(exhausted)
	for n := 0; n < len(t.slots) && (n < evictSample || best < 0); n++ {
		i := t.hand
		t.hand = t.next(i)
		s := &t.slots[i]
		switch {
		case s.full == 0:
		case s.full&exhausted != 0 && s.until() > now:
			soonest = min(soonest, s.until())
		case best < 0 || s.until() < t.slots[best].until():
			best = i
		}
	}
	if best < 0 {
		// All were looked at. Until the first one is not exhausted any more it would
		// be in vain, and dear, to look again.
		t.stuck = soonest
		return false
	}
	t.remove(best)
	return true
}
