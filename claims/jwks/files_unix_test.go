//go:build unix

package jwks_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

func TestAPipeIsNotWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k.pem")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip("no pipe can be made here; use a file system that has them, by TMPDIR: ", err)
	}
	if _, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{path}, Logger: silent}); err == nil {
		t.Error("a pipe is a set")
	}
}
