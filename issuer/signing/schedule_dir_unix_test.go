//go:build unix

package signing_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// TestWhoMayChangeKeys arranges a key file and its directory: nobody but this
// user and root may have a hand in them.
func TestWhoMayChangeKeys(t *testing.T) {
	const name = "20260101T000000Z.pem"
	chmod := func(t *testing.T, path string, mode os.FileMode) {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	chown := func(t *testing.T, path string, uid int) {
		if os.Geteuid() != 0 {
			t.Skip("only root gives files away: run as root, as in a container")
		}
		if err := os.Chown(path, uid, -1); err != nil {
			t.Fatal(err)
		}
	}
	// link has another user put a later key of a name into a directory in which
	// all may.
	link := func(t *testing.T, dir, to string) {
		chmod(t, dir, 0o777|os.ModeSticky)
		path := filepath.Join(dir, "20260102T000000Z.pem")
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() != 0 {
			t.Skip("only root gives files away: run as root, as in a container")
		}
		if err := os.Lchown(path, 12345, -1); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name    string
		arrange func(t *testing.T, dir string)
		says    string // nothing: it is fine; "left out": and the log says that
	}{
		{"private", func(t *testing.T, dir string) {}, ""},
		{"a file readable by its group", func(t *testing.T, dir string) { chmod(t, filepath.Join(dir, name), 0o640) }, "chmod 600"},
		{"a file readable by all", func(t *testing.T, dir string) { chmod(t, filepath.Join(dir, name), 0o604) }, "chmod 600"},
		{"as Kubernetes mounts a secret unless told", func(t *testing.T, dir string) { chmod(t, filepath.Join(dir, name), 0o644) }, "defaultMode: 0400, or 0440 with an fsGroup"},
		{"a file writable by its group", func(t *testing.T, dir string) { chmod(t, filepath.Join(dir, name), 0o620) }, "chmod 600"},
		{"another user's file", func(t *testing.T, dir string) { chown(t, filepath.Join(dir, name), 12345) }, "user 12345"},
		{"a directory that all may read", func(t *testing.T, dir string) { chmod(t, dir, 0o755) }, ""},
		{"a directory writable by its group", func(t *testing.T, dir string) { chmod(t, dir, 0o770) }, "chmod go-w"},
		{"a directory writable by all", func(t *testing.T, dir string) { chmod(t, dir, 0o707) }, "chmod go-w"},
		{"one in which nobody removes others' files", func(t *testing.T, dir string) { chmod(t, dir, 0o777|os.ModeSticky|os.ModeSetgid) }, ""},
		{"another user's directory", func(t *testing.T, dir string) { chown(t, dir, 12345) }, "user 12345"},
		{"one in which another user links to a withdrawn key", func(t *testing.T, dir string) {
			withdrawn := filepath.Join(dir, "20260102T000000Z.pem.withdrawn")
			writeKey(t, dir, filepath.Base(withdrawn), newEd25519(t))
			link(t, dir, withdrawn)
		}, "left out"},
		{"one in which another user links to nothing", func(t *testing.T, dir string) { link(t, dir, "nothing") }, "left out"},
		{"one in which another user has a key", func(t *testing.T, dir string) {
			chmod(t, dir, 0o770|os.ModeSticky)
			writeKey(t, dir, "20260102T000000Z.pem", newEd25519(t))
			chown(t, filepath.Join(dir, "20260102T000000Z.pem"), 12345)
		}, "left out"},
		{"one in which a link of ours goes to another user's key", func(t *testing.T, dir string) {
			chmod(t, dir, 0o777|os.ModeSticky)
			path := filepath.Join(dir, "other")
			writeKey(t, dir, "other", newEd25519(t))
			chown(t, path, 12345)
			if err := os.Symlink(path, filepath.Join(dir, "20260102T000000Z.pem")); err != nil {
				t.Fatal(err)
			}
		}, "user 12345"},
		{"as Kubernetes mounts a secret", func(t *testing.T, dir string) {
			data := filepath.Join(dir, "..2026_01_01_00_00_00.1")
			for _, err := range []error{
				os.Mkdir(data, 0o755),
				os.Rename(filepath.Join(dir, name), filepath.Join(data, name)),
				os.Symlink(filepath.Base(data), filepath.Join(dir, "..data")),
				os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			chmod(t, filepath.Join(data, name), 0o400)
			chmod(t, dir, 0o777|os.ModeSticky)
		}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := keyDir(t)
			private := newEd25519(t)
			writeKey(t, dir, name, private)
			row.arrange(t, dir)
			var log strings.Builder
			keys, err := signing.LoadSchedule(dir, slog.New(slog.NewTextHandler(&log, nil)))
			if row.says != "" && row.says != "left out" {
				// The text is the point here: it must name what is to be mended.
				if err == nil || !strings.Contains(err.Error(), row.says) {
					t.Errorf("error %v does not say %q", err, row.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := keys.Reload(); err != nil {
				t.Error(err)
			}
			lines := 0
			if row.says != "" {
				lines = 1
			}
			if n := strings.Count(log.String(), "left out"); n != lines {
				t.Errorf("logged %d times: %s", n, log.String())
			}
			want, err := signing.NewKey("EdDSA", private, always)
			if err != nil {
				t.Fatal(err)
			}
			if kid := keyID(t, mustMint(t, keys)); kid != want.ID() {
				t.Errorf("%v signs, not our %s", kid, want.ID())
			}
		})
	}
}

// TestRootMayShareThroughAGroup: a pod that is not root reads its secret as
// root:fsGroup 0440. Nobody else's file may be readable by a group.
func TestRootMayShareThroughAGroup(t *testing.T) {
	for _, row := range []struct {
		perm      os.FileMode
		owner, us int
		ok        bool
	}{
		{0o440, 0, 1000, true}, {0o640, 0, 1000, true}, {0o400, 0, 1000, true}, {0o600, 1000, 1000, true},
		{0o440, 1000, 1000, false}, {0o440, 0, 0, false}, {0o460, 0, 1000, false}, {0o444, 0, 1000, false}, {0o450, 0, 1000, false},
	} {
		if err := signing.Private(row.perm, row.owner, row.us); (err == nil) != row.ok {
			t.Errorf("mode %04o of %d for %d: %v", row.perm, row.owner, row.us, err)
		}
	}
}
