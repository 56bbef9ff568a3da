package jwks

import (
	"bytes"
	"fmt"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

var (
	// keyBounds are those of one key.
	keyBounds = strict.Bounds{Depth: 32, Members: 256}
	// discoveryBounds are those of an issuer's configuration. Two of its members
	// are read; what the others hold is not ours to judge.
	discoveryBounds = strict.Bounds{Depth: 32, Members: 4096, InnerDuplicates: true}
)

// rules say what is taken from a document.
type rules struct {
	algorithms []string
	each       bool     // the operator has named the algorithms: jwk.bind
	uses       []string // values of use besides sig
	maxKeys    int
}

// bounds are those of a whole set. They are generous: a key that exceeds its own
// bounds, or has duplicate members, is skipped later, and the others are used.
func (r rules) bounds() strict.Bounds {
	return strict.Bounds{Depth: 1000, Members: (r.maxKeys + 1) * keyBounds.Members, InnerDuplicates: true}
}

// entry is a usable key of a document.
type entry struct {
	id    identity
	key   *claims.Key
	dates *validity // nil unless it is in a certificate
}

// snapshot makes a snapshot of a document. One without a usable key is an error.
func (r rules) snapshot(doc []byte, known map[identity]*claims.Key, asked time.Time) (*snapshot, error) {
	entries, notes, err := r.parseSet(doc, known)
	if err != nil {
		return nil, err
	}
	s, more := assemble(entries, asked)
	s.notes = append(notes, more...)
	if len(s.keys) == 0 {
		return nil, noUsableKey(s.notes)
	}
	return s, nil
}

func noUsableKey(notes []note) error {
	text, _ := described(notes)
	return fmt.Errorf("%w: no usable key: %s", errDocument, text)
}

// parseSet reads a JWK Set (RFC 7517 §5). Keys that are in known stay the same
// object; those that can't be used are skipped with a reason.
func (r rules) parseSet(text []byte, known map[identity]*claims.Key) (entries []entry, notes []note, err error) {
	// Two steps: a fault of the text fails the document, a fault of a key that key.
	// RFC 8259 §8.1: a byte order mark must not be written, and may be ignored. It is
	// what some editors put before a file, and it can't change what follows.
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	doc, err := object(text, r.bounds())
	if err != nil {
		return nil, nil, err
	}
	var keys [][]byte
	isArray, err := strict.Elements(doc.value("keys"), func(element []byte) error {
		keys = append(keys, element)
		return nil
	})
	if !isArray || err != nil {
		return nil, nil, fmt.Errorf("%w: no array of keys", errDocument)
	}
	if len(keys) > r.maxKeys {
		return nil, nil, fmt.Errorf("%w: %d keys, more than %d", errDocument, len(keys), r.maxKeys)
	}
	for i, text := range keys {
		// j has at least the kid, if that could be read, so that the log can name it.
		j, err := readJWK(text)
		where := fmt.Sprintf("key %d, kid %s", i, quoted(j.kid))
		var usable []entry
		if err == nil {
			usable, err = r.keysOf(j, known)
		}
		if err != nil {
			notes = append(notes, note{where, err, true})
			continue
		}
		if j.private {
			notes = append(notes, note{where, errPrivate, false})
		}
		entries = append(entries, usable...)
	}
	return entries, notes, nil
}

// keysOf returns the keys that j stands for, one for each algorithm that it gets. Those
// in known stay the same objects.
func (r rules) keysOf(j *jwk, known map[identity]*claims.Key) (entries []entry, err error) {
	algorithms, err := j.bind(r)
	if err != nil {
		return nil, err
	}
	for _, alg := range algorithms {
		j.alg = alg
		k := known[j.identity]
		if k == nil {
			if k, err = j.key(); err != nil {
				return nil, err
			}
		}
		entries = append(entries, entry{id: j.identity, key: k})
	}
	return entries, nil
}

// object reads one JSON object strictly, within bounds.
func object(text []byte, bounds strict.Bounds) (members, error) {
	m, err := strict.Object(text, bounds, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDocument, err)
	}
	return m, nil
}

// members are those of a JSON object. Their names are exact.
type members []strict.Member

// value returns the text of a member, nil if there is none. A member that is null is
// absent: serialisers write null for what is not set.
func (m members) value(name string) []byte {
	for i := range m {
		if string(m[i].Name) == name && string(m[i].Value) != "null" {
			return m[i].Value
		}
	}
	return nil
}

// text returns a member that must be a string if it is there, "" if it is not.
func (m members) text(name string) (string, error) {
	raw := m.value(name)
	if raw == nil {
		return "", nil
	}
	s, ok := strict.Text(raw)
	if !ok {
		return "", fmt.Errorf("%w: member %s is not a string", errDocument, name)
	}
	return s, nil
}

// texts returns a member that must be an array of strings if it is there, nil if
// it is not.
func (m members) texts(name string) ([]string, error) {
	raw := m.value(name)
	if raw == nil {
		return nil, nil
	}
	all := []string{}
	isArray, err := strict.Elements(raw, func(element []byte) error {
		s, ok := strict.Text(element)
		if !ok {
			return errDocument
		}
		all = append(all, s)
		return nil
	})
	if !isArray || err != nil {
		return nil, fmt.Errorf("%w: member %s is not an array of strings", errDocument, name)
	}
	return all, nil
}
