//go:build unix

package signing_test

import (
	"os"
	"testing"

	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

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
