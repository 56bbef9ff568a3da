package lockout

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/named"
)

// shard is a part of a MemoryStore under its own lock. Every record is found by its
// digest, by when it expires, and, unless it blocks, by how many charges it has. So
// no step looks at more than a few records, however many there are.
type shard struct {
	mu       sync.Mutex
	records  table
	blocking deadlines // of the records that block
	counting deadlines // of the others
	queues   []queue   // of the others, by their charges

	_ [64]byte // no two shards in one cache line
}

// kept is the record of one key in a shard.
type kept struct {
	attempts
	digest       named.Digest
	next         *kept // in its bucket of the table
	older, newer *kept // in its queue
	place        int   // in its deadlines
}

var errFull = errors.New("lockout: MemoryStore is full of records that block")

// apply applies e to the record of d. bound is how many records there may be.
func (s *shard) apply(d named.Digest, e *Entry, now int64, bound int) (charges int, wait time.Duration, err error) {
	k := s.records.find(d)
	known := k != nil
	if !known {
		// Only a charge makes a record: asking for a status must not fill memory.
		if e.Op != OpCharge {
			return 0, 0, nil
		}
		if k, err = s.add(d, e.Tries, now, bound); err != nil {
			return 0, 0, err
		}
	}
	before := k.listed()
	charges, wait = k.apply(e, now)
	// The charge by which too many would block is taken back: what blocks stays until
	// its block ends, and other keys would find no room. A record that blocks because
	// Tries is lower now than it was is left alone.
	if k.blocks && !before.blocks && e.Op == OpCharge && wait == 0 && !s.mayBlock(now, bound/2) {
		undo := *e
		undo.Op = OpRefund
		k.apply(&undo, now)
		charges, wait, err = 0, 0, errFull
	}
	if known {
		s.relist(k, before)
	} else {
		s.list(k)
	}
	return charges, wait, err
}

// mayBlock reports whether one more record may block.
func (s *shard) mayBlock(now int64, most int) bool {
	// Blocks that have ended may not have been swept yet.
	for len(s.blocking) >= most && s.blocking.expired(now) {
		s.remove(s.blocking[0].record)
	}
	return len(s.blocking) < most
}

// add makes an empty record, at the bound in the place of another. It is to be listed
// when it has its first charge.
func (s *shard) add(d named.Digest, tries int, now int64, bound int) (*kept, error) {
	k := new(kept)
	if s.records.size >= bound {
		// The memory of the other is used again: a flood leaves no garbage.
		if k = s.evict(now); k == nil {
			return nil, errFull
		}
	}
	charges := k.charges[:0]
	if charges == nil {
		// Room for the charges of most lockouts. With a hundred tries, a flood of
		// single guesses would else take twenty times as much.
		charges = make([]charge, 0, min(tries, 8))
	}
	*k = kept{digest: d, attempts: attempts{charges: charges}}
	s.records.add(k)
	return k, nil
}

// listing is what the lists go by.
type listing struct {
	blocks  bool
	charges int
	until   int64
}

func (k *kept) listed() listing { return listing{k.blocks, len(k.charges), k.until} }

// list puts a record into the lists that it belongs to now.
func (s *shard) list(k *kept) {
	if k.blocks {
		s.blocking.push(k)
		return
	}
	s.counting.push(k)
	s.queue(len(k.charges)).push(k)
}

// unlist takes a record out of the lists that it was put into as what it said then.
func (s *shard) unlist(k *kept, as listing) {
	if as.blocks {
		s.blocking.remove(k.place)
		return
	}
	s.counting.remove(k.place)
	s.queues[as.charges].remove(k)
}

// relist moves a record to the lists that it belongs to now.
func (s *shard) relist(k *kept, before listing) {
	switch now := k.listed(); {
	case now == before: // a status, or a guess while it blocks: it stays where it is
	case now.blocks || before.blocks:
		s.unlist(k, before)
		s.list(k)
	default:
		s.counting.update(k)
		s.queues[before.charges].remove(k)
		s.queue(now.charges).push(k)
	}
}

// queue is that of the records with n charges.
func (s *shard) queue(n int) *queue {
	for len(s.queues) <= n {
		s.queues = append(s.queues, queue{})
	}
	return &s.queues[n]
}

// remove forgets a record, and returns it.
func (s *shard) remove(k *kept) *kept {
	s.unlist(k, k.listed())
	s.records.remove(k)
	return k
}

// evict makes room for one record. It forgets one that has expired. If there is none,
// it takes the records with as many charges as most have, and forgets the one that was
// left alone the longest. It never forgets one that blocks. The record that it forgot is
// returned; nil if all block.
//
// To push out a key with c charges, an attacker must first put c charges on a large
// share of all other keys. Two simpler rules were rejected. Evicting the record with
// the fewest charges: where most records block, one guess at another key pushes ours
// out. Evicting the one that expires first: a short window always loses to a long
// one.
func (s *shard) evict(now int64) *kept {
	switch {
	case s.counting.expired(now):
		return s.remove(s.counting[0].record)
	case s.blocking.expired(now):
		return s.remove(s.blocking[0].record)
	}
	// At most a hundred queues, and four with five tries.
	var most *queue
	for n := range s.queues {
		if q := &s.queues[n]; q.size > 0 && (most == nil || q.size > most.size) {
			most = q
		}
	}
	if most == nil {
		return nil
	}
	return s.remove(most.oldest)
}

// sweep removes what has expired, and gives memory back when most of it is unused.
func (s *shard) sweep(now int64) {
	for s.counting.expired(now) {
		s.remove(s.counting[0].record)
	}
	for s.blocking.expired(now) {
		s.remove(s.blocking[0].record)
	}
	// An eighth, or a shard that is used again and again would be copied each time.
	if s.records.size < len(s.records.buckets)/8 {
		s.records.resize(s.records.size)
		s.counting, s.blocking = slices.Clone(s.counting), slices.Clone(s.blocking)
	}
}
