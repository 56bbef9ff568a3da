package recovery

import (
	"crypto/rand"
	"errors"
	"strings"
)

// ErrMalformed says that a code doesn't have the form of a code. It was neither looked
// at nor counted. The form is not a secret.
var ErrMalformed = errors.New("recovery: malformed code")

const (
	// defaultAlphabet is Douglas Crockford's Base32: without I, L and O, which
	// are read as 1 and 0, and without U.
	defaultAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	defaultLength   = 8
	leastBits       = 40
	maxLength       = 128

	// maxTyped bounds what is read to find a code in it if Forgiving, in bytes.
	maxTyped = 512
)

// isAlphabet reports whether codes can be made of the characters of s.
func isAlphabet(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || strings.IndexByte(s[i+1:], c) >= 0 {
			return false
		}
	}
	return 2 <= len(s) && len(s) <= 64
}

// newCode draws every character with the same chance.
func (r *Recovery) newCode() string {
	n := len(r.c.Alphabet)
	code := make([]byte, 0, r.c.Length)
	for one := make([]byte, 1); len(code) < r.c.Length; {
		rand.Read(one)
		// 256 need not be a multiple of n. Bytes beyond the largest multiple would
		// favour the first characters, and are thrown away.
		if int(one[0]) < 256/n*n {
			code = append(code, r.c.Alphabet[int(one[0])%n])
		}
	}
	return string(code)
}

// exact returns code, or ErrMalformed if it doesn't have the form of one.
func (r *Recovery) exact(code string) (string, error) {
	if len(code) != r.c.Length {
		return "", ErrMalformed
	}
	for i := range len(code) {
		if strings.IndexByte(r.c.Alphabet, code[i]) < 0 {
			return "", ErrMalformed
		}
	}
	return code, nil
}

// readCode returns the code that a person has typed, or ErrMalformed. A character that
// the alphabet has is never changed, so no input can stand for two codes.
func (r *Recovery) readCode(typed string) (string, error) {
	if !r.c.Forgiving {
		return r.exact(typed)
	}
	if len(typed) > maxTyped {
		return "", ErrMalformed
	}
	code := make([]byte, 0, r.c.Length)
	for _, c := range []byte(typed) {
		switch c, ok := r.character(c); { // first: a dash may be in the alphabet
		case ok && len(code) < r.c.Length:
			code = append(code, c)
		case ok || strings.IndexByte(" \t\r\n-", c) < 0:
			return "", ErrMalformed
		}
	}
	if len(code) < r.c.Length {
		return "", ErrMalformed
	}
	return string(code), nil
}

// character returns the character of the alphabet that c stands for: itself, or the
// letter in the other case, or in the default alphabet the digit that it looks like.
// If it stands for none it returns c and false.
func (r *Recovery) character(c byte) (byte, bool) {
	if strings.IndexByte(r.c.Alphabet, c) >= 0 {
		return c, true
	}
	other := c ^ 0x20 // an ASCII letter in the other case; of other characters it is nonsense
	if letter := 'a' <= c|0x20 && c|0x20 <= 'z'; letter && strings.IndexByte(r.c.Alphabet, other) >= 0 {
		return other, true
	}
	if r.c.Alphabet == defaultAlphabet {
		switch c {
		case 'O', 'o':
			return '0', true
		case 'I', 'i', 'L', 'l':
			return '1', true
		}
	}
	return c, false
}
