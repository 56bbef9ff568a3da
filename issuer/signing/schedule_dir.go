package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// keyTime is how a file name says from when its key signs, in UTC.
	keyTime = "20060102T150405Z"
	// dirInterval is how often a directory of keys is looked at.
	dirInterval = 10 * time.Second
	maxKeyFile  = 64 << 10
	maxKeyFiles = 100
)

// LoadSchedule returns a schedule of the private keys in a directory, which is
// read again when it changes. Machines that have the same directory agree.
//
// A key is a file named for the time from which it signs, and if it is not the
// usual one for the algorithm: 20261201T000000Z.pem, 20261201T000000Z.PS256.pem.
// It holds one unencrypted PKCS #8 block ("PRIVATE KEY") of an RSA, ECDSA or
// Ed25519 key. Files that do not end in .pem, dot files and subdirectories are
// not read; symbolic links are followed, each time. On Unix a key file is refused
// that its group or others may read, or that belongs to another user than this
// one or root; and so is a directory that another user owns, or others may write
// to and remove from. The error says how to mend it. A Kubernetes secret is fine:
// its directory has the sticky bit, and to who is not root, root may give a file
// through its group (0440). Elsewhere access is left to the system.
//
// In a directory with the sticky bit others may put files, though they can't
// take away ours. What is there and belongs neither to this user nor to root, be
// it a file or a symbolic link, is left out, and the logger hears of it once. A
// directory that only we and root may write to is better: some systems let
// others make a hard link, which is as good as the file, so that a key which is
// withdrawn there must be removed, not renamed.
//
// To rotate, put the next key there in time, at least Config.Lead ahead, best by
// renaming a finished file. To withdraw a key, because it is compromised, remove
// or rename its file: within ten seconds it neither signs nor verifies here.
// Otherwise leave files where they are until their last token has expired; an
// old key costs nothing.
//
// All files change together or not at all. If the directory can't be read, or
// one file is wrong, the error says which and why, LoadSchedule fails, and
// later the keys stay as they were and the logger (slog.Default if nil) hears
// of it once. There is no goroutine: whoever needs a key and finds ten seconds
// over looks at the files. Reload does at once.
//
// A directory without any key is a mistake for LoadSchedule. Later it withdraws
// all keys, and the logger hears of that: until there is one again nothing is
// issued or verified here, which is answered 503, and the key set is not
// published. (So it is while a volume that the directory is on is not mounted.)
// Verifiers elsewhere keep the keys that they have until they fetch others: give
// them a successor.
func LoadSchedule(dir string, logger *slog.Logger) (*Schedule, error) {
	s := &Schedule{dir: &keyDir{path: dir, logger: logger, begin: time.Now()}}
	if err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// Reload reads the directory of a schedule that LoadSchedule returned, now. On
// error the keys stay as they were; that the last file is gone is none. Of other
// schedules there is nothing to read.
func (s *Schedule) Reload() error {
	if s.dir == nil {
		return nil
	}
	s.dir.reading.Lock()
	defer s.dir.reading.Unlock()
	return s.dir.read(s)
}

// keyDir is where the keys of a schedule come from.
type keyDir struct {
	path   string
	logger *slog.Logger
	begin  time.Time
	due    atomic.Int64 // when to look again, as a time.Duration since begin

	reading sync.Mutex
	known   map[[sha256.Size]byte]*Key // under reading: by name and content
	failed  string                     // under reading: what was last logged
	foreign string                     // under reading: the files left out that were last logged
}

// log returns where to log. A Logger that is nil is looked up for each line, so that
// a later slog.SetDefault counts.
func (d *keyDir) log() *slog.Logger {
	if d == nil || d.logger == nil {
		return slog.Default()
	}
	return d.logger
}

// look reads the directory if that is due and nobody else is at it.
func (d *keyDir) look(s *Schedule) {
	if d == nil || time.Since(d.begin) < time.Duration(d.due.Load()) || !d.reading.TryLock() {
		return
	}
	defer d.reading.Unlock()
	err := d.read(s)
	if text := fmt.Sprint(err); err != nil && text != d.failed {
		d.log().Error("signing: keys stay as they were", "err", err)
		d.failed = text
	} else if err == nil {
		d.failed = ""
	}
}

// read replaces the keys of s by those in the directory.
func (d *keyDir) read(s *Schedule) error {
	d.due.Store(int64(time.Since(d.begin) + dirInterval))
	names, err := d.list()
	if err != nil {
		return err
	}
	known := make(map[[sha256.Size]byte]*Key)
	var keys []*Key
	var mistakes []error
	for _, name := range names {
		if len(keys) == maxKeyFiles {
			return fmt.Errorf("signing: keys: %s has more than %d", d.path, maxKeyFiles)
		}
		key, digest, err := d.key(name)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("signing: key file %s: %w", filepath.Join(d.path, name), err))
			continue
		}
		known[digest] = key
		keys = append(keys, key)
	}
	if mistakes != nil {
		return errors.Join(mistakes...)
	}
	if keys == nil && s.keys.Load() != nil {
		if len(*s.keys.Load()) > 0 {
			d.log().Error("signing: the directory has no key any more: all are withdrawn", "dir", d.path)
		}
		s.keys.Store(new([]*Key))
		d.known = nil
		return nil
	}
	if err := s.replace(keys); err != nil {
		return fmt.Errorf("%w (in %s)", err, d.path)
	}
	d.known = known
	return nil
}

// list returns the names of the key files in the directory, unless others may
// change those.
func (d *keyDir) list() ([]string, error) {
	info, err := os.Stat(d.path)
	if err == nil {
		err = trustedDir(info)
	}
	if err != nil {
		return nil, fmt.Errorf("signing: key directory %s: %w", d.path, err)
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, fmt.Errorf("signing: keys: %w", err)
	}
	var names, foreign []string
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".pem"):
		case sharedDir(info) && !ours(entry):
			foreign = append(foreign, name)
		default:
			names = append(names, name)
		}
	}
	d.leftOut(foreign)
	return names, nil
}

// ours reports whether this user or root has put an entry where others may put
// some too. Of a symbolic link it is the link's owner that counts. What is gone
// meanwhile is nobody's.
func ours(entry os.DirEntry) bool {
	info, err := entry.Info()
	return err == nil && trustedOwner(info) == nil
}

// leftOut logs that files are left out, once as long as they are the same.
func (d *keyDir) leftOut(names []string) {
	all := strings.Join(names, "/")
	if all != d.foreign && all != "" {
		d.log().Warn("signing: what belongs to neither this user nor root is left out of the keys",
			"dir", d.path, "files", len(names), "first", names[0])
	}
	d.foreign = all
}

// key reads one file. What has not changed stays the same Key, because
// verifiers remember tokens by it.
func (d *keyDir) key(name string) (*Key, [sha256.Size]byte, error) {
	content, err := readPrivate(filepath.Join(d.path, name))
	if err != nil {
		return nil, [sha256.Size]byte{}, err
	}
	digest := sha256.Sum256(append([]byte(name+"\x00"), content...))
	if key := d.known[digest]; key != nil {
		return key, digest, nil
	}
	key, err := parseKeyFile(name, content)
	return key, digest, err
}

// readPrivate reads a file that nobody else may read.
func readPrivate(path string) ([]byte, error) {
	if info, err := os.Stat(path); err != nil { // before it is opened: a pipe would wait for whoever writes
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("is no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("is no regular file")
	case info.Size() > maxKeyFile:
		return nil, fmt.Errorf("is larger than %d bytes", maxKeyFile)
	}
	if err := trustedFile(info); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, maxKeyFile))
}

// parseKeyFile makes a key of a file's name and content.
func parseKeyFile(name string, content []byte) (*Key, error) {
	stamp, alg, _ := strings.Cut(strings.TrimSuffix(name, ".pem"), ".")
	from, err := time.Parse(keyTime, stamp)
	if err != nil {
		return nil, fmt.Errorf("name does not begin with the time from which it signs, such as %s", keyTime)
	}
	block, rest := pem.Decode(content)
	switch {
	case block == nil:
		return nil, errors.New("holds no PEM block")
	case block.Type != "PRIVATE KEY":
		return nil, fmt.Errorf("holds a %q, not a PRIVATE KEY (PKCS #8, unencrypted)", block.Type)
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, errors.New("holds more than one block")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("holds no PKCS #8 key that can be read")
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("holds a %T, which can't sign", parsed)
	}
	if alg == "" {
		alg = usualAlgorithm(signer)
	}
	return NewKey(alg, signer, from)
}

// usualAlgorithm is what a key is used for if its file name does not say.
func usualAlgorithm(signer crypto.Signer) string {
	switch key := signer.(type) {
	case *rsa.PrivateKey:
		return "RS256"
	case ed25519.PrivateKey:
		return "EdDSA"
	case *ecdsa.PrivateKey:
		return map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[key.Curve.Params().Name]
	}
	return ""
}
