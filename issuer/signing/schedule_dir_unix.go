//go:build unix

package signing

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// trustedFile returns why others may have read or written a file.
func trustedFile(info fs.FileInfo) error {
	owner := os.Geteuid()
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = int(stat.Uid)
	}
	if err := private(info.Mode().Perm(), owner, os.Geteuid()); err != nil {
		return err
	}
	return trustedOwner(info)
}

// private returns why users other than us may read or write a file.
func private(perm fs.FileMode, owner, us int) error {
	// A Kubernetes secret with an fsGroup belongs to root and is readable by a group
	// that only this pod has. If we are root ourselves, or it is our own file, a group
	// that may read it is somebody else.
	allowed := fs.FileMode(0o700)
	if owner == 0 && us != 0 {
		allowed = 0o740
	}
	if perm&^allowed != 0 {
		return fmt.Errorf("others may read or write it (mode %04o): chmod 600; for a Kubernetes secret set defaultMode: 0400, or 0440 with an fsGroup", perm)
	}
	return nil
}

// trustedDir returns why others may change our files in a directory.
func trustedDir(info fs.FileInfo) error {
	// With the sticky bit others can add files, which list leaves out, but not remove
	// or rename ours.
	if mode := info.Mode(); sharedDir(info) && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("others may write to it (mode %04o): chmod go-w", mode.Perm())
	}
	return trustedOwner(info)
}

// sharedDir reports whether others may add files to a directory.
func sharedDir(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

// trustedOwner returns why the owner of a file or directory is not trusted: it is
// neither us nor root.
func trustedOwner(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if us := os.Geteuid(); ok && stat.Uid != 0 && int(stat.Uid) != us {
		return fmt.Errorf("belongs to user %d, not to this one, %d, or root: chown", stat.Uid, us)
	}
	return nil
}
