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

// start runs the example in a process of its own and returns its address.
func start(t *testing.T, binary string, args ...string) string {
	t.Helper()
	cmd := exec.Command(binary, args...)
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
	return base
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

// TestRotationUnderLoad rotates the issuer's key three times while two resource
// servers, in processes of their own, answer a thousand requests a second.
func TestRotationUnderLoad(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "jwks")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	keys := filepath.Join(t.TempDir(), "keys")
	issuerAt := start(t, binary, "issuer", "-keys", keys, "-addr", "127.0.0.1:0", "-lead", "1s")
	var resources []string
	for range 2 {
		resources = append(resources, start(t, binary, "resource", "-jwks", issuerAt+"/jwks.json", "-addr", "127.0.0.1:0", "-refresh", "1s"))
	}
	for _, alg := range []string{"EdDSA", "ES256"} { // signs soon, at different times
		in := map[string]string{"EdDSA": "12s", "ES256": "15s"}[alg]
		if out, err := exec.Command(binary, "next", "-keys", keys, "-alg", alg, "-in", in).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	l := &load{client: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 5 * time.Second}}
	first := accessToken(t, issuerAt)
	l.token.Store(&first)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { l.run(stop, resources); close(done) }()
	heads := map[string]bool{}
	began := time.Now()
	for time.Since(began) < 17*time.Second {
		token := accessToken(t, issuerAt)
		head, _, _ := strings.Cut(token, ".")
		heads[head] = true
		l.token.Store(&token)
		time.Sleep(100 * time.Millisecond)
	}
	close(stop)
	<-done
	sent, good := l.sent.Load(), l.good.Load()
	t.Logf("%d requests in %v, %d failed, %d signing keys seen", sent, time.Since(began).Round(time.Second), sent-good, len(heads))
	if sent != good {
		t.Errorf("%d of %d requests failed", sent-good, sent)
	}
	if len(heads) != 3 {
		t.Errorf("%d signing keys seen, want 3", len(heads))
	}
}
