package issuer

import (
	"container/heap"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// MemoryStore is a [Store] for one process: sessions end with it. It holds one record
// for each session that was issued and has not expired, also if it has ended. Strangers
// can't add records. Every write removes up to four records that have expired.
//
// Its zero value refuses: use NewMemoryStore.
type MemoryStore struct {
	mu       sync.Mutex
	records  map[sessionID]*kept
	subjects map[string]*kept // the first of a list for each subject
	expiries expiries
}

// kept is a record with its place in the heap, and its neighbours in the list of its
// subject's records. It has as few pointers as possible, because the garbage collector
// follows each of them in each of many sessions.
type kept struct {
	id             sessionID
	subject        string
	version        uint64
	expiry         int64 // in milliseconds since 1970
	data           []byte
	place          int
	previous, next *kept
}

// sessionID is Record.Session without a pointer.
type sessionID struct {
	size uint8
	text [32]byte
}

// idOf returns the sessionID of a session, and false if it is longer than a
// Record's may be.
func idOf(session string) (id sessionID, ok bool) {
	id.size = uint8(copy(id.text[:], session))
	return id, int(id.size) == len(session)
}

func (id sessionID) String() string { return string(id.text[:id.size]) }

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{records: make(map[sessionID]*kept), subjects: make(map[string]*kept)}
}

var (
	errNoStore   = errors.New("issuer: the MemoryStore was not made by NewMemoryStore")
	errSessionID = errors.New("issuer: Record.Session is longer than 32 bytes")
)

// Load implements [Store].
func (m *MemoryStore) Load(ctx context.Context, session string) (Record, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, err := m.begin(ctx)
	if err != nil {
		return Record{}, now, err
	}
	id, ok := idOf(session)
	if k := m.records[id]; ok && k.lives(now) {
		return k.record(session), now, nil
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
	id, ok := idOf(r.Session)
	if !ok {
		return false, errSessionID
	}
	m.sweep(now) // here, so that no goroutine has to be stopped
	k := m.records[id]
	if k != nil && !k.lives(now) {
		m.remove(k)
		k = nil
	}
	if k == nil {
		if r.Version != 1 {
			return false, nil
		}
		m.add(id, r)
		return true, nil
	}
	if r.Version != k.version+1 {
		return false, nil
	}
	// The data is copied: the caller may reuse its slice.
	k.version, k.expiry, k.data = r.Version, r.Expiry.UnixMilli(), slices.Clone(r.Data)
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
		if k.lives(now) {
			records = append(records, k.record(k.id.String()))
		}
	}
	return records, nil
}

// begin refuses a zero store and a context that has ended, and reads the clock. It is
// called under the lock: a Load that begins after a Swap has a later time.
func (m *MemoryStore) begin(ctx context.Context) (time.Time, error) {
	if m.records == nil {
		return time.Time{}, errNoStore
	}
	return time.Now(), ctx.Err()
}

// sweep removes a few records that have expired, more than a write can add.
func (m *MemoryStore) sweep(now time.Time) {
	for range 4 {
		if len(m.expiries) == 0 || m.expiries[0].lives(now) {
			return
		}
		m.remove(m.expiries[0])
	}
}

func (m *MemoryStore) add(id sessionID, r Record) {
	k := &kept{
		id: id, subject: r.Subject, version: r.Version, expiry: r.Expiry.UnixMilli(), data: slices.Clone(r.Data),
		next: m.subjects[r.Subject],
	}
	if k.next != nil {
		k.next.previous = k
	}
	m.subjects[r.Subject] = k
	m.records[id] = k
	heap.Push(&m.expiries, k)
}

func (m *MemoryStore) remove(k *kept) {
	heap.Remove(&m.expiries, k.place)
	delete(m.records, k.id)
	if k.next != nil {
		k.next.previous = k.previous
	}
	switch {
	case k.previous != nil:
		k.previous.next = k.next
	case k.next != nil:
		m.subjects[k.subject] = k.next
	default:
		delete(m.subjects, k.subject)
	}
}

// lives reports whether k is there and has not expired.
func (k *kept) lives(now time.Time) bool { return k != nil && now.UnixMilli() < k.expiry }

// record returns what k keeps of a session.
func (k *kept) record(session string) Record {
	return Record{session, k.subject, k.version, time.UnixMilli(k.expiry), slices.Clone(k.data)}
}

// expiries is a heap of records, the next to expire first.
type expiries []*kept

func (h expiries) Len() int           { return len(h) }
func (h expiries) Less(i, j int) bool { return h[i].expiry < h[j].expiry }
func (h expiries) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].place, h[j].place = i, j }
func (h *expiries) Push(x any)        { k := x.(*kept); k.place = len(*h); *h = append(*h, k) }
func (h *expiries) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	return last
}
