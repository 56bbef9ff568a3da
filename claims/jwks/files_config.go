package jwks

import (
	"log/slog"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
)

// FilesConfig says which files hold one issuer's public keys.
type FilesConfig struct {
	// Paths are files and directories; at least one is required. A file whose name ends
	// in .json or .jwks is a JWK Set, and any other that is named here is a PEM bundle.
	// Of a directory only the files ending in .json, .jwks, .pem, .crt, .cer and .pub
	// are read, no dot files and no subdirectories. Symbolic links are followed each
	// time.
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
	// certificates that run out, once at each change. Nil is what [slog.Default] returns
	// when a line is written.
	Logger *slog.Logger
}

// settled returns a copy of c with its defaults filled in, and every mistake in
// it.
func (c FilesConfig) settled() (FilesConfig, error) {
	m := mistakes{in: errFiles}
	c.Paths = slices.Clone(c.Paths)
	if len(c.Paths) == 0 || slices.Contains(c.Paths, "") {
		m.add("Paths is missing or has an empty one")
	}
	c.Algorithms = m.algorithms(c.Algorithms)
	if c.PEMAlgorithm = jws.Canonical(c.PEMAlgorithm); c.PEMAlgorithm != "" && !slices.Contains(usualAlgorithms, c.PEMAlgorithm) {
		m.add("PEMAlgorithm: %s is not an algorithm for public keys", quoted(c.PEMAlgorithm))
	}
	m.within("Interval", &c.Interval, 10*time.Second, 100*time.Millisecond, 24*time.Hour)
	m.maxStale(&c.MaxStale, 2*c.Interval, "Interval")
	m.count("MaxBytes", &c.MaxBytes, 1<<20, 1<<20)
	m.count("MaxKeys", &c.MaxKeys, 100, 1000)
	return c, m.joined()
}
