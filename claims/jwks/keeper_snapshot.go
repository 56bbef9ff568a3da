package jwks

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// snapshot is a whole set at one moment. It never changes.
type snapshot struct {
	asked time.Time // when it was asked for: how old it is counts from there
	keys  []*claims.Key
	known map[identity]*claims.Key
	index map[claims.Header][]*claims.Key // also by algorithm alone, under kid ""

	// Of files:
	fixed claims.KeySet             // the same keys
	dates map[*claims.Key]*validity // of the keys that are in certificates

	digest [sha256.Size]byte // of the document, if there is one
	notes  []note            // what the log says of it; lapsed adds what depends on the time
}

// offers reports whether any key can be used.
func (s *snapshot) offers(now time.Time) bool {
	return len(s.dates) < len(s.keys) ||
		slices.ContainsFunc(s.keys, func(k *claims.Key) bool { return s.dates[k].holds(now) })
}

// valid returns those of keys that can be used now.
func (s *snapshot) valid(keys []*claims.Key) []*claims.Key {
	if len(s.dates) == 0 {
		return keys
	}
	now := time.Now()
	lapsed := func(k *claims.Key) bool { return !s.dates[k].holds(now) }
	// The slice is shared: it is copied if a key must be left out, which is rare.
	if !slices.ContainsFunc(keys, lapsed) {
		return keys
	}
	return slices.DeleteFunc(slices.Clone(keys), lapsed)
}

// lapsed says of each key that can't be used now why not.
func (s *snapshot) lapsed(now time.Time) (notes []note) {
	for _, k := range s.keys {
		if v := s.dates[k]; !v.holds(now) {
			notes = append(notes, v.note(now))
		}
	}
	return notes
}

// note is something about one key of a document that belongs in the log.
type note struct {
	where   string
	reason  error
	skipped bool
}

var (
	errPrivate   = errors.New("it came with its private half: whoever can read this set can sign")
	errDuplicate = fmt.Errorf("%w: another key has this kid and algorithm", errKey)
)

// assemble makes a snapshot of entries. Entries that are different keys under
// one name are left out, all of them.
//
// A name is kid and algorithm together, as a header asks for them. To take the
// first of two, or the last, would let the order of a document decide whose
// signature counts. It takes two passes, since the second key of a name also spoils
// the first. Keys without kid have no name and are never disputed.
func assemble(entries []entry, asked time.Time) (*snapshot, []note) {
	names := make(map[claims.Header]identity)
	disputed := make(map[claims.Header]bool)
	for _, e := range entries {
		h := claims.Header{Algorithm: e.id.alg, KeyID: e.id.kid}
		if first, ok := names[h]; ok && h.KeyID != "" && first != e.id {
			disputed[h] = true
		}
		names[h] = e.id
	}
	s := &snapshot{
		asked: asked,
		known: make(map[identity]*claims.Key),
		index: make(map[claims.Header][]*claims.Key),
		dates: make(map[*claims.Key]*validity),
	}
	var notes []note
	for _, e := range entries {
		h := claims.Header{Algorithm: e.id.alg, KeyID: e.id.kid}
		if disputed[h] {
			notes = append(notes, note{e.key.String(), errDuplicate, true})
			continue
		}
		if s.known[e.id] != nil {
			continue // the same key once more
		}
		s.known[e.id] = e.key
		s.keys = append(s.keys, e.key)
		if e.dates != nil {
			s.dates[e.key] = e.dates
		}
		s.index[claims.Header{Algorithm: h.Algorithm}] = append(s.index[claims.Header{Algorithm: h.Algorithm}], e.key)
		if h.KeyID != "" {
			s.index[h] = append(s.index[h], e.key)
		}
	}
	return s, notes
}

// described joins notes for one line of a log, and counts the skipped keys.
func described(notes []note) (text string, skipped int) {
	const most = 10
	var lines []string
	for i, n := range notes {
		if n.skipped {
			skipped++
		}
		if i < most {
			lines = append(lines, n.where+": "+n.reason.Error())
		}
	}
	if len(notes) > most {
		lines = append(lines, fmt.Sprintf("and %d more", len(notes)-most))
	}
	return strings.Join(lines, "; "), skipped
}
