//go:build suspended

package signing_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestSuspended: a key that was removed from its directory while the machine slept
// verifies nothing when it wakes. See .ci/suspended.
func TestSuspended(t *testing.T) {
	dir := keyDir(t)
	day := func(d int) string { return time.Now().AddDate(0, 0, d).UTC().Format("20060102T150405Z") + ".pem" }
	leaked := day(-1)
	writeKey(t, dir, leaked, newEd25519(t))
	keys := fromDir(t, dir)
	verify := verifier(t, keys.KeySet(open))
	token := mustMint(t, keys)
	if _, err := verify.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, leaked)); err != nil {
		t.Fatal(err)
	}
	writeKey(t, dir, day(-2), newEd25519(t))
	time.SetWallAhead(time.Minute)
	defer time.SetWallAhead(0)
	if _, err := verify.Verify(t.Context(), token); err == nil {
		t.Error("a token of the key that was removed opens")
	}
}
