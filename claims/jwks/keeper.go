package jwks

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Stats says how a set is doing.
type Stats struct {
	// Keys is how many keys are offered; Skipped, how many the last good
	// document had that could not be used.
	Keys, Skipped int
	// Reads counts the attempts to read the document or the files, Failures
	// those that brought no usable set.
	Reads, Failures uint64
	// LastSuccess and LastFailure are when the last good and the last failed
	// attempt ended. They are zero if there was none.
	LastSuccess, LastFailure time.Time
	// Err is why the last attempt failed, nil if it did not.
	Err error
	// Stale says that Keys answers nothing but [ErrUnavailable].
	Stale bool
}

// keeper holds the last good set and the record of how it came.
type keeper struct {
	logger   *slog.Logger // nil is slog.Default, at the moment of each line
	source   string       // URL, issuer or paths, for the log
	maxStale time.Duration
	current  atomic.Pointer[snapshot]

	mu     sync.Mutex
	stats  Stats
	noted  string // what was last said of skipped keys
	closed bool
}

func (k *keeper) log() *slog.Logger {
	if k.logger == nil {
		return slog.Default()
	}
	return k.logger
}

// close drops the set: from now on there is none.
func (k *keeper) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	k.current.Store(nil)
}

// usable returns the current snapshot, or why there is none to be used.
func (k *keeper) usable() (*snapshot, error) { return k.usableAt(time.Now()) }

func (k *keeper) usableAt(now time.Time) (*snapshot, error) {
	s := k.current.Load()
	// A set that is too old or has lapsed is kept, and not answered with: a refresh that
	// finds the document unchanged makes it good again.
	switch {
	case s != nil && elapsed(s.asked, now) > k.maxStale:
		return nil, errStale
	case s != nil && len(s.dates) > 0 && !s.offers(now):
		return nil, errLapsed
	case s != nil:
		return s, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed:
		return nil, errClosed
	case k.stats.Err != nil:
		return nil, fmt.Errorf("%w: %w", errEmpty, k.stats.Err)
	}
	return nil, errEmpty
}

// unread reports whether no attempt to read anything has ended yet.
func (k *keeper) unread() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stats.Reads == 0
}

// accept makes s the current set, whether it is new or was found unchanged.
func (k *keeper) accept(s *snapshot) {
	lapsed := s.lapsed(time.Now())
	text, skipped := described(slices.Concat(s.notes, lapsed))
	k.mu.Lock()
	// A fetch may land after Close, which must stay closed.
	if k.closed {
		k.mu.Unlock()
		return
	}
	// What there is to say of a document is said when it changes, not at each refresh.
	news, recovered := text != k.noted && text != "", k.stats.Err != nil
	k.noted = text
	k.stats.Reads++
	k.stats.Keys, k.stats.Skipped = len(s.keys)-len(lapsed), skipped
	k.stats.LastSuccess, k.stats.Err = time.Now(), nil
	k.current.Store(s)
	k.mu.Unlock()
	// Outside of the lock: a slow log must not hold up readers.
	if news {
		k.log().Warn("jwks: keys to look at", "source", k.source, "skipped", skipped, "reasons", text)
	}
	if recovered {
		k.log().Info("jwks: keys can be read again", "source", k.source, "keys", len(s.keys))
	}
}

// fail records an attempt that brought nothing. The first of a row is logged.
func (k *keeper) fail(err error) {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return
	}
	first := k.stats.Err == nil
	k.stats.Reads++
	k.stats.Failures++
	k.stats.LastFailure, k.stats.Err = time.Now(), err
	k.mu.Unlock()
	switch {
	case first && k.current.Load() == nil:
		k.log().Warn("jwks: keys can't be read, and there are none yet", "source", k.source, "error", err)
	case first:
		k.log().Warn("jwks: keys can't be read, the last good ones stay", "source", k.source, "error", err)
	}
}

// report returns the record.
func (k *keeper) report() Stats {
	_, err := k.usable()
	k.mu.Lock()
	defer k.mu.Unlock()
	stats := k.stats
	stats.Stale = err != nil
	return stats
}
