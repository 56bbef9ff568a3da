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
		if now >= a.charges[n-1].at+int64(e.Block) {
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
		a.until = a.charges[n-1].at + int64(keep)
	}
}

// logTable holds the logs of a shard.
type logTable struct {
	logs map[digest]*attempts
	peak int // entries that the map has room for
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
	a := s.logs.logs[d]
	if a == nil && e.Op == OpCharge {
		if a = s.logs.add(d, now, e.Tries, max(m.bound/8, 1)); a == nil {
			err = errFull
		}
	}
	if a != nil {
		charges, wait = a.apply(e, now)
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
func (t *logTable) add(d digest, now int64, tries, bound int) *attempts {
	if len(t.logs) >= bound && !t.evict(now) {
		return nil
	}
	if t.logs == nil {
		t.logs = make(map[digest]*attempts)
	}
	a := &attempts{charges: make([]charge, 0, tries)}
	t.logs[d] = a
	t.peak = max(t.peak, len(t.logs))
	return a
}

// evict removes the log with the fewest charges of a few, of equals the
// oldest, but none that blocks still.
func (t *logTable) evict(now int64) bool {
	var victim digest
	var least *attempts
	n := 0
	for d, a := range t.logs {
		if n++; n > evictSample && least != nil {
			break
		}
		if a.blocks && a.until > now {
			continue
		}
		if least == nil || len(a.charges) < len(least.charges) || len(a.charges) == len(least.charges) && a.until < least.until {
			victim, least = d, a
		}
	}
	delete(t.logs, victim)
	return least != nil
}

// sweep removes the expired. A Go map never shrinks: one that was four times
// as large is made anew.
func (t *logTable) sweep(now int64) {
	for d, a := range t.logs {
		if now >= a.until {
			delete(t.logs, d)
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
