package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

func init() { rounds = 1000 } // the race detector makes 100,000 too slow

// start runs the server as a shell would, and returns where it listens. Without
// -keys it gets a directory of one key, which all tests share.
func start(t *testing.T, args ...string) string {
	t.Helper()
	if !slices.Contains(args, "-keys") {
		args = append(args, "-keys", keyDir(t, "20200101T000000Z.pem"))
	}
	return startAsTold(t, args...)
}

// startAsTold is start without a key that it is not told of. At the end of the
// test the server must stop cleanly.
func startAsTold(t *testing.T, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	status := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		status <- run(ctx, args, in, &stderr)
		in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	t.Cleanup(func() {
		stop()
		if got := <-status; got != 0 {
			t.Errorf("exit status %d: %s", got, &stderr)
		}
	})
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		stop()
		t.Fatalf("the first line is %q, %v", line, err)
	}
	return base
}

// client knows the wire and nothing of the server's code.
type client struct {
	t               *testing.T
	base            string
	via             http.RoundTripper // the network if nil
	access, refresh string
}

// mounted makes a client of a server that is part of another program, and needs
// no network: so time can be made to pass.
func mounted(t *testing.T, c Config) *client {
	t.Helper()
	handler, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return inProcess(t, handler)
}

func inProcess(t *testing.T, handler http.Handler) *client {
	program := http.NewServeMux()
	program.Handle("/api/", handler)
	return &client{t: t, base: "http://api.example", via: &noNetwork{Handler: program, from: "192.0.2.1"}}
}

// noNetwork calls a program where a client would send.
type noNetwork struct {
	http.Handler
	from string
}

func (p *noNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.RemoteAddr = p.from + ":1234"
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// onePrivate is a key. Making one takes long, so tests share it.
var onePrivate = sync.OnceValue(func() *rsa.PrivateKey {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return private
})

// keyDir makes a directory with that key in a file of this name.
func keyDir(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	der, err := x509.MarshalPKCS8PrivateKey(onePrivate())
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// oneKey is a schedule of that key alone.
var oneKey = sync.OnceValue(func() *signing.Schedule {
	private := onePrivate()
	key, err := signing.NewKey("RS256", private, time.Time{})
	if err != nil {
		panic(err)
	}
	keys, err := signing.NewSchedule(key)
	if err != nil {
		panic(err)
	}
	return keys
})

// letters is an Outbox that tests read.
type letters struct {
	mu  sync.Mutex
	all []letter
}

type letter struct{ to, text string }

func (l *letters) Put(to, text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, letter{to, text})
	return nil
}

// code returns the code of the last letter.
func (l *letters) code(t *testing.T) string {
	t.Helper()
	if len(l.all) == 0 {
		t.Fatal("there is no letter")
	}
	return digits.FindString(l.all[len(l.all)-1].text)
}

// office is a server of two companies, and where its mails are.
func office(t *testing.T) (Config, *letters) {
	t.Helper()
	out := &letters{}
	c := Config{Keys: oneKey(), Mails: out, AuthLimit: 1000}
	for _, text := range []string{manager, contractor, stranger, admin} {
		a, err := parseAccount(text)
		if err != nil {
			t.Fatal(err)
		}
		c.Accounts = append(c.Accounts, a)
	}
	return c, out
}

type reply struct {
	status int
	header http.Header
	body   string
}

func (c *client) do(method, path, body string) reply {
	c.t.Helper()
	fields := http.Header{"Content-Type": {"application/json"}}
	if c.access != "" {
		fields.Set("Authorization", "Bearer "+c.access)
	}
	return c.send(method, path, body, fields)
}

// send does a request with these fields in its header and no more.
func (c *client) send(method, path, body string, fields http.Header) reply {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header = fields
	resp, err := (&http.Client{Transport: c.via}).Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// expect does a request and compares its status.
func (c *client) expect(status int, method, path, body string) reply {
	c.t.Helper()
	got := c.do(method, path, body)
	if got.status != status {
		c.t.Errorf("%s %s %s: %d %s, want %d", method, path, body, got.status, got.body, status)
	}
	return got
}

func (c *client) login(email, password string) reply {
	c.t.Helper()
	c.access = ""
	got := c.do("POST", "/api/auth/login", `{"email":"`+email+`","password":"`+password+`","skipMultiFactorAuthentication":true}`)
	c.take(got)
	return got
}

func (c *client) renew() reply {
	c.t.Helper()
	got := c.do("POST", "/api/auth/refresh", `{"refreshToken":"`+c.refresh+`"}`)
	c.take(got)
	return got
}

func (c *client) take(r reply) {
	var pair struct{ AccessToken, RefreshToken string }
	if r.status == http.StatusOK && json.Unmarshal([]byte(r.body), &pair) == nil && pair.AccessToken != "" {
		c.access, c.refresh = pair.AccessToken, pair.RefreshToken
	}
}

// segment decodes a part of a token.
func segment(t *testing.T, token string, i int) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token+"..", ".")[i])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	tokens  = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)
	numeral = regexp.MustCompile(`\b\d{10}\b`)
	digits  = regexp.MustCompile(`\b\d{6}\b`)
)

// golden is a response with what changes from one to the next replaced.
func golden(r reply) string {
	names := []string{"Allow", "Cache-Control", "Content-Type", "Retry-After", "Www-Authenticate"}
	text := http.StatusText(r.status) + "\n"
	for _, name := range names {
		for _, value := range r.header.Values(name) {
			text += name + ": " + value + "\n"
		}
	}
	return text + tokens.ReplaceAllString(strings.TrimSpace(r.body), "TOKEN")
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

// mails returns the codes in an outbox, oldest first.
func mails(t *testing.T, dir string) (codes []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, digits.FindString(string(text)))
	}
	return codes
}
