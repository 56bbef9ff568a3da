//go:build unix

package issuer

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// trustedFile returns why others may know or have written what is in a file.
func trustedFile(info fs.FileInfo) error {
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return fmt.Errorf("others may read or write it (mode %04o): chmod 600", perm)
	}
	return trustedOwner(info)
}

// trustedDir returns why others may put files of ours into a directory, or
// take them away.
func trustedDir(info fs.FileInfo) error {
	if mode := info.Mode(); mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("others may write to it (mode %04o): chmod go-w", mode.Perm())
	}
	return trustedOwner(info)
}

func trustedOwner(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if us := os.Geteuid(); ok && stat.Uid != 0 && int(stat.Uid) != us {
		return fmt.Errorf("belongs to user %d, not to this one, %d, or root: chown", stat.Uid, us)
	}
	return nil
}
