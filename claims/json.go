package claims

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// maxDepth bounds how deep JSON values may nest.
	maxDepth = 32
	// maxMembers bounds how many members a text may have, at all depths together:
	// they cost more to tell apart than anything else in a token does to read. It
	// is a power of two.
	maxMembers = 256
)

// member is one member of a JSON object. Both parts are slices of the text
// that was read, but for a name that was written with escapes.
type member struct {
	name  []byte
	value []byte
}

// readObject reads text as exactly one JSON object (RFC 8259) and appends its
// members to into. It refuses what RFC 8259 leaves open or other readers let
// pass: duplicate names at any depth, invalid UTF-8, lone surrogates, deep
// nesting, members by the hundred, a byte order mark, anything before or after
// the object but white space. A text that passes has one reading only.
func readObject(text []byte, into []member) ([]member, error) {
	s := scanner{text: text}
	s.space()
	if s.peek() != '{' {
		return nil, s.syntax("no object")
	}
	members, err := s.object(into)
	if err != nil {
		return nil, err
	}
	s.space()
	if s.at != len(text) {
		return nil, s.syntax("text after the object")
	}
	return members, nil
}

type scanner struct {
	text    []byte
	at      int
	depth   int
	members int
}

func (s *scanner) syntax(what string) error {
	return fmt.Errorf("%w: %s at byte %d", errSyntax, what, s.at)
}

// peek returns the next byte, 0 at the end. A NUL byte in the text is no token
// of the grammar either.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) enter() error {
	if s.depth++; s.depth > maxDepth {
		return s.syntax("nested too deeply")
	}
	s.at++
	s.space()
	return nil
}

// object reads an object whose '{' is next and appends its members to into.
func (s *scanner) object(into []member) ([]member, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	first := len(into)
	var seen nameTable
	for s.peek() != '}' {
		if len(into) > first {
			if s.peek() != ',' {
				return nil, s.syntax("no comma between members")
			}
			s.at++
			s.space()
		}
		m, err := s.member()
		if err != nil {
			return nil, err
		}
		if seen.has(into[first:], m.name) {
			return nil, fmt.Errorf("%w %s", errDuplicate, quoted(string(m.name)))
		}
		if len(into) == cap(into) {
			// A large object grows twice, not five times.
			into = slices.Grow(into, min(4*len(into)+4, maxMembers+1-len(into)))
		}
		into = append(into, m)
		s.space()
	}
	s.at++
	s.depth--
	return into, nil
}

func (s *scanner) member() (member, error) {
	if s.members++; s.members > maxMembers {
		return member{}, s.syntax("too many members")
	}
	name, err := s.unescaped()
	if err != nil {
		return member{}, err
	}
	s.space()
	if s.peek() != ':' {
		return member{}, s.syntax("no colon after a name")
	}
	s.at++
	s.space()
	start := s.at
	if err := s.value(); err != nil {
		return member{}, err
	}
	return member{name, s.text[start:s.at]}, nil
}

// nameTable finds names that come twice in one object. Few are compared
// pairwise; for more it is an open hash table of their positions, so that the
// work stays linear in the text.
type nameTable []uint16

var nameSeed = maphash.MakeSeed() // unknown to those who choose the names

// has reports whether before has a member of this name, and notes the name.
func (t *nameTable) has(before []member, name []byte) bool {
	const few = 16
	if len(before) < few {
		return slices.ContainsFunc(before, func(m member) bool { return bytes.Equal(m.name, name) })
	}
	if *t == nil {
		*t = make(nameTable, 2*maxMembers)
		for i := range before {
			t.note(before[:i], before[i].name)
		}
	}
	return t.note(before, name)
}

func (t nameTable) note(before []member, name []byte) (known bool) {
	const mask = 2*maxMembers - 1
	i := maphash.Bytes(nameSeed, name) & mask
	for ; t[i] != 0; i = (i + 1) & mask {
		if bytes.Equal(before[t[i]-1].name, name) {
			return true
		}
	}
	t[i] = uint16(len(before) + 1)
	return false
}

// value reads over any one value.
func (s *scanner) value() error {
	switch c := s.peek(); {
	case c == '"':
		_, _, err := s.str()
		return err
	case c == '{':
		var few [8]member
		_, err := s.object(few[:0])
		return err
	case c == '[':
		return s.array()
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	}
	return s.syntax("no value")
}

func (s *scanner) literal(word string) error {
	if !bytes.HasPrefix(s.text[s.at:], []byte(word)) {
		return s.syntax("no value")
	}
	s.at += len(word)
	return nil
}

func (s *scanner) array() error {
	if err := s.enter(); err != nil {
		return err
	}
	for first := true; s.peek() != ']'; first = false {
		if !first {
			if s.peek() != ',' {
				return s.syntax("no comma between elements")
			}
			s.at++
			s.space()
		}
		if err := s.value(); err != nil {
			return err
		}
		s.space()
	}
	s.at++
	s.depth--
	return nil
}

// number reads RFC 8259 §6: no leading zero, no bare point, no plus.
func (s *scanner) number() error {
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if !s.digits() {
		return s.syntax("no digit")
	}
	if s.peek() == '.' {
		s.at++
		if !s.digits() {
			return s.syntax("no digit after the point")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		if !s.digits() {
			return s.syntax("no digit in the exponent")
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.at
	for c := s.peek(); '0' <= c && c <= '9'; c = s.peek() {
		s.at++
	}
	return s.at > start
}

// str reads a string and returns what stands between its quotes, and whether
// that contains escapes.
func (s *scanner) str() (raw []byte, escaped bool, err error) {
	if s.peek() != '"' {
		return nil, false, s.syntax("no string")
	}
	s.at++
	start := s.at
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return s.text[start : s.at-1], escaped, nil
		case c == '\\':
			escaped = true
			if _, err := s.escape(); err != nil {
				return nil, false, err
			}
		case c < ' ':
			return nil, false, s.syntax("control character in a string")
		case c < utf8.RuneSelf:
			s.at++
		default:
			r, size := utf8.DecodeRune(s.text[s.at:])
			if r == utf8.RuneError && size == 1 {
				return nil, false, s.syntax("invalid UTF-8")
			}
			s.at += size
		}
	}
	return nil, false, s.syntax("string without an end")
}

// unescaped reads a string and returns its value.
func (s *scanner) unescaped() ([]byte, error) {
	start := s.at + 1
	raw, escaped, err := s.str()
	if err != nil || !escaped {
		return raw, err
	}
	// The text is known to be good now: read it again, writing what it means.
	again := scanner{text: s.text[:start+len(raw)], at: start}
	value := make([]byte, 0, len(raw))
	for again.at < len(again.text) {
		if c := again.text[again.at]; c != '\\' {
			value = append(value, c)
			again.at++
			continue
		}
		r, err := again.escape()
		if err != nil {
			return nil, err
		}
		value = utf8.AppendRune(value, r)
	}
	return value, nil
}

// escape reads one escape sequence, a surrogate pair as one, and returns the
// character that it stands for.
func (s *scanner) escape() (rune, error) {
	s.at++
	c := s.peek()
	s.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		return s.escapedRune()
	}
	return 0, s.syntax("unknown escape")
}

func (s *scanner) escapedRune() (rune, error) {
	r, err := s.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if !bytes.HasPrefix(s.text[s.at:], []byte(`\u`)) {
		return 0, s.syntax("lone surrogate")
	}
	s.at += 2
	low, err := s.hex4()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, s.syntax("lone surrogate")
	}
	return r, nil
}

func (s *scanner) hex4() (rune, error) {
	var r rune
	for range 4 {
		c := s.peek()
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, s.syntax("no hex digit")
		}
		r = r<<4 | rune(c)
		s.at++
	}
	return r, nil
}

// stringValue returns the value of a string that readObject has passed, and
// false if raw is no string.
func stringValue(raw []byte) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(raw, '\\') < 0 { // most strings are written without escapes
		return string(raw[1 : len(raw)-1]), true
	}
	s := scanner{text: raw}
	value, err := s.unescaped()
	return string(value), err == nil
}

// is reports whether raw, which readObject has passed, is the string want. One
// without escapes need not be copied for that.
func is(raw []byte, want string) bool {
	if len(raw) == len(want)+2 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1:len(raw)-1]) == want
	}
	value, ok := stringValue(raw)
	return ok && value == want
}

// elements calls visit for each element of an array that readObject has
// passed. It returns false if raw is no array.
func elements(raw []byte, visit func(element []byte) error) (bool, error) {
	if len(raw) == 0 || raw[0] != '[' {
		return false, nil
	}
	s := scanner{text: raw, at: 1}
	for s.space(); s.peek() != ']'; s.space() {
		if s.peek() == ',' {
			s.at++
			s.space()
		}
		start := s.at
		if err := s.value(); err != nil {
			return true, err
		}
		if err := visit(raw[start:s.at]); err != nil {
			return true, err
		}
	}
	return true, nil
}
