package providers_test

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// node is a provider that is written in JavaScript, running.
type node struct {
	issuer string
	in     io.Writer
	out    *bufio.Scanner
}

// startNode starts testdata/node/SCRIPT. The script ends when its standard input
// is closed, so nothing is left of it even if the test is killed.
func startNode(t *testing.T, script string) *node {
	t.Helper()
	packages, err := nodePackages()
	if err != nil {
		if os.Getenv("GATEHOUSE_REQUIRE_SERVERS") != "" {
			t.Fatal(err)
		}
		t.Skipf("%v; GATEHOUSE_REQUIRE_SERVERS=1 installs them (Node.js 20 or newer, npm)", err)
	}
	// Node looks for packages beside the script.
	dir := t.TempDir()
	source, err := os.ReadFile(filepath.Join("testdata", "node", script))
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(dir, script), source, 0o600),
			os.Symlink(packages, filepath.Join(dir, "node_modules")))
	}
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("node", filepath.Join(dir, script))
	c.Env = append(os.Environ(), "NODE_ENV=test")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		c.Wait()
		log.Close()
		if said, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("%s said: %s", script, said)
		}
	})
	n := &node{in: in, out: bufio.NewScanner(out)}
	n.issuer = n.line(t)
	return n
}

// do sends a command and waits for its answer.
func (n *node) do(t *testing.T, command string) {
	t.Helper()
	if _, err := fmt.Fprintln(n.in, command); err != nil {
		t.Fatal(err)
	}
	n.line(t)
}

func (n *node) line(t *testing.T) string {
	t.Helper()
	if !n.out.Scan() {
		t.Fatalf("the provider ended: %v", n.out.Err())
	}
	return n.out.Text()
}

// nodePackages returns the node_modules folder that testdata/node/package-lock.json
// asks for. It is in the user's cache, under a digest of that file. If it is
// missing, and servers are required, npm installs it.
var nodePackages = sync.OnceValues(func() (string, error) {
	const from = "testdata/node"
	if _, err := exec.LookPath("node"); err != nil {
		return "", errors.New("node is missing")
	}
	lock, err := os.ReadFile(filepath.Join(from, "package-lock.json"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "gatehouse", fmt.Sprintf("providers-%x", sha256.Sum256(lock))[:26])
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules, nil
	}
	if os.Getenv("GATEHOUSE_REQUIRE_SERVERS") == "" {
		return "", errors.New("the Node packages of testdata/node are missing")
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return "", err
	}
	// It is installed beside its place and then moved, so that half of it is
	// never taken for all.
	part, err := os.MkdirTemp(filepath.Dir(dir), "part-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(part)
	if err := os.CopyFS(part, os.DirFS(from)); err != nil {
		return "", err
	}
	npm := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	npm.Dir = part
	if said, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w: %s", err, said)
	}
	// Another run of this test may have been quicker.
	if err := os.Rename(part, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return modules, nil
})
