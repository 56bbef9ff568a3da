package claims

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
)

// Header is what a token says of its key: which algorithm, and which of the
// issuer's keys by that algorithm. It is a stranger's word until the signature
// has held.
type Header struct {
	// Algorithm is alg, RFC 7515 §4.1.1. A KeySet is asked for EdDSA, as
	// [Key.Algorithm] says it, also where a token says Ed25519 (RFC 9864). An
	// [Encoder] writes either as it is given.
	Algorithm string
	// KeyID is kid, §4.1.4; "" if absent.
	KeyID string
}

func headerOf(h *jws.Header) Header { return Header{Algorithm: h.Algorithm, KeyID: h.KeyID} }

// KeySet holds the keys of one issuer.
type KeySet interface {
	// Keys returns the keys that may have signed a token with this header, best
	// first, and no key if the issuer has none that fits. An error means that this
	// could not be found out; the caller answers 503.
	//
	// Neither side may change the slice afterwards. A key that is still offered is the
	// same *Key as before: a verifier may remember a token as long as its key set
	// offers the key that verified it. Keys is called for every token, by many
	// goroutines at once.
	//
	// An implementation need not check that a key's algorithm is the header's,
	// nor bound how many it returns: the verifier does both.
	//
	// A set may have two methods more. KeysAnew has the form of Keys. It is asked when no
	// key made the signature: it looks whether there are other keys by now. It must bound
	// how often, since strangers can make it look. Algorithms(kid string) (algorithms
	// []string, field string) says under which algorithms the set has keys that fit kid,
	// and what to set so that they get another. It is asked when no key fits, and only
	// for the log.
	Keys(ctx context.Context, h Header) ([]*Key, error)
}

// NewKeySet returns a KeySet of fixed keys.
//
// A header with a kid gets the keys of that id, then the keys without id. A header
// without kid gets all keys of its algorithm; a verifier tries 16 of them at most,
// first the one that succeeded last.
//
// It is an error to give no key, or two of the same id and algorithm.
func NewKeySet(keys ...*Key) (KeySet, error) {
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: a key set needs at least one key", errKeyMaterial)
	}
	set := &fixedKeys{named: make(map[Header][]*Key), unnamed: make(map[string][]*Key), all: make(map[string][]*Key)}
	for i, k := range keys {
		if k == nil || k.jws.Method == nil {
			return nil, fmt.Errorf("%w: key %d was not made by NewKey", errKeyMaterial, i)
		}
		h := Header{k.Algorithm(), k.ID()}
		if k.ID() != "" && len(set.named[h]) > 0 {
			return nil, fmt.Errorf("%w: two %s keys have the id %s", errKeyMaterial, k.Algorithm(), quoted(k.ID()))
		}
		set.all[k.Algorithm()] = append(set.all[k.Algorithm()], k)
		if k.ID() == "" {
			set.unnamed[k.Algorithm()] = append(set.unnamed[k.Algorithm()], k)
		} else {
			set.named[h] = append(set.named[h], k)
		}
	}
	// A key without id may have signed under any kid. It comes last: the named ones are
	// what the header asks for.
	for h := range set.named {
		set.named[h] = append(set.named[h], set.unnamed[h.Algorithm]...)
	}
	return set, nil
}

// fixedKeys has every answer ready.
type fixedKeys struct {
	named   map[Header][]*Key // by algorithm and id, followed by the unnamed
	unnamed map[string][]*Key // by algorithm
	all     map[string][]*Key // by algorithm
}

func (s *fixedKeys) Keys(_ context.Context, h Header) ([]*Key, error) {
	if h.KeyID == "" {
		return s.all[h.Algorithm], nil
	}
	if keys, ok := s.named[h]; ok {
		return keys, nil
	}
	return s.unnamed[h.Algorithm], nil
}

// Algorithms says which algorithms the keys for a kid are bound to.
func (s *fixedKeys) Algorithms(kid string) (algorithms []string, field string) {
	for alg, keys := range s.all {
		if slices.ContainsFunc(keys, func(k *Key) bool { return k.jws.Fits(alg, kid) }) {
			algorithms = append(algorithms, alg)
		}
	}
	slices.Sort(algorithms)
	return algorithms, "claims.NewKey"
}
