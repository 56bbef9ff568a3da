package movingin_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var block = regexp.MustCompile("(?s)```go\n(.*?)```\n")

// TestPages: a page shows the code that is compiled here, and fits on one.
func TestPages(t *testing.T) {
	pages, err := filepath.Glob("*/README.md")
	if err != nil || len(pages) != 6 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		text := read(t, page)
		blocks := block.FindAllStringSubmatch(text, -1)
		if len(blocks) != 2 {
			t.Errorf("%s: %d blocks of Go, want before and after", page, len(blocks))
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), page, "package before\n"+blocks[0][1], 0); err != nil {
			t.Errorf("before: %v", err)
		}
		if after := read(t, filepath.Join(filepath.Dir(page), "after.go")); blocks[1][1] != after {
			t.Errorf("%s: the code after is not after.go", page)
		}
		if lines := strings.Count(text, "\n"); lines > 120 {
			t.Errorf("%s: %d lines are more than a page", page, lines)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^()#:]+)\)`)

// TestLinks: what the index and the pages point to is there.
func TestLinks(t *testing.T) {
	for _, pattern := range []string{"*/README.md", "../README.md", "../stdlib/README.md", "../mux/chi/README.md", "../mux/gin/README.md", "../mux/echo/README.md"} {
		pages, err := filepath.Glob(pattern)
		if err != nil || len(pages) == 0 {
			t.Fatalf("%s: %v, %v", pattern, pages, err)
		}
		for _, page := range pages {
			for _, found := range link.FindAllStringSubmatch(read(t, page), -1) {
				if _, err := os.Stat(filepath.Join(filepath.Dir(page), found[1])); err != nil {
					t.Errorf("%s: %v", page, err)
				}
			}
		}
	}
}

// TestAdapter: the copy of gin's adapter is one.
func TestAdapter(t *testing.T) {
	_, original, _ := strings.Cut(read(t, "../mux/gin/use.go"), "\n")
	_, here, _ := strings.Cut(read(t, "ginjwt/use.go"), "\n")
	if here != original {
		t.Error("ginjwt/use.go differs from examples/mux/gin/use.go")
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
