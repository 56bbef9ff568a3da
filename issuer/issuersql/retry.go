package issuersql

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// read does something that changes nothing, and so may be done again.
func (s *Store) read(ctx context.Context, do func(context.Context) error) error {
	if s == nil || s.db == nil {
		return errNoStore
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	return again(ctx, func(ctx context.Context) error {
		// Not in New, which doesn't connect: an application may start before its
		// database does.
		if err := s.checkVersion(ctx); err != nil {
			return err
		}
		return do(ctx)
	})
}

// write does one thing that is done wholly or not at all.
func (s *Store) write(ctx context.Context, do func(context.Context) error) error {
	return s.read(ctx, func(ctx context.Context) error {
		if s.writing == nil {
			return do(ctx)
		}
		select {
		case s.writing <- struct{}{}:
			defer func() { <-s.writing }()
			return do(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

const (
	firstPause   = time.Millisecond
	longestPause = 100 * time.Millisecond
)

// again does it until it doesn't collide with others, or the context ends.
func again(ctx context.Context, do func(context.Context) error) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := do(ctx)
		// Only what has surely done nothing is done again. After a lost connection a
		// second Swap would find the version of the first, and report that it lost.
		if err == nil || !collided(err) {
			return err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause)) // or those who collided meet again
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// collided reports whether err says that the database did nothing because another
// caller was in its way, and may do it now. Other errors, above all those of
// connections, say nothing about what was done.
//
// Drivers have no common error type: those for PostgreSQL have SQLState, modernc's
// for SQLite has Code, and all for SQLite have its text.
func collided(err error) bool {
	var postgreSQL interface{ SQLState() string }
	if errors.As(err, &postgreSQL) {
		switch postgreSQL.SQLState() {
		case "40001", "40P01": // serialization_failure, deadlock_detected
			return true
		}
		return false
	}
	var sqlite interface{ Code() int }
	if errors.As(err, &sqlite) {
		switch sqlite.Code() & 0xff {
		case 5, 6: // SQLITE_BUSY, SQLITE_LOCKED
			return true
		}
		return false
	}
	return strings.Contains(err.Error(), "database is locked") || strings.Contains(err.Error(), "database table is locked")
}
