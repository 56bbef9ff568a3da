package named

import "hash/maphash"

// Digest is all that memory keeps of a name and a key. Without the Secret nobody can
// choose or predict it, so a table may use it as its hash.
type Digest struct{ Hi, Lo uint64 }

// Secret is what a store makes its digests with.
type Secret struct {
	seeds [4]maphash.Seed // keys: 0 and 1, names: 2 and 3
}

// NewSecret makes a random Secret.
func NewSecret() (s Secret) {
	for i := range s.seeds {
		s.seeds[i] = maphash.MakeSeed()
	}
	return s
}

// Space is a name's share of a digest. It has seeds of its own, so that a name and
// a key never change places.
func (s *Secret) Space(name string) Digest {
	return Digest{maphash.String(s.seeds[2], name), maphash.String(s.seeds[3], name)}
}

// Digest names key in a space.
func (s *Secret) Digest(space Digest, key string) Digest {
	return Digest{space.Hi ^ maphash.String(s.seeds[0], key), space.Lo ^ maphash.String(s.seeds[1], key)}
}
