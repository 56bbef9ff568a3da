package claims

import (
	"context"
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultRemember = 16 << 10
	maxRemember     = 1 << 24
	// ways is how many places a token may be remembered in: those of its group.
	ways = 8
	// groupBytes bounds how long the tokens of a group may be together. The claims
	// that are kept of a token are about as long as the token itself.
	groupBytes = ways * 2 << 10
)

// tokenMemory remembers verified tokens by their SHA-256, so that a token that
// comes again costs a digest and a look-up instead of a signature check.
//
// It never changes an answer. It spares reading the token and checking its
// signature, which come out the same each time. Two things can change: whether the
// key set offers the key, and the dates. They are checked for every request, by the
// code that checked them the first time. Only tokens that passed get in, so that
// strangers can't fill it. No token is kept.
//
// A token has its place in one group of eight. A group that is full, or whose
// tokens are too long together, drops those that have expired, or else any. That
// bounds the memory without bookkeeping, and reads take no lock.
//
// The groups are made when the first token comes: of a thousand verifiers that are
// joined only the joined one remembers anything.
type tokenMemory[T any] struct {
	groups atomic.Pointer[[]group[T]]
	size   int        // how many groups there are, a power of two
	mu     sync.Mutex // held while a group is changed; readers don't take it
}

type group[T any] [ways]atomic.Pointer[verified[T]]

type digest [sha256.Size]byte

// home is where a token is looked for first in its group. It is taken from other
// bits than the group, so that the tokens of a group have different homes.
func (d *digest) home() int { return int(d[4]) % ways }

// digestOf hashes a token. Most are short enough to be hashed without a copy on
// the heap.
func digestOf(token string) digest {
	var short [1024]byte
	if len(token) > len(short) {
		return sha256.Sum256([]byte(token))
	}
	return sha256.Sum256(short[:copy(short[:], token)])
}

// verified is what a token said, from which issuer, and which key vouched for
// it.
type verified[T any] struct {
	digest digest
	bytes  int64 // of the token
	claims Claims[T]
	from   *trusted[T]
	header Header
	key    *Key
}

func newTokenMemory[T any](tokens int) *tokenMemory[T] {
	groups := 1
	for groups*ways < tokens {
		groups *= 2
	}
	return &tokenMemory[T]{size: groups}
}

// groupOf returns the group that a token belongs to.
func groupOf[T any](groups []group[T], d *digest) *group[T] {
	n := uint32(d[0]) | uint32(d[1])<<8 | uint32(d[2])<<16 | uint32(d[3])<<24
	// Bits of a SHA-256 are evenly spread. That somebody can find tokens of one group
	// does no harm: only tokens that the issuer signed get in.
	return &groups[n&uint32(len(groups)-1)]
}

// recall returns what is remembered of a token, nil if nothing is.
func (m *tokenMemory[T]) recall(d *digest) *verified[T] {
	groups := m.groups.Load()
	if groups == nil {
		return nil
	}
	g, home := groupOf(*groups, d), d.home()
	for i := range g {
		if r := g[(home+i)%ways].Load(); r != nil && r.digest == *d {
			return r
		}
	}
	return nil
}

// remember keeps r. It makes room by dropping the tokens that have expired and, if
// that is too little, others: first those that stand farthest from r's home.
func (m *tokenMemory[T]) remember(r *verified[T], now time.Time) {
	room := int64(groupBytes) - r.bytes
	if room < 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	groups := m.groups.Load()
	if groups == nil {
		made := make([]group[T], m.size)
		groups = &made
		m.groups.Store(groups)
	}
	g, home := groupOf(*groups, &r.digest), r.digest.home()
	// From far to near, so that the empty place nearest to home is found last and
	// taken. Without one the token at home goes.
	victim := &g[home]
	for i := ways - 1; i >= 0; i-- {
		place := &g[(home+i)%ways]
		old := place.Load()
		if old != nil && (old.digest == r.digest || old.from.gone.Load() || old.expired(now)) {
			place.Store(nil)
			old = nil
		}
		if old == nil {
			victim = place
		}
	}
	// From near to far: the near ones use up the room, and what doesn't fit goes.
	victim.Store(r)
	for i := range g {
		place := &g[(home+i)%ways]
		if old := place.Load(); old != nil && old != r {
			if room -= old.bytes; room < 0 {
				place.Store(nil)
			}
		}
	}
}

// expired reports whether no leeway can make r valid again.
func (r *verified[T]) expired(now time.Time) bool {
	return !r.claims.Expiry.IsZero() && now.After(r.claims.Expiry.Add(maxLeeway))
}

// recheck judges a token that was verified before. It reports false where only
// a full check can tell: its key is no longer offered, or its issuer no longer
// trusted. A rule about issuers is asked again, since its answer may have changed.
func (r *verified[T]) recheck(ctx context.Context, clock func() time.Time) (bool, error) {
	if r.from.gone.Load() {
		return false, nil
	}
	if err := r.from.admits(ctx, r.claims.Issuer); err != nil {
		return false, err
	}
	// The key itself is compared, not its id: another key under the same kid verifies
	// another signature.
	keys, err := r.from.keysFor(ctx, r.header, r.claims.Issuer)
	if err != nil || !offered(keys, r.header, r.claims.Issuer, r.key) {
		return false, err
	}
	return true, r.from.checkDates(&r.claims, clock())
}
