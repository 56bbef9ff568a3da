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
	"slices"
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

// LoadSchedule returns a schedule of the private keys in a directory, which is read
// again within ten seconds when it changes. Machines that have the same directory
// agree on which key signs. What is wrong now is an error; what is wrong later is
// logged, by slog.Default() if logger is nil. If algorithms are named, a key of any
// other is a mistake, now and later: name those that your verifiers take.
//
// # Files
//
// Each key is a file. Its name says from when the key signs, in UTC, and which
// algorithm it has, if that is not the usual one for its type:
// 20261201T000000Z.pem, 20261201T000000Z.PS256.pem. Usual are RS256, EdDSA, and for
// ECDSA the one that goes with the curve. The file holds one unencrypted PKCS #8
// block ("PRIVATE KEY"). Files whose names begin with a dot or don't end in .pem are
// not read. Symbolic links are followed, each time.
//
// # Rotation
//
// To rotate, put the next key there before it signs: at least [Window].Lead before,
// and best by renaming a finished file. To withdraw a key, because it has leaked,
// remove or rename its file: within ten seconds it neither signs nor verifies here.
// Leave all other files where they are until their last token has expired.
//
// # Who else may read or write
//
// On Unix these are errors, which say how to mend them: a key file that its group or
// others may read, or that belongs to neither this user nor root; a directory that
// belongs to neither, or from which others may remove files. On other systems access is
// left to the system.
//
// Kubernetes mounts a secret so that everybody may read it (mode 0644), unless the
// volume says otherwise. Set its defaultMode: 0400 where the process runs as root; else
// 0440, and a securityContext with an fsGroup, through which the process reads root's
// files. The directory has the sticky bit, which is fine.
//
// In a directory with the sticky bit others may add files, but can't remove ours.
// Files and symbolic links there that belong to neither this user nor root are left
// out, and the logger hears of that once. It is better if only this user and root
// may write to the directory. Some systems let others make a hard link to a file,
// which stays when the file is renamed: there, withdraw a key by removing its file.
//
// # Mistakes and empty directories
//
// The keys change all together or not at all. If the directory or one file is wrong
// later, the keys stay as they were, and the logger hears of it once.
//
// A directory without any key is an error for LoadSchedule. Later it withdraws all
// keys, and the logger hears of that. Until there is a key again, nothing is signed
// or verified here, which is answered 503, and no key set is published. This also
// happens while the volume of the directory is not mounted. Verifiers elsewhere keep
// the keys that they have until they fetch others: give them a successor.
//
// There is no goroutine: the first use of the keys after ten seconds looks at the
// files. [Schedule.Reload] looks at once.
func LoadSchedule(dir string, logger *slog.Logger, algorithms ...string) (*Schedule, error) {
	algorithms = slices.Clone(algorithms)
	for i, alg := range algorithms {
		if alg == "Ed25519" { // RFC 9864 §2.2: another name, and keys have the older one
			algorithms[i] = "EdDSA"
		}
	}
	s := &Schedule{dir: &keyDir{path: dir, logger: logger, algorithms: algorithms, begin: time.Now()}}
	if err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// Reload reads the directory of a schedule from LoadSchedule at once. On error the
// keys stay as they were. It is not an error if the last file is gone: that withdraws
// all keys. For other schedules it does nothing.
func (s *Schedule) Reload() error {
	if s == nil || s.dir == nil {
		return nil
	}
	s.dir.reading.Lock()
	defer s.dir.reading.Unlock()
	return s.dir.read(s)
}

// keyDir is the directory from which the keys of a schedule come.
type keyDir struct {
	path       string
	logger     *slog.Logger
	algorithms []string     // those that keys may have; any if there are none
	begin      time.Time    // by the monotonic clock
	due        atomic.Int64 // when to look again, as a time.Duration since begin

	reading sync.Mutex
	known   map[[sha256.Size]byte]*Key // under reading: by name and content
	failed  string                     // under reading: what was last logged
	foreign string                     // under reading: the files left out, as last logged
}

// log returns where to log. A Logger that is nil is looked up for each line, so that
// a later slog.SetDefault counts.
func (d *keyDir) log() *slog.Logger {
	if d == nil || d.logger == nil {
		return slog.Default()
	}
	return d.logger
}

// look reads the directory if that is due and no other goroutine does.
func (d *keyDir) look(s *Schedule) {
	// Those who come while another reads go on with the keys that there are: a slow
	// disk delays one caller, not all.
	if d == nil || elapsed(d.begin, time.Now()) < time.Duration(d.due.Load()) || !d.reading.TryLock() {
		return
	}
	defer d.reading.Unlock()
	err := d.read(s)
	// It is read every ten seconds: the same mistake is logged once, until it has
	// gone or is another.
	if text := fmt.Sprint(err); err != nil && text != d.failed {
		d.log().Error("signing: keys stay as they were", "error", err)
		d.failed = text
	} else if err == nil {
		d.failed = ""
	}
}

// read replaces the keys of s by those in the directory.
func (d *keyDir) read(s *Schedule) error {
	// Also if it fails: a directory that is broken is not read for every token.
	d.due.Store(int64(elapsed(d.begin, time.Now()) + dirInterval))
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
	// The last file was removed on purpose, or all are out of reach. Somebody who
	// removes a leaked key must be able to rely on that, so the keys don't stay. At the start
	// it is a mistake: replace says so below.
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

// list returns the names of the key files in the directory. It is an error if
// others may change them.
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

// ours reports whether an entry was put there by this user or root. The owner of a
// symbolic link is the link's, not its target's. An entry that is gone meanwhile is
// not ours.
func ours(entry os.DirEntry) bool {
	info, err := entry.Info()
	return err == nil && trustedOwner(info) == nil
}

// leftOut logs that files are left out, once for as long as they are the same.
func (d *keyDir) leftOut(names []string) {
	all := strings.Join(names, "/") // no name has a slash
	if all != d.foreign && all != "" {
		d.log().Warn("signing: files that belong to neither this user nor root are left out of the keys",
			"dir", d.path, "files", len(names), "first", names[0])
	}
	d.foreign = all
}

// key reads one file. A file that has not changed stays the same Key, because
// verifiers remember tokens by their key.
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
	// Here, and not once after the start: a key that comes later would sign tokens that
	// no verifier of this system takes.
	if err == nil && len(d.algorithms) > 0 && !slices.Contains(d.algorithms, key.Algorithm()) {
		return nil, digest, fmt.Errorf("is a key for %s; allowed here: %s", key.Algorithm(), strings.Join(d.algorithms, ", "))
	}
	return key, digest, err
}

// readPrivate reads a file that no other user may read.
func readPrivate(path string) ([]byte, error) {
	// Before it is opened, because to open a pipe waits until somebody writes.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Once more, of what was opened: the name may mean another file by now.
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a regular file")
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

// usualAlgorithm is a key's algorithm if its file name does not say.
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

// elapsed is the time from a to b, by the wall clock or by the monotonic one, whichever
// says more. The monotonic clock stands still while a machine is suspended: a key that
// was removed meanwhile must be noticed when it wakes. (claims/jwks has the same.)
func elapsed(a, b time.Time) time.Duration {
	return max(b.Sub(a), b.Round(0).Sub(a.Round(0))) // Round(0) takes the monotonic reading off
}
