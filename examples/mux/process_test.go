package mux_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBadFlags: a program that is started wrongly says which flag it is, and
// serves nothing.
func TestBadFlags(t *testing.T) {
	for _, name := range muxes {
		for _, row := range [][]string{
			{"-addr", "nowhere"},
			{"-access-ttl", "soon"},
			{"-access-ttl", "-1s"},
			{"-upstream", "127.0.0.1:9000"},
		} {
			var exit *exec.ExitError
			said, err := exec.Command(filepath.Join(binaries, name), row...).CombinedOutput()
			if !errors.As(err, &exit) || !strings.Contains(string(said), row[0]) || strings.Contains(string(said), "listening") {
				t.Errorf("%s %v: %v, %s", name, row, err, said)
			}
		}
	}
}

// TestOnlyRoutesDiffer: the four are one program with other routes. Each folder
// has all of it, so that it can be copied; a change in one belongs in all.
func TestOnlyRoutesDiffer(t *testing.T) {
	originals, err := filepath.Glob("../stdlib/*.go")
	if err != nil || len(originals) < 9 {
		t.Fatalf("%d files, %v", len(originals), err)
	}
	for _, original := range originals {
		if filepath.Base(original) == "routes.go" {
			continue
		}
		want := read(t, original)
		for _, name := range muxes[1:] {
			if copied := filepath.Join(name, filepath.Base(original)); read(t, copied) != want {
				t.Errorf("%s differs from %s", copied, original)
			}
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
