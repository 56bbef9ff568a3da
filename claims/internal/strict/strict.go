// Package strict reads JSON (RFC 8259) in one way only. It is the one reader of
// package claims, for headers and payloads of tokens, and of package jwks, for key
// sets. What other readers decide differently is refused here: duplicate names,
// invalid UTF-8, lone surrogates, a byte order mark, text around the object.
//
// All that depends on how JSON is read stands in this file, so that a reader of
// the standard library can take its place.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

var (
	// ErrSyntax says that a text is not a strict JSON object, or exceeds its bounds.
	ErrSyntax = errors.New("not a strict JSON object")
	// ErrDuplicate says that two members of one object have the same name.
	ErrDuplicate = errors.New("duplicate member")
	// ErrMembers is the ErrSyntax of a text that has more members than Bounds.Members.
	ErrMembers = fmt.Errorf("%w: too many members", ErrSyntax)
)

// Fault says where a text breaks which rule. It becomes text when somebody reads it.
type Fault struct {
	Rule error // ErrSyntax, ErrDuplicate or ErrMembers
	what string
	at   int
	name []byte // of a duplicate
}

func (f *Fault) Error() string {
	if f.Rule == ErrDuplicate {
		return f.Rule.Error() + " " + Quoted(string(f.name))
	}
	return f.Rule.Error() + ": " + f.Detail()
}

// Detail is what Error says without the rule.
func (f *Fault) Detail() string {
	if f.Rule == ErrDuplicate {
		return Quoted(string(f.name)) + " twice"
	}
	return fmt.Sprintf("%s at byte %d", f.what, f.at)
}

// Unwrap returns the rule.
func (f *Fault) Unwrap() error { return f.Rule }

// Bounds say how large a text may be. The zero Bounds refuse every text.
type Bounds struct {
	// Depth is how deep values may nest; the outer object is the first level.
	Depth int
	// Members is how many members all objects of the text may have together. To
	// tell them apart costs more than anything else does.
	Members int
	// InnerDuplicates leaves duplicate names in inner objects to a caller that
	// reads each inner object by itself, and judges it alone.
	InnerDuplicates bool
}

// Member is one member of a JSON object. Both parts are slices of the text
// that was read; only a name that was written with escapes is a copy.
type Member struct {
	Name  []byte
	Value []byte
}

// Object reads text as exactly one JSON object and appends its members to into.
// White space may stand around the object. A text that passes has one reading
// only.
func Object(text []byte, bounds Bounds, into []Member) ([]Member, error) {
	members, _, err := Counted(text, bounds, into)
	return members, err
}

// Counted is Object, and also returns how many members all objects of the text have
// together: a caller may learn only from them which bound holds.
func Counted(text []byte, bounds Bounds, into []Member) ([]Member, int, error) {
	s := scanner{text: text, bounds: bounds}
	s.space()
	if s.peek() != '{' {
		return nil, 0, s.syntax("no object")
	}
	members, err := s.object(into)
	if err != nil {
		return nil, 0, err
	}
	s.space()
	if s.at != len(text) {
		return nil, 0, s.syntax("text after the object")
	}
	return members, s.members, nil
}

// scanner reads a text from front to back. depth and members count what bounds
// limit.
type scanner struct {
	text    []byte
	at      int
	bounds  Bounds
	depth   int
	members int
}

func (s *scanner) syntax(what string) error {
	return &Fault{Rule: ErrSyntax, what: what, at: s.at}
}

// peek returns the next byte, 0 at the end. No rule of the grammar begins with a
// NUL byte, so that one in the text is refused as well.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) space() {
	// Tokens are written without white space: the check is inlined, the loop is not.
	if s.at < len(s.text) && s.text[s.at] <= ' ' {
		s.skip()
	}
}

func (s *scanner) skip() {
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
	if s.depth++; s.depth > s.bounds.Depth {
		return s.syntax("nested too deeply")
	}
	s.at++
	s.space()
	return nil
}

// object reads an object whose '{' is next and appends its members to into.
func (s *scanner) object(into []Member) ([]Member, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	first := len(into)
	judged := s.depth == 1 || !s.bounds.InnerDuplicates
	var seen nameTable
	for n := 0; s.peek() != '}'; n++ {
		if n > 0 {
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
		s.space()
		if !judged {
			continue // only the caller's own reading will need them
		}
		// Names are compared as they are meant: "sub" and "s\u0075b" are the same.
		if seen.has(into[first:], m.Name) {
			return nil, &Fault{Rule: ErrDuplicate, name: m.Name}
		}
		if len(into) == cap(into) {
			// A large object grows twice, not five times, and not beyond its bound.
			into = slices.Grow(into, min(4*len(into)+4, first+s.bounds.Members+1-len(into)))
		}
		into = append(into, m)
	}
	s.at++
	s.depth--
	return into, nil
}

func (s *scanner) member() (Member, error) {
	if s.members++; s.members > s.bounds.Members {
		return Member{}, &Fault{Rule: ErrMembers, what: "one too many", at: s.at}
	}
	name, err := s.unescaped()
	if err != nil {
		return Member{}, err
	}
	s.space()
	if s.peek() != ':' {
		return Member{}, s.syntax("no colon after a name")
	}
	s.at++
	s.space()
	start := s.at
	if err := s.value(); err != nil {
		return Member{}, err
	}
	return Member{name, s.text[start:s.at]}, nil
}

// nameTable finds names that come twice in one object. Few are compared
// pairwise; for more it is an open hash table of their positions, counted from 1,
// so that the work stays linear in the text. Its length is a power of two.
type nameTable []uint32

// nameSeed is unknown to strangers, who could otherwise choose names that collide.
var nameSeed = maphash.MakeSeed()

// has reports whether before has a member of this name, and notes the name.
func (t *nameTable) has(before []Member, name []byte) bool {
	const few = 16
	if len(before) < few {
		for i := range before {
			if string(before[i].Name) == string(name) { // compares, and copies nothing
				return true
			}
		}
		return false
	}
	if 2*len(before) >= len(*t) {
		// Never more than half full, so that a search ends soon.
		size := 8 * few
		for size < 8*len(before) {
			size *= 2
		}
		*t = make(nameTable, size)
		for i := range before {
			t.note(before[:i], before[i].Name)
		}
	}
	return t.note(before, name)
}

// note enters the name of the member that follows before, unless it is known.
func (t nameTable) note(before []Member, name []byte) (known bool) {
	mask := uint64(len(t) - 1)
	i := maphash.Bytes(nameSeed, name) & mask
	for ; t[i] != 0; i = (i + 1) & mask {
		if bytes.Equal(before[t[i]-1].Name, name) {
			return true
		}
	}
	t[i] = uint32(len(before) + 1)
	return false
}

// value reads over any one value.
func (s *scanner) value() error {
	switch c := s.peek(); {
	case c == '"':
		_, _, err := s.str()
		return err
	case c == '{':
		// The members are kept to find duplicates, and forgotten: the value is the text.
		var few [8]Member
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

// plain tells the bytes that stand for themselves in a string: ASCII without control
// characters, the quote and the backslash.
var plain = func() (is [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		is[c] = c != '"' && c != '\\'
	}
	return is
}()

// str reads a string and returns what stands between its quotes, and whether
// that contains escapes.
func (s *scanner) str() (raw []byte, escaped bool, err error) {
	if s.peek() != '"' {
		return nil, false, s.syntax("no string")
	}
	s.at++
	start := s.at
	for s.at < len(s.text) {
		// Nearly all strings are plain ASCII, so most bytes go through here.
		text, at := s.text, s.at
		for at < len(text) && plain[text[at]] {
			at++
		}
		if s.at = at; at == len(text) {
			break
		}
		// All of RFC 3629 in one place: encodings that are too long, surrogates and what
		// lies beyond U+10FFFF are RuneError of size 1 to DecodeRune.
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
	// RFC 8259 §8.2 leaves half a pair to the reader. Some replace it by U+FFFD, some
	// keep it, some drop it: three names or subjects from one text.
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

// Text returns the value of a string that Object has passed, and false if raw is
// not a string.
func Text(raw []byte) (string, bool) {
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

// IsText reports whether raw, which Object has passed, is the string want. A
// string without escapes is compared without a copy.
func IsText(raw []byte, want string) bool {
	if len(raw) == len(want)+2 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1:len(raw)-1]) == want
	}
	value, ok := Text(raw)
	return ok && value == want
}

// Elements calls visit for each element of an array that Object has passed. It
// returns false if raw is not an array.
func Elements(raw []byte, visit func(element []byte) error) (bool, error) {
	if len(raw) == 0 || raw[0] != '[' {
		return false, nil
	}
	// Object has judged this text, so that bounds which can't be reached will do.
	s := scanner{text: raw, at: 1, bounds: Bounds{Depth: len(raw), Members: len(raw), InnerDuplicates: true}, depth: 1}
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
