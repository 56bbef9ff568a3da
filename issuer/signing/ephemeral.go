package signing

import (
	"crypto/rand"
	"time"
)

// NewEphemeral returns a Schedule of one random HS256 secret, which is written nowhere
// and ends with the process. It is for refresh tokens whose sessions end with the process
// too, and for tests:
//
//	issuer.Config[Account]{Keys: keys, RefreshKeys: signing.NewEphemeral(), Store: issuer.NewMemoryStore(), …}
//
// Several processes that share a store need one secret that all of them load:
// [NewSecret]. Nobody else can verify what this Schedule signs, as a secret has no public
// half.
func NewEphemeral() *Schedule {
	secret := make([]byte, 32) // as long as the hash, RFC 7518 §3.2
	rand.Read(secret)          // never fails
	key, err := NewSecret("HS256", "", secret, time.Time{})
	if err != nil {
		return new(Schedule) // it can't be; the zero Schedule signs nothing
	}
	s, err := NewSchedule(key)
	if err != nil {
		return new(Schedule)
	}
	return s
}
