package jwks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
)

// FromKeyfunc offers the keys of a keyfunc that an application already has. It
// is the only function of the package with somebody else's type in its
// signature, and its compatibility is that of keyfunc's version 3.
//
// Keys are judged as those of a [Set] with the usual algorithms; of more than
// 100, none is used. How they are fetched, what a made-up kid costs and what an
// outage does is up to the keyfunc: prefer [New], which bounds all of that. Here
// an unknown kid waits for the keyfunc 1 second at most, and delays no other
// request.
//
// An unknown kid is refused if the storage has keys and answers that this one is
// not among them. Everything else is [ErrUnavailable]: any other error, a second
// without an answer, a storage without keys. keyfunc's default options look for
// an unknown kid once in 5 minutes; until they may look again, every unknown kid
// is ErrUnavailable. An outage can only be told if the storage tells: with the
// default options it says of an unknown kid that it is not there, whether or
// not the key server could be reached.
func FromKeyfunc(k keyfunc.Keyfunc) (claims.KeySet, error) {
	if k == nil || k.Storage() == nil {
		return nil, fmt.Errorf("%w: there is none, or it has no storage", errKeyfunc)
	}
	return &keyfuncSet{storage: k.Storage()}, nil
}

const (
	maxKeyfuncKeys = 100
	maxKeyfuncWait = time.Second
)

type keyfuncSet struct {
	storage jwkset.Storage

	mu    sync.Mutex
	known map[identity]*claims.Key // at most maxKeyfuncKeys
}

func (s *keyfuncSet) Keys(ctx context.Context, h claims.Header) ([]*claims.Key, error) {
	all, err := s.storage.KeyReadAll(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	// What is there is answered without KeyRead, in which keyfunc may fetch.
	keys, err := s.among(all, h)
	switch {
	case err != nil || keys != nil:
		return keys, err
	case h.KeyID != "":
		return s.ask(ctx, h, len(all) > 0)
	case len(all) == 0:
		return nil, fmt.Errorf("%w: %w: its storage has no keys", ErrUnavailable, errKeyfunc)
	}
	return nil, nil
}

// ask lets the storage look for an unknown kid.
func (s *keyfuncSet) ask(ctx context.Context, h claims.Header, hasKeys bool) ([]*claims.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, maxKeyfuncWait)
	defer cancel()
	one, err := s.storage.KeyRead(ctx, h.KeyID)
	switch {
	case err == nil:
		return s.among([]jwkset.JWK{one}, h)
	case ctx.Err() != nil:
		// A storage that was cut off may say anything, also that a key is not there.
		return nil, fmt.Errorf("%w: %w: %v", ErrUnavailable, context.Cause(ctx), err)
	case hasKeys && errors.Is(err, jwkset.ErrKeyNotFound):
		return nil, nil
	}
	// This also is the limiter's refusal to look again. It might mean that the key is
	// not there; but it is not known, and 401 must be about the token.
	return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// among returns the usable keys of all that h can mean.
func (s *keyfuncSet) among(all []jwkset.JWK, h claims.Header) ([]*claims.Key, error) {
	if len(all) > maxKeyfuncKeys {
		return nil, fmt.Errorf("%w: %w: more than %d keys", ErrUnavailable, errKeyfunc, maxKeyfuncKeys)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := rules{algorithms: usualAlgorithms}
	var entries []entry
	for _, each := range all {
		j := fromJWKSet(each.Marshal())
		if h.KeyID != "" && j.kid != h.KeyID {
			continue
		}
		usable, err := r.keysOf(j, s.known)
		if err != nil {
			continue
		}
		for _, e := range usable {
			entries = append(entries, e)
			s.remember(e.id, e.key)
		}
	}
	found, _ := assemble(entries, time.Time{})
	return found.index[h], nil
}

// remember lets k stay the same object while it is offered.
func (s *keyfuncSet) remember(id identity, k *claims.Key) {
	if s.known == nil || s.known[id] == nil && len(s.known) >= maxKeyfuncKeys {
		s.known = make(map[identity]*claims.Key)
	}
	s.known[id] = k
}

func fromJWKSet(m jwkset.JWKMarshal) *jwk {
	j := &jwk{use: string(m.USE), identity: identity{
		alg: jws.Canonical(string(m.ALG)), kid: m.KID, kty: string(m.KTY), crv: string(m.CRV), x: m.X, y: m.Y, n: m.N, e: m.E,
	}}
	if m.KEYOPS != nil {
		j.ops = []string{}
		for _, op := range m.KEYOPS {
			j.ops = append(j.ops, string(op))
		}
	}
	return j
}
