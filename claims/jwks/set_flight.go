package jwks

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

const (
	// maxWaiting bounds how many requests wait for a fetch.
	maxWaiting = 1024
	// maxAbsent bounds how many refused kids are remembered, absentFor for how long.
	maxAbsent = 1024
	absentFor = 10 * time.Second
	// doubtFor is the pause between fetches that bad signatures cause.
	doubtFor = 10 * time.Second
	// minFresh is the shortest max-age that is honoured.
	minFresh = time.Minute
	// firstRetry and lastRetry are between which the pause after failures grows.
	firstRetry = time.Second
	lastRetry  = time.Minute
	// maxRetryAfter bounds how long a key server can ask us to stay away: a mistake of its
	// must not keep new keys out for a day.
	maxRetryAfter = 5 * time.Minute
)

// flight is one fetch that any number of requests wait for. It is under way or
// about to begin. A Set has one at most.
type flight struct {
	done chan struct{}
	// These are read after done is closed.
	began time.Time
	err   error
}

// join returns the fetch that is under way or about to begin. If there is none it
// starts one, which waits for MinInterval to pass.
func (s *Set) join() (*flight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if s.flight == nil && time.Now().Before(s.notBefore) {
		return nil, errAsked
	}
	if s.flight == nil {
		s.flight = &flight{done: make(chan struct{})}
		f, pause := s.flight, time.Duration(0)
		if !s.last.IsZero() {
			pause = s.from.config.MinInterval - time.Since(s.last)
		}
		s.running.Go(func() { s.fly(f, pause) })
	}
	return s.flight, nil
}

// fly fetches after a pause, and lands f.
func (s *Set) fly(f *flight, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
	// The moment counts from before the request: what the key server published later may
	// be missing from its answer. After Close the fetch fails at once.
	f.began = time.Now()
	f.err = s.load(f.began)
	s.mu.Lock()
	s.last = f.began
	s.flight = nil
	s.mu.Unlock()
	close(f.done)
}

// load fetches the set once and settles when it is due again.
func (s *Set) load(began time.Time) error {
	doc, fresh, err := s.from.document(s.ctx)
	var next *snapshot
	if err == nil {
		next, err = s.parse(doc, began)
	}
	// When it is due again: after a failure the pause doubles from a second to a minute,
	// and up to half of it is random, so that a thousand processes don't come back
	// together. It is counted from now, since a fetch that timed out has taken long.
	if err != nil {
		s.keeper.fail(err)
		s.mu.Lock()
		s.failures++
		pause := min(s.from.config.Refresh, lastRetry, firstRetry<<min(s.failures-1, 10))
		pause = pause/2 + rand.N(pause/2)
		if no := (*statusError)(nil); errors.As(err, &no) && no.retryAfter > 0 {
			// RFC 9110 §10.2.3. Whoever asks about an unknown kid meanwhile is answered that
			// it can't be checked: to go on asking is what the server can't bear.
			wait := min(no.retryAfter, maxRetryAfter)
			s.notBefore = time.Now().Add(wait)
			pause = max(pause, wait)
		}
		s.mu.Unlock()
		s.due.Store(int64(elapsed(s.begin, time.Now()) + pause))
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	s.keeper.accept(next)
	s.mu.Lock()
	s.failures = 0
	s.mu.Unlock()
	// After a success it is counted from the question, as the set's age is. A tenth is
	// random for the same reason as above.
	pause := s.from.config.Refresh
	if fresh > 0 {
		pause = min(pause, max(fresh, minFresh))
	}
	s.due.Store(int64(elapsed(s.begin, began) + pause - rand.N(pause/10)))
	return nil
}

// parse makes a snapshot of a document. One that has not changed, as most have
// not, is not parsed again.
func (s *Set) parse(doc []byte, began time.Time) (*snapshot, error) {
	digest := sha256.Sum256(doc)
	// A copy, since readers may hold the old snapshot: only its age is new.
	old := s.keeper.current.Load()
	if old != nil && old.digest == digest {
		same := *old
		same.asked = began
		return &same, nil
	}
	var known map[identity]*claims.Key
	if old != nil {
		known = old.known
	}
	next, err := s.rules.snapshot(doc, known, began)
	if err != nil {
		return nil, err
	}
	next.digest = digest
	return next, nil
}

// refresh waits for a fetch that begins now or is under way.
func (s *Set) refresh(ctx context.Context) error {
	f, err := s.join()
	if err != nil {
		return err
	}
	return s.wait(ctx, f)
}

// wait waits for f to land, unless too many do already.
func (s *Set) wait(ctx context.Context, f *flight) error {
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > maxWaiting {
		return errBusy
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
}

// ask finds out whether the key server has the kid that the set has not.
func (s *Set) ask(ctx context.Context, h claims.Header) ([]*claims.Key, error) {
	asked := time.Now()
	if s.isAbsent(h.KeyID, asked) {
		return nil, nil
	}
	for {
		// Twice at most: the second flight began after the question.
		f, err := s.join()
		if err == nil {
			err = s.wait(ctx, f)
		}
		if err != nil {
			return nil, err
		}
		current, err := s.keeper.usable()
		if err != nil {
			return nil, err
		}
		if keys := current.index[h]; keys != nil {
			return keys, nil
		}
		// A fetch that was under way may have been answered before the kid was
		// published; only one that began later proves that it is not there.
		if !f.began.Before(asked) {
			s.refuse(h.KeyID, f.began)
			return nil, nil
		}
	}
}

// mayDoubt reports whether a bad signature may have a fetch now, or wait for one that is
// under way. A fetch that is caused by it is noted.
func (s *Set) mayDoubt(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight != nil {
		return true
	}
	if !s.doubted.IsZero() && now.Sub(s.doubted) < doubtFor {
		return false
	}
	s.doubted = now
	return true
}

// isAbsent reports whether a fetch said lately that kid is not in the set.
func (s *Set) isAbsent(kid string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.absent[kid]
	return ok && now.Sub(at) < absentFor
}

// refuse remembers that kid was not in the set at that moment.
func (s *Set) refuse(kid string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Full of kids of the last ten seconds, it takes no more. A kid that is not
	// remembered is asked about again, at the pace of MinInterval.
	if len(s.absent) >= maxAbsent {
		maps.DeleteFunc(s.absent, func(_ string, old time.Time) bool { return at.Sub(old) >= absentFor })
	}
	if len(s.absent) < maxAbsent {
		s.absent[kid] = at
	}
}
