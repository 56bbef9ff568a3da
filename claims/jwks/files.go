package jwks

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// FileSet holds keys from files, which are read again when they change. It is a
// [claims.KeySet] and answers headers as one of [claims.NewKeySet] does. While the
// files can't be read, the last good keys are used until they are older than
// MaxStale, and then the answer is [ErrUnavailable].
//
// A FileSet is safe for concurrent use and needs no goroutine: a request that finds
// the Interval over looks at the files, while others are answered from memory. The
// zero FileSet only answers ErrUnavailable.
//
// # Files that change
//
// All files change together or not at all. While one of them can't be read, is half
// written, or changes while it is read, the last good keys stay. A writer should
// still rename finished files into place, because half a bundle can look whole.
// Links that are swapped, as Kubernetes does, are such a rename.
//
// # Certificates
//
// The key and the dates of a certificate count, and nothing else of it is looked at.
// Its key is offered from NotBefore to NotAfter (RFC 5280 §4.1.2.5). Otherwise it is
// skipped, which the log says, while the other keys are offered.
//
// If no key is left at all, Keys answers ErrUnavailable: files that have run out say
// nothing about tokens, and to refuse tokens would log everybody out. Files without
// one key that can be used now are never taken, and NewFiles refuses them.
type FileSet struct {
	keeper keeper
	config FilesConfig
	rules  rules
	begin  time.Time
	due    atomic.Int64 // when to look again, as a time.Duration since begin

	looking sync.Mutex
	digest  [sha256.Size]byte // under looking: of the files that are in use
}

// NewFiles returns a FileSet, or every mistake in c, or why the files can't be
// read or hold no key that can be used now.
func NewFiles(c FilesConfig) (*FileSet, error) {
	named := c.Algorithms != nil
	c, err := c.settled()
	if err != nil {
		return nil, err
	}
	s := &FileSet{
		keeper: keeper{logger: c.Logger, source: strings.Join(c.Paths, " "), maxStale: c.MaxStale},
		config: c,
		rules:  rules{algorithms: c.Algorithms, each: named, maxKeys: c.MaxKeys},
		begin:  time.Now(),
	}
	s.look(s.read)
	if err := s.Stats().Err; err != nil {
		return nil, err
	}
	return s, nil
}

// Keys returns the keys that may have signed a token with header h. Every error
// matches [ErrUnavailable].
func (s *FileSet) Keys(ctx context.Context, h claims.Header) ([]*claims.Key, error) {
	current, err := s.fresh()
	if err != nil {
		return nil, err
	}
	keys, err := current.fixed.Keys(ctx, h)
	return current.valid(keys), err
}

// Ready returns nil if Keys can answer, else an error that matches
// [ErrUnavailable] and says why not.
func (s *FileSet) Ready(context.Context) error {
	_, err := s.fresh()
	return err
}

// Stats returns how the set is doing.
func (s *FileSet) Stats() Stats { return s.keeper.report() }

// fresh looks at the files if it is time, and returns the keys. One request
// looks; the others wait for it only if they have nothing to answer with.
func (s *FileSet) fresh() (*snapshot, error) {
	current, err := s.keeper.usable()
	switch {
	case s.config.Paths == nil:
		return nil, err
	case err != nil:
		// Nothing to answer with: all wait for the one that looks.
		s.looking.Lock()
	case s.untilDue() > 0 || !s.looking.TryLock():
		return current, nil
	}
	defer s.looking.Unlock()
	// Another request may have looked while this one waited for the lock.
	if s.untilDue() <= 0 {
		s.look(s.read)
	}
	return s.keeper.usable()
}

func (s *FileSet) untilDue() time.Duration {
	return time.Duration(s.due.Load()) - elapsed(s.begin, time.Now())
}

// look reads the files and takes them if they changed.
func (s *FileSet) look(read func() ([]file, [sha256.Size]byte, error)) {
	began := time.Now()
	s.due.Store(int64(elapsed(s.begin, began) + s.config.Interval))
	files, digest, err := read()
	old := s.keeper.current.Load()
	if err == nil && old != nil && digest == s.digest {
		same := *old
		same.asked = began
		s.use(&same, digest)
		return
	}
	// New files must stand still for a second look: half a bundle may be whole keys.
	if _, again, err2 := read(); err == nil && (err2 != nil || again != digest) {
		err = errors.Join(fmt.Errorf("%w: they change while they are read", errFiles), err2)
	}
	var next *snapshot
	if err == nil {
		next, err = s.parse(files, old, began)
	}
	if err != nil {
		s.keeper.fail(err)
		return
	}
	s.use(next, digest)
}

// use makes next the current set, unless there is no key in it that can be
// used now.
func (s *FileSet) use(next *snapshot, digest [sha256.Size]byte) {
	if !next.offers(next.asked) {
		text, _ := described(next.lapsed(next.asked))
		s.keeper.fail(fmt.Errorf("%w: no usable key: %s", errFiles, text))
		return
	}
	s.digest = digest
	s.keeper.accept(next)
}

// parse makes a snapshot of the files. One bad file fails all.
func (s *FileSet) parse(files []file, old *snapshot, asked time.Time) (*snapshot, error) {
	var known map[identity]*claims.Key
	if old != nil {
		known = old.known
	}
	var all []entry
	var notes []note
	for _, f := range files {
		var entries []entry
		var more []note
		var err error
		if f.isSet() {
			entries, more, err = s.rules.parseSet(f.data, known)
		} else {
			entries, err = parsePEM(f, s.config, known)
		}
		if err == nil && len(entries) == 0 {
			err = noUsableKey(more)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", errFiles, f.path, err)
		}
		for _, n := range more {
			notes = append(notes, note{f.path + ": " + n.where, n.reason, n.skipped})
		}
		all = append(all, entries...)
	}
	next, more := assemble(all, asked)
	next.notes = append(notes, more...)
	var err error
	if next.fixed, err = claims.NewKeySet(next.keys...); err != nil {
		return nil, fmt.Errorf("%w: %w", errFiles, err)
	}
	return next, nil
}
