package issuer

import (
	"context"
	"time"
)

// Store keeps session records and does not judge them. Package issuertest proves an
// implementation. All methods may be called by many goroutines at once, and by many
// machines that share one store.
//
// A record whose Expiry has passed by the store's clock counts as absent, for every
// method, and may be removed. No record may be removed before. An error means that it
// is not known whether the store did what it was asked to; nothing was done by halves.
type Store interface {
	// Load returns the record of a session, and the store's time, read no
	// earlier than the call began. If there is none, Version is 0 and only the
	// time counts. A Load that begins after a Swap has returned true sees
	// that record or a later one.
	Load(ctx context.Context, session string) (Record, time.Time, error)

	// Swap stores r if the stored record's version is r.Version-1 (0: there is
	// none), as one atomic step, and reports whether it did. r.Data is not
	// kept beyond the call.
	Swap(ctx context.Context, r Record) (bool, error)

	// List returns the records of a subject, in any order, exactly as Load
	// would.
	List(ctx context.Context, subject string) ([]Record, error)
}

// Record is one session as a [Store] sees it. Nothing in it is a secret from
// which a token could be made.
type Record struct {
	Session string    // its key: at most 32 characters of base64url
	Subject string    // whose it is: 1 to 1024 bytes of UTF-8, NUL among them; it never changes
	Version uint64    // 1 when it is new, one more at every change
	Expiry  time.Time // after this moment nobody needs it; milliseconds count
	Data    []byte    // what the issuer knows of it, opaque, at most 64 KiB
}
