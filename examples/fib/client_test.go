package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"
)

// start runs the server as a shell would, and returns where it listens. At the
// end of the test it must stop cleanly.
func start(t *testing.T, args ...string) string {
	t.Helper()
	base, _ := startLogged(t, args...)
	return base
}

func startLogged(t *testing.T, args ...string) (base string, stderr *bytes.Buffer) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	status := make(chan int, 1)
	stderr = &bytes.Buffer{}
	go func() {
		status <- run(ctx, args, in, stderr)
		in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	t.Cleanup(func() {
		stop()
		if got := <-status; got != 0 {
			t.Errorf("exit status %d: %s", got, stderr)
		}
	})
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		stop()
		t.Fatalf("the first line is %q, %v", line, err)
	}
	return base, stderr
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
	program := http.NewServeMux()
	program.Handle("/auth/api/v1/", handler)
	return &client{t: t, base: c.Audience, via: inProcess{program}}
}

type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.RemoteAddr = "192.0.2.1:1234"
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

const sessionPath = "/auth/api/v1/authentication-management/session"

type reply struct {
	status int
	header http.Header
	body   string
}

func (c *client) do(method, path, body string) reply {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if c.access != "" {
		r.Header.Set("Authorization", "Bearer "+c.access)
	}
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

// session logs in as somebody's own client does: it signs, and says with which
// key.
func (c *client) session(email string, key ed25519.PrivateKey, text string, bit byte, more string) reply {
	c.t.Helper()
	digest := blake2b.Sum256([]byte(text))
	digest[31] |= bit
	got := c.do("POST", sessionPath, fmt.Sprintf(`{"email":%q,"signature":"%x","authPublicKeyHex":"%x"%s}`,
		email, ed25519.Sign(key, digest[:]), key.Public(), more))
	c.take(got)
	return got
}

// renew sends the refresh token where others send an access token.
func (c *client) renew() reply {
	c.t.Helper()
	with := *c
	with.access = c.refresh
	got := with.do("PATCH", sessionPath, "")
	c.take(got)
	return got
}

func (c *client) take(r reply) {
	var e struct {
		Data struct{ AccessToken, RefreshToken string }
	}
	if r.status == http.StatusOK && json.Unmarshal([]byte(r.body), &e) == nil && e.Data.AccessToken != "" {
		c.access, c.refresh = e.Data.AccessToken, e.Data.RefreshToken
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
	jwts    = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)
	numeral = regexp.MustCompile(`\b\d{10}\b`)
	uuid    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
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
	return text + jwts.ReplaceAllString(strings.TrimSpace(r.body), "TOKEN")
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}
