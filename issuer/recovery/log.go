package recovery

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

// Log keeps lockouts where an issuer keeps its sessions, such as an SQL database:
//
//	log, err := recovery.NewLog(store)
//	guesses, err := lockout.New(lockout.Config{Name: "recovery", Store: log})
//
// It is a [lockout.Store]. A guess costs two calls of the store, and two more for each
// guess at the same account that was faster. Once an account is blocked, it costs one.
// The time is the store's.
//
// Each key that is guessed at has a record of some 100 bytes until its charges have
// expired, an hour at least. Strangers choose the keys: bound them by a limit in
// front, as the package says under "What strangers can fill".
//
// Keys are kept as SHA-256 digests. Log is safe for concurrent use, and many on many
// machines may share a store. Its zero value refuses.
type Log struct {
	store issuer.Store
}

var _ lockout.Store = (*Log)(nil)

// NewLog makes a Log over store, which is required.
func NewLog(store issuer.Store) (*Log, error) {
	if store == nil {
		return nil, errors.New("recovery: NewLog: store is missing")
	}
	if isNil(store) {
		return nil, fmt.Errorf("recovery: NewLog: store is a nil %T: was its error looked at?", store)
	}
	return &Log{store}, nil
}

// leastLogLife is how long a record is kept at least, however short a lockout is. A
// record that expires begins anew at version 1. A caller that read the old one and was
// held up could then swap its old charges in place of new ones, and guesses would be
// given back. An hour is longer than any caller is held up.
const leastLogLife = time.Hour

// Apply is [lockout.Store]'s.
func (l *Log) Apply(ctx context.Context, e lockout.Entry) (charges int, wait time.Duration, err error) {
	if l == nil || l.store == nil {
		return 0, 0, errors.New("recovery: Log was not made by NewLog")
	}
	_, err = update(ctx, l.store, logID(e.Name, e.Key), func(old issuer.Record, now time.Time) (issuer.Record, bool, error) {
		next, err := e.Next(old.Data, now)
		if err != nil {
			return issuer.Record{}, false, err
		}
		charges, wait = next.Charges, next.Wait
		return issuer.Record{Data: next.Record, Expiry: later(next.Until, now.Add(leastLogLife))}, next.Changed, nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("recovery: log: %w", err)
	}
	return charges, wait, nil
}

// logID names the record of a key. The name stands behind its length, so that no pair
// of name and key can pass for another.
func logID(name, key string) string {
	digest := sha256.Sum256(fmt.Appendf(nil, "%d:%s%s", len(name), name, key))
	return "lockout-" + base64.RawURLEncoding.EncodeToString(digest[:16])
}
