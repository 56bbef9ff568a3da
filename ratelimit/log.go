package ratelimit

import (
	"context"
	"errors"
	"slices"
	"time"
)

// attempts is the log of one key: its charges, oldest first.
type attempts struct {
	charges []charge
	blocks  bool  // full: stays whatever happens
	until   int64 // when it says nothing any more
}

type charge struct {
	at      int64
	receipt uint64
}

// apply is the arithmetic of lockouts, as [Store.Log] describes it.
func (a *attempts) apply(e *Entry, now int64) (charges int, wait time.Duration) {
	a.forget(e, now)
	switch e.Op {
	case OpClear:
		a.charges = a.charges[:0]
	case OpRefund:
		a.charges = slices.DeleteFunc(a.charges, func(c charge) bool { return c.receipt == e.Receipt })
	case OpCharge:
		made := slices.ContainsFunc(a.charges, func(c charge) bool { return c.receipt == e.Receipt })
		if !made && len(a.charges) < e.Tries {
			a.charges = append(a.charges, charge{now, e.Receipt})
			made = true
		}
		if made {
			a.settle(e)
			return len(a.charges), 0
		}
	}
	a.settle(e)
	if a.blocks {
		wait = time.Duration(a.until - now)
	}
	return len(a.charges), wait
}

// forget drops what has expired: of a full log everything at once, else the
// charges that are older than the window.
func (a *attempts) forget(e *Entry, now int64) {
	n := len(a.charges)
	if n >= e.Tries {
		if now >= a.last()+int64(e.Block) {
			a.charges = a.charges[:0]
		}
		return
	}
	old := 0
	for old < n && now >= a.charges[old].at+int64(e.Window) {
		old++
	}
	a.charges = slices.Delete(a.charges, 0, old)
}

// settle works out what the charges mean.
func (a *attempts) settle(e *Entry) {
	n := len(a.charges)
	a.blocks, a.until = n >= e.Tries, 0
	if n > 0 {
		keep := e.Window
		if a.blocks {
			keep = e.Block
		}
		a.until = a.last() + int64(keep)
	}
}

// last is the time of the last charge; there must be one.
func (a *attempts) last() int64 { return a.charges[len(a.charges)-1].at }

// logTable holds the logs of a shard.
type logTable struct {
	logs   map[digest]*attempts
	peak   int // entries that the map has room for
	blocks int // logs that block, or did when they were last touched
}

var errFull = errors.New("ratelimit: MemoryStore is full of logs that block")

// Log is [Store.Log].
func (m *MemoryStore) Log(_ context.Context, e Entry) (charges int, wait time.Duration, err error) {
	if err := e.validate(); err != nil {
		return 0, 0, err
	}
	return m.log(m.space(e.Policy), &e)
}

// log is Log of an entry that is known to be valid.
func (m *MemoryStore) log(space digest, e *Entry) (charges int, wait time.Duration, err error) {
	d := m.digest(space, e.Key)
	s := m.shard(d)
	s.mu.Lock()
	now := m.time()
	bound := m.bound / 8
	a := s.logs.logs[d]
	if a == nil && e.Op == OpCharge {
		a, err = s.logs.add(d, now, e.Tries, bound)
	}
	if a != nil {
		charges, wait, err = s.logs.apply(a, e, now, bound/2)
	}
	s.mu.Unlock()
	m.tidy(now)
	return charges, wait, err
}

func (e Entry) validate() error {
	switch {
	case e.Op < OpCharge || e.Op > OpPeek:
		return errors.New("ratelimit: Entry.Op is unknown")
	case e.Tries < 1 || e.Tries > maxTries || !validBlock(e.Window) || !validBlock(e.Block):
		return errors.New("ratelimit: Entry out of range")
	}
	return nil
}

// add makes an empty log, at the bound in the place of another.
func (t *logTable) add(d digest, now int64, tries, bound int) (*attempts, error) {
	if len(t.logs) >= bound && !t.evict(now) {
		return nil, errFull
	}
	if t.logs == nil {
		t.logs = make(map[digest]*attempts)
	}
	a := &attempts{charges: make([]charge, 0, tries)}
	t.logs[d] = a
	t.peak = max(t.peak, len(t.logs))
	return a, nil
}

// apply is that of the log, but a charge by which more than most logs would block
// is not made: those stay until they have ended, and the others need room.
func (t *logTable) apply(a *attempts, e *Entry, now int64, most int) (charges int, wait time.Duration, err error) {
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

func (t *logTable) count(before, after bool) {
	switch {
	case after && !before:
		t.blocks++
	case before && !after:
		t.blocks--
	}
}

func (t *logTable) remove(d digest, a *attempts) {
	t.count(a.blocks, false)
	delete(t.logs, d)
}

// evict removes one that has expired, or else, of the logs with as many charges
// as most have, the one whose last is oldest; but none that blocks still.
//
// To have c charges at a key forgotten, a stranger thus has to bring a fair share
// of the logs to c charges after them. The fewest charges first would be cheaper:
// where all others block, or have many charges, a single guess at another key
// would do. So would the soonest to expire, among windows of different length.
func (t *logTable) evict(now int64) bool {
	var having [maxTries + 1]int // how many logs have so many charges
	for d, a := range t.logs {
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
	var victim digest
	var oldest *attempts
	for d, a := range t.logs {
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
func (t *logTable) sweep(now int64) {
	for d, a := range t.logs {
		if now >= a.until {
			t.remove(d, a)
		}
	}
	if len(t.logs)*4 < t.peak {
		logs := make(map[digest]*attempts, len(t.logs))
		for d, a := range t.logs {
			logs[d] = a
		}
		t.logs, t.peak = logs, len(logs)
	}
}
