package providers_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of README.md")

// TestReadme holds the table of README.md to the code, which compiles and which
// the other tests use.
func TestReadme(t *testing.T) {
	const begin, end = "<!-- made by go test -run Readme -update -->\n", "<!-- end -->\n"
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(readme), begin)
	old, after, done := strings.Cut(rest, end)
	if !ok || !done {
		t.Fatal("README.md has no place for the table")
	}
	want := table(t)
	if *update {
		if err := os.WriteFile("README.md", []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != want {
		t.Errorf("the table of README.md is not that of providers.go; go test -run Readme -update writes it. It should be\n%s", want)
	}
}

// table makes a row of each exported function: its name, its
// configurations, and the paragraphs of its comment that begin with Kinds and
// Weakens.
func table(t *testing.T) string {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "providers.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| provider | `claims.Config`, without `Keys`, and `jwks.Config` | kinds of tokens are told apart by | what it weakens |\n|---|---|---|---|\n")
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || !f.Name.IsExported() {
			continue
		}
		name := f.Name.Name
		paragraphs := map[string]string{}
		for p := range strings.SplitSeq(f.Doc.Text(), "\n\n") {
			if head, text, ok := strings.Cut(strings.Join(strings.Fields(p), " "), ": "); ok {
				paragraphs[head] = text
			}
		}
		if paragraphs["Kinds"] == "" || paragraphs["Weakens"] == "" {
			t.Errorf("the comment of %s lacks Kinds or Weakens", name)
		}
		configs := map[string]string{}
		ast.Inspect(f, func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok {
				if key, ok := kv.Key.(*ast.Ident); ok && (key.Name == "Keys" || key.Name == "Tokens") {
					configs[key.Name] = line(t, set, kv.Value)
				}
			}
			return true
		})
		b.WriteString("| " + name + " | `" + configs["Tokens"] + "` `" + configs["Keys"] + "` | " +
			paragraphs["Kinds"] + " | " + paragraphs["Weakens"] + " |\n")
	}
	return b.String()
}

// line prints an expression in one line.
func line(t *testing.T, set *token.FileSet, e ast.Expr) string {
	t.Helper()
	var b bytes.Buffer
	if err := format.Node(&b, set, e); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("{ ", "{", ", }", "}").Replace(strings.Join(strings.Fields(b.String()), " "))
	if _, err := parser.ParseExpr(text); err != nil {
		t.Errorf("in one line it is no Go: %s: %v", text, err)
	}
	return text
}
