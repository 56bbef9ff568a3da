package examples_test

import (
	"os"
	"strings"
	"testing"
)

// TestREADMEShowsResource keeps the README's first screen true: every line of its
// Go blocks stands in resource/main.go, in their order.
func TestREADMEShowsResource(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("resource/main.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "```go\n")[1:]
	if len(blocks) != 2 {
		t.Fatalf("%d Go blocks in the README, want 2", len(blocks))
	}
	rest := string(program)
	for _, block := range blocks {
		code, _, _ := strings.Cut(block, "```")
		for line := range strings.Lines(code) {
			_, after, found := strings.Cut(rest, strings.TrimSpace(line)+"\n")
			if !found {
				t.Errorf("main.go does not go on with: %s", line)
				break
			}
			rest = after
		}
	}
}
