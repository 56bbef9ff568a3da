package mux_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// muxes are all that must answer alike.
var muxes = []string{"stdlib", "chi", "gin", "echo"}

// binaries is the folder of the four programs.
var binaries string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if binaries, err = os.MkdirTemp("", "gatehouse-mux-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(binaries)
	// Without the race detector: it watches the tests in the four folders, and would
	// make each login take a second here.
	build := exec.Command("go", "build", "-o", binaries+string(filepath.Separator),
		"github.com/gatehouse-go/gatehouse/examples/stdlib", "./chi", "./gin", "./echo")
	if said, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, said)
		return 1
	}
	return m.Run()
}

// program is a server in a process of its own.
type program struct {
	base string // its URL
	stop func() // tells it to end, and waits until it has
}

// start starts the program of a mux.
func start(t *testing.T, name string, args ...string) program {
	t.Helper()
	command := exec.Command(filepath.Join(binaries, name), append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	log := new(strings.Builder)
	command.Stderr = log
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	base, found := strings.CutPrefix(lines.Text(), "listening on ")
	if !found {
		t.Errorf("%s: the first line is %q", name, lines.Text())
	}
	stop := sync.OnceFunc(func() {
		command.Process.Signal(syscall.SIGTERM)
		if lines.Scan() {
			t.Errorf("%s: a second line on stdout: %q", name, lines.Text())
		}
		if err := command.Wait(); err != nil {
			t.Errorf("%s: after SIGTERM: %v\n%s", name, err, log)
		}
	})
	t.Cleanup(stop)
	return program{base, stop}
}

// upstream is a service behind the gates, which says what reached it.
func upstream(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			io.WriteString(w, "first\n")
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Upstream", "yes")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s\n", r.Method, r.URL, body)
		for _, name := range []string{"Authorization", "X-Caller", "X-Caller-Party", "X-Forwarded-For", "X-Forwarded-Host"} {
			fmt.Fprintf(w, "%s: %q\n", name, r.Header.Values(name))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const form = "Content-Type: application/x-www-form-urlencoded"

// tokens are the access and refresh tokens that requests name. They cost two of
// the five logins that a program allows.
func tokens(t *testing.T, base string) *strings.Replacer {
	t.Helper()
	login := func(email string) (pair struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}) {
		response := do(t, base, "POST /login", url.Values{"email": {email}, "password": {"demo-password"}}.Encode(), form)
		if err := json.NewDecoder(response.Body).Decode(&pair); err != nil || pair.Access == "" {
			t.Fatalf("login of %s: %s, %v", email, response.Status, err)
		}
		return pair
	}
	manager, contractor := login("manager@example.com"), login("contractor@example.com")
	forged := manager.Access[:len(manager.Access)-8] + "AAAAAAAA"
	return strings.NewReplacer("MANAGER", manager.Access, "CONTRACTOR", contractor.Access, "REFRESH", manager.Refresh, "FORGED", forged)
}

var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       time.Minute,
}

// do sends "METHOD PATH" with headers "Name: value".
func do(t *testing.T, base, line, body string, headers ...string) *http.Response {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "api.example"
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// dump is a whole answer as text, but for its date.
func dump(t *testing.T, r *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s length=%d encoding=%v\n", r.Proto, r.Status, r.ContentLength, r.TransferEncoding)
	r.Header.Del("Date")
	r.Header.Write(&out)
	return out.String() + "\n" + string(body)
}
