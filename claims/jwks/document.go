package jwks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/claims"
)

// maxDepth bounds how deep a key may nest.
const maxDepth = 32

// rules say what is taken from a document.
type rules struct {
	algorithms []string
	maxKeys    int
}

// entry is a usable key of a document.
type entry struct {
	id    identity
	key   *claims.Key
	dates *validity // nil unless it is in a certificate
}

// read makes a snapshot of a document. One without a usable key is an error.
func (r rules) read(doc []byte, known map[identity]*claims.Key, asked time.Time) (*snapshot, error) {
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
func (r rules) parseSet(doc []byte, known map[identity]*claims.Key) (entries []entry, notes []note, err error) {
	if !utf8.Valid(doc) {
		return nil, nil, fmt.Errorf("%w: invalid UTF-8", errDocument)
	}
	members, err := readObject(doc)
	if err != nil {
		return nil, nil, err
	}
	var keys []json.RawMessage
	if raw := members["keys"]; len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &keys) != nil {
		return nil, nil, fmt.Errorf("%w: no array of keys", errDocument)
	}
	if len(keys) > r.maxKeys {
		return nil, nil, fmt.Errorf("%w: %d keys, more than %d", errDocument, len(keys), r.maxKeys)
	}
	for i, text := range keys {
		j, err := readJWK(text)
		if err == nil {
			err = unambiguous(json.NewDecoder(bytes.NewReader(text)), 0)
		}
		if j == nil {
			j = new(jwk)
		}
		where := fmt.Sprintf("key %d, kid %s", i, quoted(j.kid))
		var k *claims.Key
		if err == nil {
			k, err = r.keyOf(j, known)
		}
		if err != nil {
			notes = append(notes, note{where, err, true})
			continue
		}
		if j.private {
			notes = append(notes, note{where, errPrivate, false})
		}
		entries = append(entries, entry{id: j.identity, key: k})
	}
	return entries, notes, nil
}

// keyOf returns the key that j stands for, the one in known if it is there.
func (r rules) keyOf(j *jwk, known map[identity]*claims.Key) (*claims.Key, error) {
	if err := j.bind(r.algorithms); err != nil {
		return nil, err
	}
	if k := known[j.identity]; k != nil {
		return k, nil
	}
	return j.key()
}

// readObject returns the members of a JSON object, of which none may repeat.
// Their names are exact, unlike those that encoding/json matches with fields.
func readObject(text []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("%w: not a JSON object", errDocument)
	}
	members := make(map[string]json.RawMessage)
	for dec.More() {
		var value json.RawMessage
		name, err := dec.Token()
		if err == nil {
			err = dec.Decode(&value)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errDocument, err)
		}
		if _, ok := members[name.(string)]; ok {
			return nil, fmt.Errorf("%w: duplicate member %s", errDocument, quoted(name.(string)))
		}
		members[name.(string)] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("%w: %w", errDocument, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: text after the object", errDocument)
	}
	return members, nil
}

// unambiguous refuses duplicate names at any depth and deep nesting.
func unambiguous(dec *json.Decoder, depth int) error {
	t, err := dec.Token()
	delim, ok := t.(json.Delim)
	if err != nil || !ok {
		return err
	}
	if depth == maxDepth {
		return fmt.Errorf("%w: nested too deeply", errDocument)
	}
	seen := make(map[json.Token]bool)
	for dec.More() {
		if delim == '{' {
			name, err := dec.Token()
			if err != nil {
				return err
			}
			if seen[name] {
				return fmt.Errorf("%w: duplicate member", errDocument)
			}
			seen[name] = true
		}
		if err := unambiguous(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

// stringValue reads a JSON string, and not null in place of one.
func stringValue(raw json.RawMessage) (s string, err error) {
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", fmt.Errorf("%w: not a string", errDocument)
	}
	return s, nil
}
