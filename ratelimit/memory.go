package ratelimit

import (
	"context"
	"errors"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/named"
)

// A MemoryStore is a [Store] in the memory of one process. What it knows ends with the
// process and is not shared: behind several processes each grants the limit anew.
// Memory is bounded: a bucket takes 24 bytes in a table that is two thirds to four
// fifths full while it grows.
//
// # At the bound
//
// A new bucket takes the place of the fullest one: of a sample, the one that would be
// full again first. A bucket that is exhausted is never removed, so a flood of other
// keys frees nobody. If all are exhausted, new keys share overflow buckets, each under
// the limit of one key. So the flood gets no further, and keys that are known are not
// affected.
//
// # Keys and time
//
// Keys are kept as 128-bit digests under a secret of the store, never in plaintext.
// Time is monotonic: setting the clock changes nothing. Nothing runs in the
// background. What has expired is removed piece by piece by the requests themselves,
// some four thousand buckets at a time; then tables shrink.
type MemoryStore struct {
	secret named.Secret
	spill  named.Digest // marks overflow buckets
	base   time.Time
	shards []shard
	mask   uint64
	bound  int // buckets in a shard

	_     [64]byte // what follows is written, what precedes is only read
	due   atomic.Int64
	swept atomic.Uint64
}

// shard is a part of the store under its own lock, small enough to be swept within a
// request. The clock is read under the lock, so that times in a shard only grow.
type shard struct {
	mu    sync.Mutex
	cells table
	_     [64]byte // no two shards in one cache line
}

const (
	shardKeys  = 4096                  // buckets in a shard at the bound
	sweepEvery = 10 * time.Millisecond // at most one shard
	overflows  = 16                    // overflow buckets of a policy in a shard
)

// NewMemoryStore makes a store for about maxKeys keys: 0 means a million, less than
// 4096 means 4096. Each shard has a fixed part of that, and keys are spread by chance,
// so the first shard may be full when a few per cent are still missing.
func NewMemoryStore(maxKeys int) *MemoryStore {
	if maxKeys == 0 {
		maxKeys = 1 << 20
	}
	n := 1 << bits.Len(uint(max(maxKeys, shardKeys)-1)/shardKeys)
	m := &MemoryStore{
		secret: named.NewSecret(),
		base:   time.Now(),
		shards: make([]shard, n),
		mask:   uint64(n - 1),
		bound:  max(maxKeys, shardKeys) / n,
	}
	m.spill = m.space("overflow")
	return m
}

// time is nanoseconds since the store was made, never 0.
func (m *MemoryStore) time() int64 { return int64(time.Since(m.base)) + 1 }

// space is the policy's share of a digest.
func (m *MemoryStore) space(policy string) named.Digest { return m.secret.Space(policy) }

func (m *MemoryStore) shard(d named.Digest) *shard { return &m.shards[d.Lo&m.mask] }

// takeOne is Take of one cell that is known to be valid. It allocates nothing but the
// growth of the table.
func (m *MemoryStore) takeOne(space named.Digest, key string, cost, interval, tolerance time.Duration) (debt time.Duration, ok bool) {
	d := m.secret.Digest(space, key)
	s := m.shard(d)
	s.mu.Lock()
	now := m.time()
	if i, found := s.cells.find(d); found {
		slot := &s.cells.slots[i]
		debt, ok = spend(slot.debt(now), cost, tolerance)
		slot.set(now, debt, interval, tolerance)
	} else if d, room := m.room(s, space, d, now); room {
		debt, ok = spend(s.cells.debt(d, now), cost, tolerance)
		s.cells.put(d, now, debt, interval, tolerance)
	} else {
		debt = tolerance // as if its bucket were empty: to be asked again much later
	}
	s.mu.Unlock()
	m.tidy(now)
	return debt, ok
}

// room returns the digest under which d is to be counted: its own, or that of an
// overflow bucket if the shard is full of buckets that must stay. It is false if there
// is no room for an overflow bucket either, which takes more than thirty policies.
func (m *MemoryStore) room(s *shard, space, d named.Digest, now int64) (named.Digest, bool) {
	if s.cells.has(d) || s.cells.used < m.bound || s.cells.evict(now) {
		return d, true
	}
	// An overflow bucket is named by the policy and one of 16 numbers: a flood gets 16
	// limits in a shard, however many keys it has. The lower bits of Lo choose the
	// shard. They stay those of d, as only this shard is locked.
	o := named.Digest{
		Hi: space.Hi ^ m.spill.Hi ^ d.Hi%overflows,
		Lo: (space.Lo^m.spill.Lo)&^m.mask | d.Lo&m.mask,
	}
	// An eighth more is for them alone, or a flood of one policy would leave no
	// overflow buckets for the others.
	return o, s.cells.has(o) || s.cells.used < m.bound+m.bound/8
}

// Take is [Store.Take].
func (m *MemoryStore) Take(_ context.Context, cells []Cell) (bool, error) {
	if err := validateCells(cells); err != nil {
		return false, err
	}
	var spaces, digests [maxCells]named.Digest
	for i, c := range cells {
		spaces[i] = m.space(c.Policy)
		digests[i] = m.secret.Digest(spaces[i], c.Key)
	}
	held := m.order(digests[:len(cells)])
	m.lockAll(&held)
	now := m.time()
	ok := m.takeLocked(cells, &spaces, &digests, now)
	m.unlockAll(&held)
	m.tidy(now)
	return ok, nil
}

// takeLocked is Take of cells whose shards are locked.
func (m *MemoryStore) takeLocked(cells []Cell, spaces, digests *[maxCells]named.Digest, now int64) bool {
	ok := true
	for i := range cells {
		c := &cells[i]
		var room, granted bool
		// All are asked, also after one has refused: each Debt is to be set.
		if digests[i], room = m.room(m.shard(digests[i]), spaces[i], digests[i], now); !room {
			c.Debt, ok = c.Tolerance, false
			continue
		}
		c.Debt = m.shard(digests[i]).cells.debt(digests[i], now)
		_, granted = spend(c.Debt, c.Cost, c.Tolerance)
		ok = ok && granted
	}
	if !ok {
		return false
	}
	for i := range cells {
		c := &cells[i]
		c.Debt += c.Cost
		m.shard(digests[i]).cells.put(digests[i], now, c.Debt, c.Interval, c.Tolerance)
	}
	return true
}

func validateCells(cells []Cell) error {
	if len(cells) < 1 || len(cells) > maxCells {
		return errors.New("ratelimit: Take of no cells or too many")
	}
	for _, c := range cells {
		if c.Cost <= 0 || c.Cost > c.Tolerance || c.Tolerance > maxTolerance || c.Interval <= 0 {
			return errors.New("ratelimit: Cell out of range")
		}
	}
	return nil
}

// inOrder is the shards of several cells, in ascending order and each once. All callers
// lock in this order, so that no two wait for each other.
type inOrder struct {
	shards [maxCells]uint64
	n      int
}

func (m *MemoryStore) order(digests []named.Digest) (o inOrder) {
	for _, d := range digests {
		shard := d.Lo & m.mask
		i := o.n
		for i > 0 && o.shards[i-1] > shard {
			i--
		}
		if i > 0 && o.shards[i-1] == shard {
			continue
		}
		copy(o.shards[i+1:o.n+1], o.shards[i:o.n])
		o.shards[i] = shard
		o.n++
	}
	return o
}

func (m *MemoryStore) lockAll(o *inOrder) {
	for _, i := range o.shards[:o.n] {
		m.shards[i].mu.Lock()
	}
}

func (m *MemoryStore) unlockAll(o *inOrder) {
	for _, i := range o.shards[:o.n] {
		m.shards[i].mu.Unlock()
	}
}

// tidy sweeps if that is due. The caller holds no shard.
func (m *MemoryStore) tidy(now int64) {
	if due := m.due.Load(); now >= due {
		m.sweep(now, due)
	}
}

// sweep removes what has expired from one shard, the next one in turn. One caller does
// it, the others go on.
func (m *MemoryStore) sweep(now, due int64) {
	if !m.due.CompareAndSwap(due, now+int64(sweepEvery)) {
		return
	}
	s := &m.shards[m.swept.Add(1)&m.mask]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cells.sweep(now)
}
