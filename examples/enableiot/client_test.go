package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

func init() { rounds = 1000 } // the race detector makes 100,000 too slow

// start runs the server as a shell would, though with a key that all tests share,
// and returns where it listens. At the end of the test it must stop cleanly.
func start(t *testing.T, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	status := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		status <- runWith(ctx, func() (*signing.Schedule, error) { return oneKey(), nil }, args, in, &stderr)
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
func mounted(t *testing.T, handler http.Handler, err error) *client {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	program := http.NewServeMux()
	program.Handle("/v1/api/", handler)
	return &client{t: t, base: "http://iot.example", via: noNetwork{program}}
}

// noNetwork calls a program where a client would send.
type noNetwork struct{ http.Handler }

func (p noNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.RemoteAddr = "192.0.2.1:1234"
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// oneKey is a schedule of one key. Making it takes long, so tests share it.
var oneKey = sync.OnceValue(func() *signing.Schedule {
	keys, err := newKey()
	if err != nil {
		panic(err)
	}
	return keys
})

// platform is a server with an admin and a member of one account, and somebody
// who has none.
func platform(t *testing.T) Config {
	t.Helper()
	c := Config{Keys: oneKey(), RefreshTokens: true, AuthLimit: 1000}
	for _, text := range []string{admin, member, newcomer} {
		u, err := parseUser(text)
		if err != nil {
			t.Fatal(err)
		}
		c.Users = append(c.Users, u)
	}
	return c
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

func (c *client) login(username, password string) reply {
	c.t.Helper()
	c.access = ""
	got := c.do("POST", "/v1/api/auth/token", `{"username":"`+username+`","password":"`+password+`"}`)
	c.take(got)
	return got
}

// startRefresh asks for a refresh token.
func (c *client) startRefresh() reply {
	c.t.Helper()
	got := c.do("POST", "/v1/api/auth/refresh", `{}`)
	c.take(got)
	return got
}

func (c *client) renew() reply {
	c.t.Helper()
	got := c.do("PUT", "/v1/api/auth/refresh", `{"refreshToken":"`+c.refresh+`"}`)
	c.take(got)
	return got
}

func (c *client) take(r reply) {
	var in struct{ Token, JWT, RefreshToken string }
	if r.status != http.StatusOK || json.Unmarshal([]byte(r.body), &in) != nil {
		return
	}
	if access := in.Token + in.JWT; access != "" {
		c.access = access
	}
	if in.RefreshToken != "" {
		c.refresh = in.RefreshToken
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
	uuid    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	id      = regexp.MustCompile(`"[0-9a-f]{24}"`)
	millis  = regexp.MustCompile(`:\d{12,13}\b`)
	instant = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`)
)

// golden is a response with what changes from one to the next replaced.
func golden(r reply) string {
	names := []string{"Allow", "Cache-Control", "Content-Type", "Retry-After", "Www-Authenticate", "X-Rate-Limit-Limit", "X-Rate-Limit-Remaining"}
	text := http.StatusText(r.status) + "\n"
	for _, name := range names {
		for _, value := range r.header.Values(name) {
			text += name + ": " + value + "\n"
		}
	}
	return text + masked(strings.TrimSpace(r.body))
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

func masked(text string) string {
	text = tokens.ReplaceAllString(uuid.ReplaceAllString(text, "UUID"), "TOKEN")
	return instant.ReplaceAllString(millis.ReplaceAllString(id.ReplaceAllString(text, `"ID"`), ":MILLIS"), "INSTANT")
}
