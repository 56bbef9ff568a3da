package jwks

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// Set is the JWK Set of one issuer, fetched over HTTP and kept fresh. It is a
// [claims.KeySet]: known keys are answered from memory, and a kid that is not known
// is looked for once. When the key server fails, the last good set is used until it
// is older than MaxStale, and then the answer is [ErrUnavailable].
//
// A Set is safe for concurrent use. The zero Set only answers ErrUnavailable.
//
// # Known keys
//
//   - A header whose kid and algorithm are in the set is answered at once, from
//     memory, without a lock. With OnDemand that is so except once per Refresh.
//   - A header without kid gets the keys of its algorithm and never causes a
//     fetch. A header with a kid only gets keys of that kid.
//   - A key that is no longer in the set is not offered from the next fetch on.
//     A key that is still there stays the same object.
//
// # Unknown kids
//
//   - A kid that is not in the set is only refused after a fetch said so that
//     began after the question. The question waits for it, at most MinInterval
//     and the time of two fetches.
//   - For 10 seconds from then on that kid is refused at once. So a new kid is
//     accepted within one fetch, however many made-up kids came before. A kid that
//     was asked for before it was published is accepted up to 10 seconds later.
//   - At most 1024 questions wait at once; more are answered ErrUnavailable at once.
//     At most 1024 refused kids are remembered; others are asked about again.
//
// # Fetches
//
//   - Two fetches never overlap, and never begin within MinInterval of each other.
//   - A fetch belongs to the set and not to the request that caused it. It goes on
//     if that request is cancelled.
type Set struct {
	keeper keeper
	from   *fetcher
	rules  rules
	begin  time.Time    // due counts from here, by the monotonic clock
	due    atomic.Int64 // when the next refresh is, as a time.Duration since begin
	// overdue is how late a refresh can be while the goroutine does its work.
	overdue time.Duration

	ctx     context.Context // ends with Close
	end     context.CancelFunc
	running sync.WaitGroup

	waiting atomic.Int64 // how many requests wait for a fetch

	mu        sync.Mutex // guards what follows; never held while keeper.mu is taken
	closed    bool       // no further flight begins
	flight    *flight
	failures  int                  // in a row
	last      time.Time            // when the last fetch began
	notBefore time.Time            // until then the key server wants no fetch
	absent    map[string]time.Time // refused kids, and when the fetch began that said so
	doubted   time.Time            // when a bad signature last caused a fetch
}

// New returns a Set, or every mistake in c. Unless c.StartEmpty is set, it
// returns when the set was loaded, or with an error after c.Timeout at most.
// Close it when it is no longer needed.
func New(c Config) (*Set, error) {
	named := c.Algorithms != nil
	c, err := c.settled()
	if err != nil {
		return nil, err
	}
	s := &Set{
		keeper:  keeper{logger: c.Logger, source: c.URL + c.Issuer, maxStale: c.MaxStale},
		from:    newFetcher(c),
		rules:   rules{algorithms: c.Algorithms, each: named, uses: c.Uses, maxKeys: c.MaxKeys},
		begin:   time.Now(),
		overdue: c.MinInterval + 2*c.Timeout,
		absent:  make(map[string]time.Time),
	}
	// Of its own and no caller's: a fetch outlives the request that caused it.
	s.ctx, s.end = context.WithCancel(context.Background())
	if !c.StartEmpty {
		if err := s.refresh(s.ctx); err != nil {
			s.Close()
			return nil, err
		}
	}
	if !c.OnDemand {
		s.running.Go(s.follow)
	}
	return s, nil
}

// Keys returns the keys that may have signed a token with header h. Every error
// matches [ErrUnavailable].
func (s *Set) Keys(ctx context.Context, h claims.Header) ([]*claims.Key, error) {
	if s.from == nil {
		return nil, errClosed
	}
	// The goroutine's timer stands still while the machine is suspended. Then the set is
	// long overdue after it wakes, and the first request fetches it.
	now := time.Now()
	if s.from.config.OnDemand || s.untilDueAt(now) < -s.overdue {
		s.refreshIfDue(ctx)
	}
	current, err := s.keeper.usableAt(now)
	if err != nil {
		current, err = s.awaitFirst(ctx)
	}
	if err != nil {
		return nil, err
	}
	// A token without kid names no key that could be missing: it must not make us fetch.
	if keys := current.index[h]; keys != nil || h.KeyID == "" {
		return keys, nil
	}
	// Neither can be answered by any document, so that a stranger can't cause fetches
	// with them.
	if len(h.KeyID) > maxKeyID || !slices.Contains(s.rules.algorithms, h.Algorithm) {
		return nil, nil
	}
	return s.ask(ctx, h)
}

// KeysAnew is Keys as of a fetch that begins now or is under way: a provider may give a
// new key the kid of the old one, or none. A [claims.Verifier] asks it about a token
// whose signature no key made. So strangers can cause fetches with it: one in 10
// seconds. Until then it returns no keys, and nobody waits.
func (s *Set) KeysAnew(ctx context.Context, h claims.Header) ([]*claims.Key, error) {
	if s.from == nil {
		return nil, errClosed
	}
	if !s.mayDoubt(time.Now()) {
		return nil, nil
	}
	if err := s.refresh(ctx); err != nil {
		return nil, err
	}
	current, err := s.keeper.usable()
	if err != nil {
		return nil, err
	}
	return current.index[h], nil
}

// awaitFirst answers what could not be answered at once: a set that started empty
// has its first fetch waited for, but no later one.
func (s *Set) awaitFirst(ctx context.Context) (*snapshot, error) {
	if s.keeper.unread() {
		if err := s.refresh(ctx); err != nil {
			return nil, err
		}
	}
	return s.keeper.usable()
}

// maxKeyID is how long the kid of a [claims.Key] can be.
const maxKeyID = 256

// Ready returns nil if Keys can answer, else an error that matches
// [ErrUnavailable] and says why not. It is for readiness probes.
func (s *Set) Ready(ctx context.Context) error {
	if s.from == nil {
		return errClosed
	}
	if s.from.config.OnDemand {
		s.refreshIfDue(ctx)
	}
	_, err := s.keeper.usable()
	return err
}

// Issuer returns the issuer whose discovery document is followed, "" if
// Config.URL was given. [claims.NewVerifier] refuses the keys of another issuer
// than its own.
func (s *Set) Issuer() string {
	if s.from == nil {
		return ""
	}
	return s.from.config.Issuer
}

// Stats returns how the set is doing.
func (s *Set) Stats() Stats { return s.keeper.report() }

// Close ends the goroutine and any fetch, and returns when they have ended.
// Afterwards Keys answers [ErrUnavailable]. It may be called more than once.
func (s *Set) Close() {
	if s.from == nil {
		return
	}
	// In this order: once closed is set no flight begins, so that Wait misses none.
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.keeper.close()
	s.end()
	s.running.Wait()
}

// follow refreshes the set whenever it is due, until Close.
func (s *Set) follow() {
	timer := time.NewTimer(s.untilDue())
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		}
		if s.untilDue() <= 0 { // else an unknown kid was faster
			// Not by refresh: this goroutine must not be turned away because too many
			// requests wait already.
			if f, err := s.join(); err == nil {
				<-f.done // Stats and the log have the error
			}
		}
		timer.Reset(s.untilDue())
	}
}

// refreshIfDue waits for a fetch if one is due, but while the key server fails
// it only waits if there is nothing else to answer with.
func (s *Set) refreshIfDue(ctx context.Context) {
	_, err := s.keeper.usable()
	if err == nil && s.untilDue() > 0 {
		return
	}
	s.mu.Lock()
	failing := s.failures > 0
	s.mu.Unlock()
	// While fetches fail, each would take its full Timeout, and this request has good
	// keys: it starts the fetch and goes on.
	if err == nil && failing {
		_, _ = s.join()
		return
	}
	_ = s.refresh(ctx)
}

func (s *Set) untilDue() time.Duration { return s.untilDueAt(time.Now()) }

func (s *Set) untilDueAt(now time.Time) time.Duration {
	return time.Duration(s.due.Load()) - elapsed(s.begin, now)
}
