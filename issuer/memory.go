package issuer

import (
	"container/heap"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// MemoryStore is a [Store] for one process: sessions end with it. It holds one
// record for each session that was issued and has not expired, ended ones
// included, so its memory is bounded by how many sessions the application
// issues within their life; strangers add none. Every write removes up to a few
// records that have expired.
//
// Its zero value refuses: use NewMemoryStore.
type MemoryStore struct {
	mu       sync.Mutex
	records  map[string]*kept
	subjects map[string]*kept // the first of a list for each subject
	expiries expiries
}

// kept is a record with its place in the heap, and its neighbours in the list
// of its subject's.
type kept struct {
	Record
	place          int
	previous, next *kept
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{records: make(map[string]*kept), subjects: make(map[string]*kept)}
}

var errNoStore = errors.New("issuer: the MemoryStore was not made by NewMemoryStore")

// Load implements [Store].
func (m *MemoryStore) Load(ctx context.Context, session string) (Record, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, err := m.begin(ctx)
	if err != nil {
		return Record{}, now, err
	}
	if k := m.records[session]; k != nil && now.Before(k.Expiry) {
		return k.copied(), now, nil
	}
	return Record{}, now, nil
}

// Swap implements [Store].
func (m *MemoryStore) Swap(ctx context.Context, r Record) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, err := m.begin(ctx)
	if err != nil {
		return false, err
	}
	m.sweep(now)
	k := m.records[r.Session]
	if k != nil && !now.Before(k.Expiry) {
		m.remove(k)
		k = nil
	}
	if k == nil {
		if r.Version != 1 {
			return false, nil
		}
		m.add(r)
		return true, nil
	}
	if r.Version != k.Version+1 {
		return false, nil
	}
	r.Session, r.Subject = k.Session, k.Subject
	r.Data = slices.Clone(r.Data)
	k.Record = r
	heap.Fix(&m.expiries, k.place)
	return true, nil
}

// List implements [Store].
func (m *MemoryStore) List(ctx context.Context, subject string) ([]Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	var records []Record
	for k := m.subjects[subject]; k != nil; k = k.next {
		if now.Before(k.Expiry) {
			records = append(records, k.copied())
		}
	}
	return records, nil
}

// begin refuses what can't be done, and reads the clock.
func (m *MemoryStore) begin(ctx context.Context) (time.Time, error) {
	if m.records == nil {
		return time.Time{}, errNoStore
	}
	return time.Now(), ctx.Err()
}

// sweep removes a few records that have expired, more than a write can add.
func (m *MemoryStore) sweep(now time.Time) {
	for range 4 {
		if len(m.expiries) == 0 || now.Before(m.expiries[0].Expiry) {
			return
		}
		m.remove(m.expiries[0])
	}
}

func (m *MemoryStore) add(r Record) {
	r.Data = slices.Clone(r.Data)
	k := &kept{Record: r, next: m.subjects[r.Subject]}
	if k.next != nil {
		k.next.previous = k
	}
	m.subjects[r.Subject] = k
	m.records[r.Session] = k
	heap.Push(&m.expiries, k)
}

func (m *MemoryStore) remove(k *kept) {
	heap.Remove(&m.expiries, k.place)
	delete(m.records, k.Session)
	if k.next != nil {
		k.next.previous = k.previous
	}
	switch {
	case k.previous != nil:
		k.previous.next = k.next
	case k.next != nil:
		m.subjects[k.Subject] = k.next
	default:
		delete(m.subjects, k.Subject)
	}
}

func (k *kept) copied() Record {
	r := k.Record
	r.Data = slices.Clone(r.Data)
	return r
}

// expiries is a heap of records, the next to expire first.
type expiries []*kept

func (h expiries) Len() int           { return len(h) }
func (h expiries) Less(i, j int) bool { return h[i].Expiry.Before(h[j].Expiry) }
func (h expiries) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].place, h[j].place = i, j }
func (h *expiries) Push(x any)        { k := x.(*kept); k.place = len(*h); *h = append(*h, k) }
func (h *expiries) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	return last
}
