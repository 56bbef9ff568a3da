package lockout

import (
	"errors"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/named"
)

// recordTable holds the records of a shard.
type recordTable struct {
	records map[named.Digest]*attempts
	peak    int // entries that the map has room for
	blocks  int // logs that block, or did when they were last touched
}

var errFull = errors.New("lockout: MemoryStore is full of records that block")

// step applies e to the record of d.
func (t *recordTable) step(d named.Digest, e *Entry, now int64, bound int) (charges int, wait time.Duration, err error) {
	a := t.records[d]
	if a == nil && e.Op == OpCharge {
		a, err = t.add(d, now, e.Tries, bound)
	}
	if a == nil {
		return 0, 0, err
	}
	return t.apply(a, e, now, bound/2)
}

// add makes an empty log, at the bound in the place of another.
func (t *recordTable) add(d named.Digest, now int64, tries, bound int) (*attempts, error) {
	if len(t.records) >= bound && !t.evict(now) {
		return nil, errFull
	}
	if t.records == nil {
		t.records = make(map[named.Digest]*attempts)
	}
	a := &attempts{charges: make([]charge, 0, tries)}
	t.records[d] = a
	t.peak = max(t.peak, len(t.records))
	return a, nil
}

// apply is that of the log, but a charge by which more than most logs would block
// is not made: those stay until they have ended, and the others need room.
func (t *recordTable) apply(a *attempts, e *Entry, now int64, most int) (charges int, wait time.Duration, err error) {
	before := a.blocks
	charges, wait = a.apply(e, now)
	t.count(before, a.blocks)
	if before || !a.blocks || wait > 0 || t.blocks <= most {
		return charges, wait, nil
	}
	if t.sweep(now); t.blocks <= most {
		return charges, wait, nil
	}
	undo := *e
	undo.Op = OpRefund
	a.apply(&undo, now)
	t.count(true, a.blocks)
	return 0, 0, errFull
}

func (t *recordTable) count(before, after bool) {
	switch {
	case after && !before:
		t.blocks++
	case before && !after:
		t.blocks--
	}
}

func (t *recordTable) remove(d named.Digest, a *attempts) {
	t.count(a.blocks, false)
	delete(t.records, d)
}

// evict removes one that has expired, or else, of the logs with as many charges
// as most have, the one whose last is oldest; but none that blocks still.
//
// To have c charges at a key forgotten, a stranger thus has to bring a fair share
// of the logs to c charges after them. The fewest charges first would be cheaper:
// where all others block, or have many charges, a single guess at another key
// would do. So would the soonest to expire, among windows of different length.
func (t *recordTable) evict(now int64) bool {
	var having [maxTries + 1]int // how many logs have so many charges
	for d, a := range t.records {
		if a.until <= now {
			t.remove(d, a)
			return true
		}
		if !a.blocks {
			having[len(a.charges)]++
		}
	}
	most := 0
	for n := range having {
		if having[n] > having[most] {
			most = n
		}
	}
	var victim named.Digest
	var oldest *attempts
	for d, a := range t.records {
		if !a.blocks && len(a.charges) == most && (oldest == nil || a.last() < oldest.last()) {
			victim, oldest = d, a
		}
	}
	if oldest == nil {
		return false
	}
	t.remove(victim, oldest)
	return true
}

// sweep removes the expired. A Go map never shrinks: one that was four times
// as large is made anew.
func (t *recordTable) sweep(now int64) {
	for d, a := range t.records {
		if now >= a.until {
			t.remove(d, a)
		}
	}
	if len(t.records)*4 < t.peak {
		records := make(map[named.Digest]*attempts, len(t.records))
		for d, a := range t.records {
			records[d] = a
		}
		t.records, t.peak = records, len(records)
	}
}
