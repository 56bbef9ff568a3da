package lockout

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/named"
)

// Config describes a lockout. It is copied by [New]; changing it later changes
// nothing.
type Config struct {
	// Name identifies the lockout in its store: 1 to 64 of A-Z a-z 0-9 . _ - and
	// required. Lockouts with the same name and store share their records.
	Name string

	// Store keeps the records. Nil is a [MemoryStore] of the lockout's own. While it
	// fails no guess is looked at; there is no other choice.
	Store Store

	// Tries is how many wrong guesses there are until the key is blocked: 1 to 100;
	// 0 means 5.
	Tries int

	// Block is how long a key is blocked, from the last guess that was looked at;
	// 0 means 24 hours. At the very nanosecond at which it has passed all tries are
	// there again.
	Block time.Duration

	// Window is how long a wrong guess counts while the key isn't blocked; 0 means
	// as long as Block.
	Window time.Duration

	// Timeout is the most that each call of the Store may take: 0 means 1 s, at
	// least 1 ms, at most a minute. A [MemoryStore] takes no time.
	Timeout time.Duration

	// Logger hears of settlements that the store did not take and, once a minute,
	// of a [MemoryStore] that is full. Nil is [slog.Default].
	Logger *slog.Logger
}

const (
	defaultTries   = 5
	defaultBlock   = 24 * time.Hour
	defaultTimeout = time.Second

	maxTries   = 100 // NIST SP 800-63B: no more consecutive failures than that
	maxSpan    = 366 * 24 * time.Hour
	minTimeout = time.Millisecond
	maxTimeout = time.Minute
)

// settled returns c with its defaults filled in, or every mistake in it.
func (c Config) settled() (Config, error) {
	if c.Tries == 0 {
		c.Tries = defaultTries
	}
	if c.Block == 0 {
		c.Block = defaultBlock
	}
	if c.Window == 0 {
		c.Window = c.Block
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	var mistakes []error
	mistake := func(format string, a ...any) {
		mistakes = append(mistakes, fmt.Errorf("lockout: Config."+format, a...))
	}
	if err := named.Check(c.Name); err != nil {
		mistake("Name %w", err)
	}
	if c.Tries < 1 || c.Tries > maxTries {
		mistake("Tries is %d, must be 1 to %d", c.Tries, maxTries)
	}
	if !isSpan(c.Block) {
		mistake("Block is %v, must be whole microseconds up to %v", c.Block, maxSpan)
	}
	if !isSpan(c.Window) {
		mistake("Window is %v, must be whole microseconds up to %v", c.Window, maxSpan)
	}
	if c.Timeout < minTimeout || c.Timeout > maxTimeout {
		mistake("Timeout is %v, must be %v to %v", c.Timeout, minTimeout, maxTimeout)
	}
	if c.Store == nil {
		c.Store = NewMemoryStore(0)
	} else if isNil(c.Store) {
		mistake("Store is a nil %T: was its error looked at?", c.Store)
	}
	return c, errors.Join(mistakes...)
}

// isSpan holds for durations that every store can keep exactly: SQL and Redis have
// microseconds.
func isSpan(d time.Duration) bool {
	return d > 0 && d <= maxSpan && d%time.Microsecond == 0
}

// isNil finds a nil pointer in s: the usual remains of an error that was not looked
// at.
func isNil(s Store) bool {
	v := reflect.ValueOf(s)
	return v.Kind() == reflect.Pointer && v.IsNil()
}
