package jwks

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// FilesConfig says which files hold one issuer's public keys.
type FilesConfig struct {
	// Paths are files and directories; at least one is required. Of a directory,
	// the files ending in .json and .jwks are JWK Sets, those in .pem, .crt, .cer
	// and .pub are PEM bundles; others, dot files and subdirectories are not
	// read. A file that is named here and does not end in .json or .jwks is a PEM
	// bundle. Symbolic links are followed each time.
	Paths []string
	// Algorithms are those that keys of JWK Sets may have, as in Config.
	Algorithms []string
	// PEMAlgorithm binds the keys of PEM bundles, as in [claims.ParsePEM], which
	// also says what a bundle is. They have no kid, so they fit every header of
	// their algorithm.
	PEMAlgorithm string
	// Interval is how often the files are looked at, 10 seconds if 0, from 100
	// milliseconds to 24 hours.
	Interval time.Duration
	// MaxStale is how long the last good keys are used while the files can't be
	// read, from 2 Intervals to 30 days. If 0, it is 24 hours, or 2 Intervals if
	// that is more.
	MaxStale time.Duration
	// MaxBytes bounds a file, 1 MiB if 0, and at most.
	MaxBytes int
	// MaxKeys bounds the keys of a file, and the files, 100 if 0, 1000 at most.
	MaxKeys int
	// Logger hears of files that can't be read, of keys that are skipped and of
	// certificates that run out, at each change once. Nil is [slog.Default].
	Logger *slog.Logger
}

// FileSet holds keys from files, which are read again when they change. It is a
// [claims.KeySet], safe for concurrent use, and needs no goroutine: a request
// that finds the Interval over looks at the files, while others are answered
// from memory. The zero FileSet answers nothing but [ErrUnavailable].
//
// All files change together or not at all: while one of them can't be read, is
// half written, or changes under the reader's eyes, the last good keys stay. A
// writer should still rename finished files into place, because half a bundle
// can look whole. Links that are swapped, as Kubernetes does, are such a rename.
//
// Of a certificate the key and the dates count, and they count for as long as
// it is in use: the key is offered from NotBefore to NotAfter (RFC 5280
// §4.1.2.5), and otherwise skipped, as the log says, while the others are
// offered. Nothing else of a certificate is looked at. If no key is left at all,
// Keys answers [ErrUnavailable]: files that have run out say nothing about
// tokens, and to refuse those would log everybody out. Files without one key
// that can be used now are never taken, by NewFiles neither.
//
// Headers are answered as by [claims.NewKeySet].
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
	m := mistakes{in: errFiles}
	c.Paths = slices.Clone(c.Paths)
	if len(c.Paths) == 0 || slices.Contains(c.Paths, "") {
		m.add("Paths is missing or has an empty one")
	}
	c.Algorithms = m.algorithms(c.Algorithms)
	if c.PEMAlgorithm != "" && !slices.Contains(usualAlgorithms, c.PEMAlgorithm) {
		m.add("PEMAlgorithm: %s is not an algorithm for public keys", quoted(c.PEMAlgorithm))
	}
	m.within("Interval", &c.Interval, 10*time.Second, 100*time.Millisecond, 24*time.Hour)
	m.maxStale(&c.MaxStale, 2*c.Interval, "Interval")
	m.count("MaxBytes", &c.MaxBytes, 1<<20, 1<<20)
	m.count("MaxKeys", &c.MaxKeys, 100, 1000)
	if m.found != nil {
		return nil, errors.Join(m.found...)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	s := &FileSet{
		keeper: keeper{logger: c.Logger, source: strings.Join(c.Paths, " "), maxStale: c.MaxStale},
		config: c,
		rules:  rules{algorithms: c.Algorithms, maxKeys: c.MaxKeys},
		begin:  time.Now(),
	}
	if s.look(s.read); s.Stats().Err != nil {
		return nil, s.Stats().Err
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
func (s *FileSet) Stats() Stats { return s.keeper.read() }

// fresh looks at the files if it is time, and returns the keys. One request
// looks; the others wait for it only if they have nothing to answer with.
func (s *FileSet) fresh() (*snapshot, error) {
	current, err := s.keeper.usable()
	switch {
	case s.config.Paths == nil:
		return nil, err
	case err != nil:
		s.looking.Lock()
	case s.untilDue() > 0 || !s.looking.TryLock():
		return current, nil
	}
	defer s.looking.Unlock()
	if s.untilDue() <= 0 {
		s.look(s.read)
	}
	return s.keeper.usable()
}

func (s *FileSet) untilDue() time.Duration {
	return time.Duration(s.due.Load()) - time.Since(s.begin)
}

// look reads the files and takes them if they changed.
func (s *FileSet) look(read func() ([]file, [sha256.Size]byte, error)) {
	began := time.Now()
	s.due.Store(int64(began.Sub(s.begin) + s.config.Interval))
	files, digest, err := read()
	old := s.keeper.current.Load()
	if err == nil && old != nil && digest == s.digest {
		same := *old
		same.asked = began
		s.take(&same, digest)
		return
	}
	// New files must stand still for a second look.
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
	s.take(next, digest)
}

// take makes next the current set, unless there is no key in it that can be
// used now.
func (s *FileSet) take(next *snapshot, digest [sha256.Size]byte) {
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
