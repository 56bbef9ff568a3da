package recovery

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

// Log keeps lockouts where an issuer keeps its sessions, such as an SQL database:
//
//	log, err := recovery.NewLog(store)
//	guesses, err := lockout.New(lockout.Config{Name: "recovery", Store: log})
//
// It is a [lockout.Store]. A guess costs two calls of the store, and again two for each that
// was faster; once an account is blocked, one. The time is the store's.
//
// Keys are kept as SHA-256 digests. Log is safe for concurrent use, and many on
// many machines may share a store. Its zero value refuses.
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

const (
	logSwaps = 100 // before it gives up

	// A record is kept at least that long, so that nobody who read it before it
	// expired writes over the one that came after.
	logKeep = time.Hour
)

// Apply is [lockout.Store]'s.
func (l *Log) Apply(ctx context.Context, e lockout.Entry) (charges int, wait time.Duration, err error) {
	if l == nil || l.store == nil {
		return 0, 0, errors.New("recovery: Log was not made by NewLog")
	}
	id := logID(e.Name, e.Key)
	for i := range logSwaps {
		rec, now, err := l.store.Load(ctx, id)
		if err != nil {
			return 0, 0, fmt.Errorf("recovery: log: %w", err)
		}
		a, err := e.Next(rec.Data, now)
		if err != nil || !a.Changed {
			return a.Charges, a.Wait, err
		}
		swapped, err := l.store.Swap(ctx, issuer.Record{
			Session: id, Subject: id, Version: rec.Version + 1, Expiry: logExpiry(a.Until, now), Data: a.Record,
		})
		if err != nil {
			return 0, 0, fmt.Errorf("recovery: log: %w", err)
		}
		if swapped {
			return a.Charges, a.Wait, nil
		}
		if err := pause(ctx, i); err != nil {
			return 0, 0, fmt.Errorf("recovery: log: %w", err)
		}
	}
	return 0, 0, errors.New("recovery: log: the record keeps changing")
}

// logExpiry is in whole milliseconds, of which stores keep no part.
func logExpiry(until, now time.Time) time.Time {
	if least := now.Add(logKeep); until.Before(least) {
		until = least
	}
	return until.Add(time.Millisecond).Truncate(time.Millisecond)
}

// pause lets others go first, the longer the more often it was in vain.
func pause(ctx context.Context, tries int) error {
	timer := time.NewTimer(time.Duration(rand.Int64N(int64(min(tries+1, 20)) * int64(time.Millisecond))))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// logID names the record of a key.
func logID(name, key string) string {
	digest := sha256.Sum256(fmt.Appendf(nil, "%d:%s%s", len(name), name, key))
	return "lockout-" + base64.RawURLEncoding.EncodeToString(digest[:16])
}
