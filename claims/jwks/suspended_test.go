//go:build suspended

package jwks_test

import (
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// TestSuspended has a key withdrawn while the machine sleeps for a day: the first token
// after it wakes is checked against the keys of today. See .ci/suspended.
func TestSuspended(t *testing.T) {
	var withdrawn, down atomic.Bool
	s := start(t, false, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) {
		switch {
		case down.Load():
			w.WriteHeader(500)
		case withdrawn.Load():
			text(setOf(edJWK(2, "new")))(w, r)
		default:
			text(setOf(edJWK(1, "old")))(w, r)
		}
	}})
	old := claims.Header{Algorithm: "EdDSA", KeyID: "old"}
	set, err := jwks.New(jwks.Config{URL: s.URL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if keys, err := set.Keys(t.Context(), old); len(keys) != 1 || err != nil {
		t.Fatal(keys, err)
	}
	withdrawn.Store(true)
	time.SetWallAhead(23 * time.Hour)
	defer time.SetWallAhead(0)
	if keys, err := set.Keys(t.Context(), old); len(keys) != 0 || err != nil {
		t.Errorf("the withdrawn key: %v, %v", keys, err)
	}
	down.Store(true)
	time.SetWallAhead(50 * time.Hour)
	if keys, err := set.Keys(t.Context(), claims.Header{Algorithm: "EdDSA", KeyID: "new"}); len(keys) != 0 || !errors.Is(err, jwks.ErrUnavailable) {
		t.Errorf("keys older than MaxStale, and the key server is down: %v, %v", keys, err)
	}
	if !set.Stats().Stale {
		t.Error("Stats doesn't say so")
	}
}

// TestSuspendedFiles is the same with files, whose Interval is a day here.
func TestSuspendedFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.json")
	write := func(doc string) {
		if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(setOf(edJWK(1, "old")))
	set, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{file}, Interval: 20 * time.Hour, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	write(setOf(edJWK(2, "new")))
	time.SetWallAhead(23 * time.Hour)
	defer time.SetWallAhead(0)
	if keys, err := set.Keys(t.Context(), claims.Header{Algorithm: "EdDSA", KeyID: "old"}); len(keys) != 0 || err != nil {
		t.Errorf("the withdrawn key: %v, %v", keys, err)
	}
}
