package examples_test

import (
	"bufio"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	// What copies are made of, so that a change there runs these tests again.
	_ "github.com/gatehouse-go/gatehouse/claims/jwks"
	_ "github.com/gatehouse-go/gatehouse/issuer/recovery"
	_ "github.com/gatehouse-go/gatehouse/middleware"
	_ "github.com/gatehouse-go/gatehouse/ratelimit"
)

const library = "github.com/gatehouse-go/gatehouse"

// examples says for each folder what declares one of its routes, and the route's
// path. The program's flags are -addr alone, unless they are given.
var examples = map[string]struct {
	declares, path string
	args           []string
	quiet          bool // does not say where it listens
}{
	"quickstart": {declares: `"GET /me"`, path: "/me"},
	"resource":   {declares: `"GET /me"`, path: "/me", args: []string{"-issuer", "ISSUER", "-addr", "ADDR"}, quiet: true},
	"jwks":       {declares: `"GET /jwks.json"`, path: "/jwks.json", args: []string{"issuer", "-keys", "KEYS", "-addr", "ADDR"}},
	"stdlib":     {declares: `"GET /public"`, path: "/public"},
	"chi":        {declares: `r.Get("/public"`, path: "/public"},
	"gin":        {declares: `r.GET("/public"`, path: "/public"},
	"echo":       {declares: `e.GET("/public"`, path: "/public"},
	"cors":       {declares: `"GET /me"`, path: "/me"},
	"cluster":    {declares: `"GET /me"`, path: "/me"},
	"facilioo":   {declares: `"POST /api/auth/login"`, path: "/api/auth/login"},
	"datarhei":   {declares: `"POST /api/login"`, path: "/api/login"},
	"enableiot":  {declares: `"POST /v1/api/auth/token"`, path: "/v1/api/auth/token"},
	"fib":        {declares: `"POST "+auth+"/session"`, path: "/auth/api/v1/authentication-management/session"},
}

// notToCopy are folders in which nothing is meant to be copied.
var notToCopy = []string{"benchmarks", "explain", "movingin"}

// TestCopies copies each example that this module has into an empty module outside
// of the repository, and adds a route to it. The copy and its tests compile there
// without a network. Quickstart is started, too, and has the route; where all is
// looked at, so is each of them, and the tests of the copies pass.
func TestCopies(t *testing.T) {
	t.Parallel()
	root := absolute(t, "..")
	c := copies{T: t, dir: t.TempDir(), env: []string{"GOFLAGS=-mod=mod", "GOPROXY=off"}}
	c.write("go.mod", "module example.com/mine\n\ngo 1.26.0\n\nrequire "+library+" v0.0.0\n\nreplace "+library+" => "+root+"\n")
	c.write("go.sum", c.read("../go.sum"))
	for n, folder := range programs(t, ".") {
		if slices.Contains(notToCopy, folder) {
			continue
		}
		c.take(folder, fmt.Sprintf("%d", n)) // so that none has another one beside it
	}
	if len(c.names) < 4 {
		t.Fatalf("only %v", c.names)
	}
	c.try()
}

// thorough is for .ci/run: every copy is started and runs its tests, and modules
// are copied, too. Linking takes half a second for each, which a plain go test spares.
var thorough = os.Getenv("GATEHOUSE_COPIES") != ""

// TestNestedCopies does the same for examples that are modules of their own, or
// parts of one. It fetches what they require, so it runs only if told.
func TestNestedCopies(t *testing.T) {
	if !thorough {
		t.Skip("GATEHOUSE_COPIES=1 go test -run TestNestedCopies ./examples copies the nested modules' examples, too; it fetches what they need")
	}
	modules, err := filepath.Glob("*/go.mod")
	if err != nil || len(modules) < 4 {
		t.Fatalf("%v, %v", modules, err)
	}
	for _, path := range modules {
		module := filepath.Dir(path)
		if slices.Contains(notToCopy, module) {
			continue
		}
		for _, folder := range programs(t, module) {
			t.Run(filepath.Base(folder), func(t *testing.T) {
				c := copies{T: t, dir: t.TempDir(), env: []string{"GOFLAGS=-mod=mod"}}
				c.write("go.mod", c.read(path))
				c.write("go.sum", c.read(filepath.Join(module, "go.sum")))
				c.run("go", "mod", "edit", "-module=example.com/mine")
				for line := range strings.Lines(c.read(path)) { // the replaces are relative
					if name, target, found := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "replace "), " => "); found {
						c.run("go", "mod", "edit", "-replace="+name+"="+filepath.Join(absolute(t, module), strings.TrimSpace(target)))
					}
				}
				c.take(folder, "copy")
				c.run("go", "mod", "tidy")
				c.try()
			})
		}
	}
}

// programs are the folders in or below dir that hold a program of dir's module.
func programs(t *testing.T, dir string) (folders []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != dir {
			return filepath.SkipDir
		}
		files, err := filepath.Glob(filepath.Join(path, "*.go"))
		for _, file := range files {
			if text, err := os.ReadFile(file); err != nil {
				return err
			} else if strings.Contains(string(text), "\nfunc main() {") {
				folders = append(folders, path)
				break
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

// copies is a module with copies of examples.
type copies struct {
	*testing.T
	dir   string
	env   []string
	names []string // of the copies, as paths from dir
}

// take copies an example. Its imports may be of anything but another example.
func (c *copies) take(folder, under string) {
	c.Helper()
	name := filepath.Join(under, filepath.Base(folder))
	if err := os.CopyFS(filepath.Join(c.dir, name), os.DirFS(folder)); err != nil {
		c.Fatal(err)
	}
	for _, file := range []string{"go.mod", "go.sum"} { // the copy is part of another module now
		os.Remove(filepath.Join(c.dir, name, file))
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		c.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			c.Fatal(err)
		}
		for _, imported := range parsed.Imports {
			if strings.HasPrefix(imported.Path.Value, `"`+library+"/examples") {
				c.Errorf("%s imports %s, which is not copied with it", file, imported.Path.Value)
			}
		}
	}
	c.names = append(c.names, name)
}

// asProgram makes the program of the test's binary, so that one is enough.
const asProgram = `package main

import "os"

func init() {
	if os.Getenv("GATEHOUSE_COPY") != "" {
		main()
		os.Exit(0)
	}
}
`

// try does all that is promised.
func (c *copies) try() {
	c.Helper()
	for _, name := range c.names {
		c.add(name)
		c.write(filepath.Join(name, "copy_test.go"), asProgram)
	}
	linked, folders := c.names, []string{"./..."}
	if !thorough {
		c.run("go", "vet", "./...")
		linked = slices.DeleteFunc(slices.Clone(linked), func(name string) bool { return filepath.Base(name) != "quickstart" })
		folders = nil
		for _, name := range linked {
			folders = append(folders, "./"+filepath.ToSlash(name))
		}
	}
	// What is the same as in the repository was vetted there.
	c.run("go", append([]string{"test", "-c", "-vet=off", "-trimpath", "-ldflags=-s -w", "-o", "bin" + string(filepath.Separator)}, folders...)...)
	var all sync.WaitGroup
	for _, name := range linked {
		all.Go(func() {
			binary := filepath.Join(c.dir, "bin", filepath.Base(name)+".test")
			if runtime.GOOS == "windows" {
				binary += ".exe"
			}
			if thorough {
				tests := exec.CommandContext(c.Context(), binary)
				tests.Dir = filepath.Join(c.dir, name)
				if said, err := tests.CombinedOutput(); err != nil {
					c.Errorf("%s: %v\n%s", name, err, said)
				}
			}
			c.see(name, binary)
		})
	}
	all.Wait()
}

// add repeats the line of a copy that declares a route, with another path.
func (c *copies) add(name string) {
	c.Helper()
	declares := examples[filepath.Base(name)].declares
	files, err := filepath.Glob(filepath.Join(c.dir, name, "*.go"))
	if err != nil || declares == "" {
		c.Fatalf("%s: %v; has it a line in examples, above?", name, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text := c.read(file)
		for line := range strings.Lines(text) {
			if strings.Contains(line, declares) {
				added := strings.Replace(line, declares, strings.TrimSuffix(declares, `"`)+`-added"`, 1)
				if err := os.WriteFile(file, []byte(strings.Replace(text, line, line+added, 1)), 0o600); err != nil {
					c.Fatal(err)
				}
				return
			}
		}
	}
	c.Fatalf("%s: no line has %s", name, declares)
}

// see starts a copy. It answers on the route that was added as on no unknown one.
func (c *copies) see(name, binary string) {
	example := examples[filepath.Base(name)]
	base := c.start(filepath.Base(name), binary)
	if base == "" {
		return
	}
	method := "GET"
	if strings.Contains(example.declares, "POST") {
		method = "POST"
	}
	ask := func(path string) int {
		r, err := http.NewRequestWithContext(c.Context(), method, base+path, strings.NewReader("{}"))
		if err != nil {
			c.Error(err)
			return 0
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			c.Errorf("%s: %v", name, err)
			return 0
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	if unknown, got := ask(example.path+"-unknown"), ask(example.path+"-added"); got == unknown || got == http.StatusNotFound {
		c.Errorf("%s: a route like %s was added to the copy; it answers %d, and what is unknown %d", name, example.path, got, unknown)
	}
}

var listening = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// start starts a program and returns its URL.
func (c *copies) start(name, binary string) (base string) {
	addr := "127.0.0.1:0"
	program := examples[name]
	if program.quiet {
		addr = freeAddr(c.T)
	}
	args := []string{"-addr", addr}
	if program.args != nil {
		args = strings.Split(strings.NewReplacer("ADDR", addr, "ISSUER", identityProvider(c.T), "KEYS", c.TempDir()).Replace(strings.Join(program.args, "\n")), "\n")
	}
	command := exec.CommandContext(c.Context(), binary, args...)
	command.Env = append(os.Environ(), "GATEHOUSE_COPY=1")
	log := new(strings.Builder)
	command.Stderr = log
	out, err := command.StdoutPipe()
	if err != nil {
		c.Error(err)
		return ""
	}
	if err := command.Start(); err != nil {
		c.Error(err)
		return ""
	}
	ended := make(chan struct{})
	lines := bufio.NewScanner(out)
	c.Cleanup(func() {
		if command.Process.Signal(os.Interrupt) != nil {
			command.Process.Kill() // Windows has no signals
		}
		<-ended
	})
	said := make(chan string, 1)
	go func() {
		defer close(ended)
		defer command.Wait()
		for lines.Scan() {
			if url := listening.FindString(lines.Text()); url != "" {
				select {
				case said <- url:
				default:
				}
			}
		}
	}()
	if program.quiet {
		base = "http://" + addr
		for tries := 0; tries < 200; tries++ {
			if conn, err := net.Dial("tcp", addr); err == nil {
				conn.Close()
				return base
			}
			time.Sleep(50 * time.Millisecond)
		}
	} else {
		select {
		case base = <-said:
			return base
		case <-ended:
		case <-time.After(30 * time.Second):
		}
	}
	c.Errorf("%s does not listen; it said %s", name, log)
	return ""
}

// identityProvider has one key. Nobody has a token of it.
func identityProvider(t *testing.T) string {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/openid-configuration" {
			self := "http://" + r.Host
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, self, self+"/keys")
			return
		}
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","alg":"EdDSA","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func freeAddr(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// run runs a command in the module.
func (c *copies) run(name string, args ...string) {
	c.Helper()
	command := exec.CommandContext(c.Context(), name, args...)
	command.Dir = c.dir
	command.Env = append(append(os.Environ(), "GOWORK=off"), c.env...)
	if said, err := command.CombinedOutput(); err != nil {
		c.Fatalf("%s: %v\n%s", strings.Join(command.Args, " "), err, said)
	}
}

func (c *copies) write(name, text string) {
	c.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
}

func (c *copies) read(path string) string {
	c.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		c.Fatal(err)
	}
	return string(text)
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
