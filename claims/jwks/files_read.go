package jwks

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// file is one file as it was read.
type file struct {
	path string
	data []byte
}

func (f file) isSet() bool { return isSetName(f.path) }

func isSetName(name string) bool {
	return slices.Contains([]string{".json", ".jwks"}, strings.ToLower(filepath.Ext(name)))
}

func isKeyName(name string) bool {
	return !strings.HasPrefix(name, ".") &&
		(isSetName(name) || slices.Contains([]string{".pem", ".crt", ".cer", ".pub"}, strings.ToLower(filepath.Ext(name))))
}

// read reads all files.
func (s *FileSet) read() (files []file, digest [sha256.Size]byte, err error) {
	paths, err := s.paths()
	if err != nil {
		return nil, digest, err
	}
	// Contents decide whether files changed, and not times of modification, which some
	// ways to copy files preserve.
	sum := sha256.New()
	for _, path := range paths {
		data, err := readBounded(path, s.config.MaxBytes)
		if err != nil {
			return nil, digest, err
		}
		files = append(files, file{path, data})
		fmt.Fprintf(sum, "%q %d\n", path, len(data))
		sum.Write(data)
	}
	return files, [sha256.Size]byte(sum.Sum(nil)), nil
}

// paths lists the files that there are now.
func (s *FileSet) paths() (paths []string, err error) {
	for _, path := range s.config.Paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errFiles, err)
		}
		if !info.IsDir() {
			paths = append(paths, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errFiles, err)
		}
		for _, e := range entries {
			if isKeyName(e.Name()) && !e.IsDir() {
				paths = append(paths, filepath.Join(path, e.Name()))
			}
		}
	}
	if len(paths) == 0 || len(paths) > s.config.MaxKeys {
		return nil, fmt.Errorf("%w: %d files of keys, not 1 to %d", errFiles, len(paths), s.config.MaxKeys)
	}
	return paths, nil
}

// readBounded reads a regular file of limited size.
func readBounded(path string, most int) ([]byte, error) {
	info, err := os.Stat(path) // before opening, because a pipe would block
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFiles, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", errFiles, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFiles, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFiles, err)
	}
	if len(data) > most {
		return nil, fmt.Errorf("%w: %s is larger than %d bytes", errFiles, path, most)
	}
	return data, nil
}
