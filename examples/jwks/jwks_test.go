package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestMain is also the program, for the tests that start it.
func TestMain(m *testing.M) {
	if os.Getenv("GATEHOUSE_JWKS") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program is the example, in a process of its own.
func program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "GATEHOUSE_JWKS=1")
	return cmd
}

// start starts the program and returns its address.
func start(t *testing.T, args ...string) (base string, process *os.Process) {
	t.Helper()
	cmd := program(args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", args[0], err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("%s said %q, %v", args[0], line, err)
	}
	return base, cmd.Process
}

func accessToken(t *testing.T, base string) string {
	resp, err := http.PostForm(base+"/token", url.Values{})
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	var pair struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&pair); err != nil || pair.Access == "" {
		t.Errorf("status %d, %v", resp.StatusCode, err)
	}
	return pair.Access
}

// load sends a thousand requests a second until stop is closed, each with a
// token of the last few hundred milliseconds.
type load struct {
	client     http.Client
	token      atomic.Pointer[string]
	sent, good atomic.Int64
}

func (l *load) run(stop <-chan struct{}, resources []string) {
	var workers sync.WaitGroup
	defer workers.Wait()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		workers.Go(func() {
			for range 11 {
				l.send(resources[n%len(resources)])
			}
		})
	}
}

func (l *load) send(base string) {
	req, err := http.NewRequest("GET", base+"/me", nil)
	if err != nil {
		return
	}
	req.Header.Set("Authorization", "Bearer "+*l.token.Load())
	l.sent.Add(1)
	resp, err := l.client.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode == http.StatusOK {
		l.good.Add(1)
	}
}

// TestRotationUnderLoad rotates the issuer's key with one command, while two
// resource servers answer a thousand requests a second. All are processes of
// their own.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	keys := filepath.Join(t.TempDir(), "keys")
	issuerAt, issuer := start(t, "issuer", "-keys", keys, "-addr", "127.0.0.1:0", "-lead", "1s")
	var resources []string
	for range 2 {
		at, _ := start(t, "resource", "-jwks", issuerAt+"/jwks.json", "-addr", "127.0.0.1:0", "-refresh", "1s", "-min-interval", "100ms")
		resources = append(resources, at)
	}
	l := &load{client: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 5 * time.Second}}
	first := accessToken(t, issuerAt)
	l.token.Store(&first)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { l.run(stop, resources); close(done) }()

	// Names of key files are exact to the second: this one signs in more than one,
	// when the resource servers have it; a slow one asks for it then.
	if out, err := program("next", "-keys", keys, "-alg", "ES256", "-in", "2500ms").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	issuer.Signal(syscall.SIGHUP)
	heads := map[string]bool{}
	for giveUp := time.Now().Add(10 * time.Second); len(heads) < 2 && time.Now().Before(giveUp); time.Sleep(20 * time.Millisecond) {
		token := accessToken(t, issuerAt)
		head, _, _ := strings.Cut(token, ".")
		heads[head] = true
		l.token.Store(&token)
	}
	before := l.sent.Load()
	for l.sent.Load() < before+200 { // with the new key's token
		time.Sleep(10 * time.Millisecond)
	}
	close(stop)
	<-done
	l.client.CloseIdleConnections() // servers wait for those that never sent anything
	sent, good := l.sent.Load(), l.good.Load()
	t.Logf("%d requests, %d failed, %d signing keys seen", sent, sent-good, len(heads))
	if sent != good {
		t.Errorf("%d of %d requests failed", sent-good, sent)
	}
	if len(heads) != 2 {
		t.Errorf("%d signing keys seen, want 2", len(heads))
	}
}

// TestBadFlags: a program that is started wrongly says which flag it is, and
// serves nothing.
func TestBadFlags(t *testing.T) {
	t.Parallel()
	keys := filepath.Join(t.TempDir(), "keys")
	for _, row := range [][]string{
		{"issuer", "-lead", "0s", "-keys", keys},
		{"issuer", "-access-ttl", "-1m", "-keys", keys},
		{"issuer", "-addr", "nowhere", "-keys", keys},
		{"resource", "-jwks", "http://id.example/jwks.json"},
		{"resource", "-refresh", "1ms"},
		{"resource", "-min-interval", "1ms"},
		{"next", "-alg", "none", "-keys", keys},
		{"next", "-in", "tomorrow", "-keys", keys},
	} {
		out, err := program(row...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), row[1]) || strings.Contains(string(out), "listening") {
			t.Errorf("%v: %v, %s", row, err, out)
		}
	}
}
