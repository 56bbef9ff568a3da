package jwks

import (
	"crypto/sha256"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// ReadTwice reads a document as two fetches in a row would.
func ReadTwice(doc []byte, maxKeys int) (first, second []*claims.Key, err error) {
	r := rules{algorithms: usualAlgorithms, maxKeys: maxKeys}
	one, err := r.snapshot(doc, nil, time.Time{})
	if err != nil {
		return nil, nil, err
	}
	two, err := r.snapshot(doc, one.known, time.Time{})
	if err != nil {
		return nil, nil, err
	}
	return one.keys, two.keys, nil
}

// LookWhile makes s look at its files, which change after each time they are
// read.
func (s *FileSet) LookWhile(change func()) {
	s.looking.Lock()
	defer s.looking.Unlock()
	s.look(func() ([]file, [sha256.Size]byte, error) {
		files, digest, err := s.read()
		change()
		return files, digest, err
	})
}

// RetryAfter is how long an answer asks us to wait.
var RetryAfter = retryAfter
