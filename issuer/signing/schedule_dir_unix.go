//go:build unix

package signing

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// trustedFile returns why others may know or have written what is in a file.
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

// private returns why others than us may read or write a file. Through its group
// root may let us read: so does a Kubernetes secret with an fsGroup.
func private(perm fs.FileMode, owner, us int) error {
	allowed := fs.FileMode(0o700)
	if owner == 0 && us != 0 {
		allowed = 0o740
	}
	if perm&^allowed != 0 {
		return fmt.Errorf("others may read or write it (mode %04o): chmod 600", perm)
	}
	return nil
}

// trustedDir returns why others may put files of ours into a directory, or
// take them away.
func trustedDir(info fs.FileInfo) error {
	if mode := info.Mode(); sharedDir(info) && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("others may write to it (mode %04o): chmod go-w", mode.Perm())
	}
	return trustedOwner(info)
}

// sharedDir reports whether others may put files of theirs into a directory.
func sharedDir(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

func trustedOwner(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if us := os.Geteuid(); ok && stat.Uid != 0 && int(stat.Uid) != us {
		return fmt.Errorf("belongs to user %d, not to this one, %d, or root: chown", stat.Uid, us)
	}
	return nil
}
