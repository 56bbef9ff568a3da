package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestTour takes the tour, which fails unless every answer is the right one.
func TestTour(t *testing.T) {
	var out bytes.Buffer
	if err := runTour(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
}

// TestCommandsNameEveryRoute keeps what is printed at the start complete.
func TestCommandsNameEveryRoute(t *testing.T) {
	printed := commands("http://127.0.0.1:8080")
	for _, route := range []string{"/login", "/me", "/buildings", "/refresh", "/logout", "/recovery ", "/recovery/unblock"} {
		if !strings.Contains(printed, "http://127.0.0.1:8080"+route) {
			t.Errorf("no command for %s", route)
		}
	}
	if strings.Contains(printed, "%!") {
		t.Errorf("badly formatted: %s", printed)
	}
}
