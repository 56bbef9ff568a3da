package lockout

import (
	"math/bits"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/named"
)

// table finds records by their digests, which are random and serve as hashes as they
// are. It has at least as many buckets as records. A Go map would hash the digests
// again, which an attempt would feel, and never shrinks.
type table struct {
	buckets []*kept // lists; a power of two of them, or none
	size    int     // how many records
}

// bucket is the head of the list that a digest belongs to. It goes by Hi, as Lo chose
// the shard.
func (t *table) bucket(d named.Digest) **kept {
	return &t.buckets[d.Hi&uint64(len(t.buckets)-1)]
}

// find returns the record of d, or nil.
func (t *table) find(d named.Digest) *kept {
	if t.size == 0 {
		return nil
	}
	k := *t.bucket(d)
	for k != nil && k.digest != d {
		k = k.next
	}
	return k
}

// add adds a record that isn't there.
func (t *table) add(k *kept) {
	if t.size == len(t.buckets) { // lists of one or two
		t.resize(max(8, 2*t.size))
	}
	t.size++
	b := t.bucket(k.digest)
	k.next, *b = *b, k
}

// remove removes a record that is there.
func (t *table) remove(k *kept) {
	b := t.bucket(k.digest)
	for *b != k {
		b = &(*b).next
	}
	*b = k.next
	t.size--
}

// resize makes at least n buckets anew.
func (t *table) resize(n int) {
	old := t.buckets
	t.buckets = nil
	if n > 0 {
		t.buckets = make([]*kept, 1<<bits.Len(uint(n-1)))
	}
	for _, k := range old {
		for k != nil {
			next := k.next
			b := t.bucket(k.digest)
			k.next, *b = *b, k
			k = next
		}
	}
}
