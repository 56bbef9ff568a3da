package lockout

import (
	"context"
	"errors"
	"time"
)

// A Store keeps the records of lockouts and knows no policy: what it needs to
// decide comes with each call. [MemoryStore] is one for a single process. Package
// lockouttest proves others.
//
// Laws:
//
//   - Apply is one atomic step, for all callers on all machines that share the
//     store.
//   - Time is the store's own clock. It is read once inside that step, and it never
//     runs backwards. No time is passed in, none is returned; durations are. The
//     clock may tick in microseconds.
//   - Name and Key together name the record. No pair may collide with another,
//     whatever bytes the two contain. A key has at most 128 bytes and is not kept in
//     plaintext longer than needed.
//   - A record whose charges have expired disappears by itself. Until then nothing
//     may remove it, least of all a lack of room while it blocks.
//   - On error the caller must assume that the step may have been taken. A store
//     never answers what it does not know; refusing is the caller's part.
//   - It returns soon after its context has ended.
//
// A Store is safe for concurrent use.
type Store interface {
	// Apply applies one entry to the record of a key, as the [Op] says. It returns
	// how many charges the record has afterwards, and how long the key is still
	// blocked, 0 if it is not. For [OpCharge] a positive wait says that the key was
	// blocked before and the charge was not made. The charge that fills the record
	// was made, and its wait is 0.
	//
	// A charge stands until it is older than Window. A record of Tries charges (or
	// more, if Tries was higher before) is full: it blocks until Block after its
	// last charge and loses no charge meanwhile. Exactly then all are forgotten.
	Apply(ctx context.Context, e Entry) (charges int, wait time.Duration, err error)
}

// An Entry is one step in the record of a key.
type Entry struct {
	Name, Key string
	Op        Op
	Receipt   uint64 // names a charge: chosen by the caller, unique, all 64 bits count
	Tries     int    // 1 to 100
	Window    time.Duration
	Block     time.Duration // both whole microseconds, at most 366 days
}

// An Op is what an [Entry] does.
type Op int

const (
	OpCharge Op = iota + 1 // adds a charge under Receipt; once only, however often the same is sent
	OpRefund               // takes back the charge of Receipt, if it still stands; no other
	OpClear                // forgets all charges, and so ends a block
	OpPeek                 // changes nothing
)

func (e *Entry) validate() error {
	switch {
	case e.Op < OpCharge || e.Op > OpPeek:
		return errors.New("lockout: Entry.Op is unknown")
	case e.Tries < 1 || e.Tries > maxTries || !isSpan(e.Window) || !isSpan(e.Block):
		return errors.New("lockout: Entry out of range")
	}
	return nil
}
