package lockout

import (
	"slices"
	"time"
)

// attempts is the record of one key: its charges, oldest first.
type attempts struct {
	charges []charge
	blocks  bool  // full: stays whatever happens
	until   int64 // when it says nothing any more; 0 without charges
}

// charge is one guess that was paid for.
type charge struct {
	at      int64
	receipt uint64
}

// apply is the arithmetic of lockouts, as [Store.Apply] describes it. All stores in Go
// use it. Redis has it again in Lua, and a test compares the two.
func (a *attempts) apply(e *Entry, now int64) (charges int, wait time.Duration) {
	a.forget(e, now)
	switch e.Op {
	case OpClear:
		a.charges = a.charges[:0]
	case OpRefund:
		// By receipt: the charge of another guess, or one that was forgiven
		// meanwhile, is not this guess's to take back.
		a.charges = slices.DeleteFunc(a.charges, func(c charge) bool { return c.receipt == e.Receipt })
	case OpCharge:
		// A charge that is there already was sent again, since its reply was lost.
		made := slices.ContainsFunc(a.charges, func(c charge) bool { return c.receipt == e.Receipt })
		if !made && len(a.charges) < e.Tries {
			a.charges = append(a.charges, charge{now, e.Receipt})
			made = true
		}
		if made {
			// The last charge fills the record and still buys a look: no wait.
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

// forget drops what has expired: of a full record everything at once, else the
// charges that are older than the window.
func (a *attempts) forget(e *Entry, now int64) {
	n := len(a.charges)
	if n >= e.Tries {
		// The window is not asked: charges that it would drop hold up the block.
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

// settle works out what the charges mean: whether they block, and until when the last
// of them matters.
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
