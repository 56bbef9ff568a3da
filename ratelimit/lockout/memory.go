package lockout

import (
	"context"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/named"
)

// A MemoryStore is a [Store] in the memory of one process. What it knows ends with
// the process and is not shared: behind several processes each gives all tries anew,
// and a restart forgets every block. Memory is bounded: a record takes some 200 bytes.
//
// # At the bound
//
// No rule can both bound memory and never forget a block. This one never forgets a
// block. When half of the records block, the last try of every other key is refused
// unseen, with an error that the [Lockout] logs once a minute. Keys keep all tries
// but the last; with Tries 1 that is none.
//
// A new key takes the place of a record that does not block: of those with as many
// charges as most have, the one that was left alone the longest. With the default
// bound and 5 tries it takes some 16,000 guesses at other keys for each key that is
// so forgotten. Against such a flood limit guesses by address, make the store larger,
// or keep lockouts on disk, with issuer/recovery.
//
// A guess costs about the same in a full store as in an empty one.
//
// # Keys and time
//
// Keys are kept as 128-bit digests under a secret of the store, never in plaintext.
// Time is monotonic: setting the clock changes nothing. Nothing runs in the
// background. What has expired is removed piece by piece by the requests themselves.
type MemoryStore struct {
	secret named.Secret
	base   time.Time
	shards []shard
	mask   uint64
	bound  int // records in a shard

	_     [64]byte // what follows is written, what precedes is only read
	due   atomic.Int64
	swept atomic.Uint64
}

const (
	shardKeys  = 512                   // records in a shard at the bound
	sweepEvery = 10 * time.Millisecond // at most one shard
)

// NewMemoryStore makes a store for about maxKeys keys: 0 means 131,072, less than 512
// means 512. Each shard has a fixed part of that, and keys are spread by chance, so
// a shard may be full when the store has room for a few per cent more.
func NewMemoryStore(maxKeys int) *MemoryStore {
	if maxKeys == 0 {
		maxKeys = 1 << 17
	}
	n := 1 << bits.Len(uint(max(maxKeys, shardKeys)-1)/shardKeys)
	return &MemoryStore{
		secret: named.NewSecret(),
		base:   time.Now(),
		shards: make([]shard, n),
		mask:   uint64(n - 1),
		bound:  max(maxKeys, shardKeys) / n,
	}
}

// time is nanoseconds since the store was made, never 0.
func (m *MemoryStore) time() int64 { return int64(time.Since(m.base)) + 1 }

// Apply is [Store.Apply].
func (m *MemoryStore) Apply(_ context.Context, e Entry) (charges int, wait time.Duration, err error) {
	if err := e.validate(); err != nil {
		return 0, 0, err
	}
	return m.apply(m.secret.Digest(m.secret.Space(e.Name), e.Key), &e)
}

// apply is Apply of an entry that is known to be valid.
func (m *MemoryStore) apply(d named.Digest, e *Entry) (charges int, wait time.Duration, err error) {
	s := &m.shards[d.Lo&m.mask]
	s.mu.Lock()
	now := m.time()
	charges, wait, err = s.apply(d, e, now, m.bound)
	s.mu.Unlock()
	if due := m.due.Load(); now >= due { // after the lock, as sweep takes another
		m.sweep(now, due)
	}
	return charges, wait, err
}

// sweep removes what has expired from one shard, the next one in turn. One
// caller does it, the others go on.
func (m *MemoryStore) sweep(now, due int64) {
	if !m.due.CompareAndSwap(due, now+int64(sweepEvery)) {
		return // somebody else does
	}
	s := &m.shards[m.swept.Add(1)&m.mask]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
}
