//go:build unix && !solaris && !aix

package signing_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// TestPipesAreNotOpened would wait for whoever writes into the pipe.
func TestPipesAreNotOpened(t *testing.T) {
	for _, linked := range []bool{false, true} {
		dir := keyDir(t)
		writeKey(t, dir, "20260101T000000Z.pem", newEd25519(t))
		pipe, name := filepath.Join(dir, "pipe"), filepath.Join(dir, "20260102T000000Z.pem")
		if !linked {
			pipe = name
		}
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		if linked {
			if err := os.Symlink(pipe, name); err != nil {
				t.Fatal(err)
			}
		}
		loaded := make(chan error, 1)
		go func() {
			_, err := signing.LoadSchedule(dir, nil)
			loaded <- err
		}()
		select {
		case err := <-loaded:
			if err == nil || !strings.Contains(err.Error(), "regular") {
				t.Errorf("%v", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("it waits for the pipe")
		}
	}
}
