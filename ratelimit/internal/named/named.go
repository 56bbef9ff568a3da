// Package named says how limits, lockouts and keys are named in stores.
package named

import (
	"crypto/sha256"
	"fmt"
)

// Check keeps names to what needs no escaping in a header (a string of RFC 9651),
// in JSON and in a store's key. Its error reads on from the name of the field.
func Check(name string) error {
	if len(name) < 1 || len(name) > 64 {
		return fmt.Errorf("has %d characters, must have 1 to 64", len(name))
	}
	for _, c := range []byte(name) {
		if !isAlnum(c) && c != '.' && c != '_' && c != '-' {
			return fmt.Errorf("contains %q, may contain A-Z a-z 0-9 . _ -", c)
		}
	}
	return nil
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// maxKey bounds the bytes of a key that a stranger can make a store work on.
const maxKey = 128

// Bound returns a key that is short enough as it is, and the digest of any other.
func Bound(key string) string {
	if IsBound(key) {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "\x00" + string(sum[:])
}

// IsBound reports whether key may stay as it is. A key that begins like a digest
// may not: it could be the name of somebody else's bucket.
func IsBound(key string) bool { return len(key) <= maxKey && (key == "" || key[0] != 0) }
