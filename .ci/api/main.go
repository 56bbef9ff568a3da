// Program api writes down what the published packages export, one name a line, so
// that a change of the API is seen in review as a change of a file:
//
//	go run ./.ci/api -w    # writes .github/api.txt
//	go run ./.ci/api       # says whether the file is what the code exports
//
// It asks the compiler, not the text: promoted fields and methods stand there as
// well, and comments don't. Types of this module have its path cut off.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const file = ".github/api.txt"

func main() {
	log.SetFlags(0)
	log.SetPrefix("api: ")
	write := flag.Bool("w", false, "write "+file)
	flag.Parse()
	if err := run(*write); err != nil {
		log.Fatal(err)
	}
}

func run(write bool) error {
	text, err := exported()
	if err != nil {
		return err
	}
	if write {
		return os.WriteFile(file, text, 0o666)
	}
	recorded, err := os.ReadFile(file)
	if err == nil && bytes.Equal(recorded, text) {
		return nil
	}
	// diff shows what has changed. Its result counts for nothing.
	diff := exec.Command("diff", "-u", file, "-")
	diff.Stdin, diff.Stdout, diff.Stderr = bytes.NewReader(text), os.Stderr, os.Stderr
	_ = diff.Run()
	return errors.New("the exported API is not what " + file + " says. If that is meant, run: go run ./.ci/api -w\n" +
		"and say in .github/CHANGELOG.md what changes for users")
}

// exported returns the text of the file.
func exported() ([]byte, error) {
	folders, err := exec.Command(".ci/modules", "published").Output()
	if err != nil {
		return nil, fmt.Errorf("the list of modules: %w", err)
	}
	var b bytes.Buffer
	b.WriteString("What the published packages export. Written by: go run ./.ci/api -w\n")
	root := ""
	for folder := range strings.FieldsSeq(string(folders)) {
		packages, err := list(folder)
		if err != nil {
			return nil, err
		}
		root = cmp.Or(root, packages[len(packages)-1].Module.Path) // the first folder is the root's
		if err := describe(&b, root, packages); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// listed is a package as "go list" tells of it.
type listed struct {
	ImportPath, Name, Export string
	DepOnly                  bool
	Module                   *struct{ Path string }
}

// list compiles the packages of a module, if need be, and returns them after what
// they depend on. What they export must not depend on the machine that asks.
func list(folder string) ([]listed, error) {
	command := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Name,Export,DepOnly,Module", "./...")
	command.Dir, command.Stderr = folder, os.Stderr
	command.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64")
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w", folder, err)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

// isPublic says whether others can import the package, and are meant to.
func (p listed) isPublic(root string) bool {
	parts := strings.Split(strings.TrimPrefix(p.ImportPath, root), "/")
	return !p.DepOnly && p.Name != "main" && !slices.Contains(parts, "internal") && !slices.Contains(parts, "examples")
}

func describe(w io.Writer, root string, packages []listed) error {
	exports := make(map[string]string)
	for _, p := range packages {
		exports[p.ImportPath] = p.Export
	}
	compiled := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})
	slices.SortFunc(packages, func(a, b listed) int { return cmp.Compare(a.ImportPath, b.ImportPath) })
	for _, p := range packages {
		if !p.isPublic(root) {
			continue
		}
		pkg, err := compiled.Import(p.ImportPath)
		if err != nil {
			return err
		}
		s := scribe{w, func(other *types.Package) string {
			if other == pkg {
				return ""
			}
			return strings.TrimPrefix(other.Path(), root+"/")
		}}
		fmt.Fprintf(w, "\npackage %s\n\n", filepath.ToSlash(p.ImportPath))
		for _, name := range pkg.Scope().Names() {
			if token.IsExported(name) {
				s.object(pkg.Scope().Lookup(name))
			}
		}
	}
	return nil
}

// scribe writes objects, and other packages' names as qualify gives them.
type scribe struct {
	w       io.Writer
	qualify types.Qualifier
}

func (s scribe) line(format string, args ...any) { fmt.Fprintf(s.w, format+"\n", args...) }

func (s scribe) object(o types.Object) {
	switch o := o.(type) {
	case *types.Const:
		s.line("const %s %s = %s", o.Name(), types.TypeString(o.Type(), s.qualify), o.Val().ExactString())
	case *types.TypeName:
		s.typeName(o)
	default:
		s.line("%s", types.ObjectString(o, s.qualify))
	}
}

func (s scribe) typeName(o *types.TypeName) {
	named, ok := o.Type().(*types.Named)
	if o.IsAlias() || !ok {
		s.line("%s", types.ObjectString(o, s.qualify))
		return
	}
	name := o.Name() + s.parameters(named)
	switch under := named.Underlying().(type) {
	case *types.Struct:
		comparable := ""
		if !types.Comparable(under) {
			comparable = ", not comparable"
		}
		s.line("type %s struct%s", name, comparable)
		s.fields(under)
	case *types.Interface:
		s.line("type %s interface", name)
		s.methodsOf(under)
		return
	default:
		s.line("type %s %s", name, types.TypeString(under, s.qualify))
	}
	s.methods(named)
}

// parameters returns the type parameters as they are declared, or nothing.
func (s scribe) parameters(named *types.Named) string {
	var all []string
	for p := range named.TypeParams().TypeParams() {
		all = append(all, p.Obj().Name()+" "+types.TypeString(p.Constraint(), s.qualify))
	}
	if len(all) == 0 {
		return ""
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// fields writes exported fields, and whether there are others: with those, nobody
// outside can write the struct without field names.
func (s scribe) fields(of *types.Struct) {
	hidden := false
	for i := range of.NumFields() {
		f := of.Field(i)
		if !f.Exported() {
			hidden = true
			continue
		}
		name := f.Name()
		if f.Embedded() {
			name = "embeds"
		}
		tag := ""
		if of.Tag(i) != "" {
			tag = fmt.Sprintf(" `%s`", of.Tag(i))
		}
		s.line("\t%s %s%s", name, types.TypeString(f.Type(), s.qualify), tag)
	}
	if hidden {
		s.line("\t... and fields that are not exported")
	}
}

// methodsOf writes what an interface asks for. Nobody outside can implement one
// with a method that is not exported.
func (s scribe) methodsOf(of *types.Interface) {
	for m := range of.Methods() {
		s.line("\t%s%s", m.Name(), strings.TrimPrefix(types.TypeString(m.Type(), s.qualify), "func"))
	}
	for e := range of.EmbeddedTypes() {
		if _, ok := e.Underlying().(*types.Interface); !ok {
			s.line("\t%s", types.TypeString(e, s.qualify))
		}
	}
}

// methods writes the methods of the type and its pointer, promoted ones as well.
func (s scribe) methods(of *types.Named) {
	values := types.NewMethodSet(of)
	for selection := range types.NewMethodSet(types.NewPointer(of)).Methods() {
		m := selection.Obj()
		if !m.Exported() {
			continue
		}
		receiver := of.Obj().Name()
		if values.Lookup(m.Pkg(), m.Name()) == nil {
			receiver = "*" + receiver
		}
		s.line("\tfunc (%s) %s%s", receiver, m.Name(), strings.TrimPrefix(types.TypeString(selection.Type(), s.qualify), "func"))
	}
}
