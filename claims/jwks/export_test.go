package jwks

import (
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// ReadTwice reads a document as two fetches in a row would.
func ReadTwice(doc []byte, maxKeys int) (first, second []*claims.Key, err error) {
	r := rules{algorithms: usualAlgorithms, maxKeys: maxKeys}
	one, _, err := r.read(doc, nil, time.Time{})
	if err != nil {
		return nil, nil, err
	}
	two, _, err := r.read(doc, one.known, time.Time{})
	if err != nil {
		return nil, nil, err
	}
	return one.keys, two.keys, nil
}
