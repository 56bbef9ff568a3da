package providers_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
	"github.com/gatehouse-go/gatehouse/examples/providers"
	"github.com/gatehouse-go/gatehouse/middleware"
)

func TestMain(m *testing.M) {
	// The providers that run in this process log each request.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// server is the guarded server that all these tokens are shown to. It answers
// 200 with the subject and the scope.
type server struct {
	http.Handler
	log *bytes.Buffer
}

// newServer guards a server with exactly what p says.
func newServer(t *testing.T, p providers.Provider) *server {
	t.Helper()
	s, err := tryServer(t, p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryServer(t *testing.T, p providers.Provider) (*server, error) {
	s := &server{log: new(bytes.Buffer)}
	logger := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	p.Keys.Logger = logger
	keys, err := jwks.New(p.Keys)
	if err != nil {
		return nil, err
	}
	t.Cleanup(keys.Close)
	p.Tokens.Keys = keys
	verify, err := claims.NewVerifier[struct{}](p.Tokens)
	if err != nil {
		return nil, err
	}
	guard := middleware.New(verify, middleware.Config{Logger: logger})
	s.Handler = guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := claims.MustFromContext[struct{}](r.Context())
		fmt.Fprintln(w, c.Subject, c.Scope)
	}))
	return s, nil
}

// ask shows the server a token.
func (s *server) ask(token string) (status int, body string) {
	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// must is ask, for an answer that is known beforehand.
func (s *server) must(t *testing.T, what, token string, want int) {
	t.Helper()
	s.log.Reset()
	if got, _ := s.ask(token); got != want {
		t.Errorf("%s: %d, want %d\n%s\n%s", what, got, want, payload(token), s.log)
	}
}

// payload is what a token says, for messages; these tokens open nothing.
func payload(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "opaque: " + token
	}
	head, _ := base64.RawURLEncoding.DecodeString(parts[0])
	body, _ := base64.RawURLEncoding.DecodeString(parts[1])
	return string(head) + " " + string(body)
}

func member(t *testing.T, token, name string) any {
	t.Helper()
	parts := strings.Split(token, ".")
	for _, part := range parts[:min(len(parts), 2)] {
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]any{}
		if err := json.Unmarshal(text, &all); err != nil {
			t.Fatal(err)
		}
		if v, ok := all[name]; ok {
			return v
		}
	}
	return nil
}

const api = "https://api.example"

func TestOIDCProvider(t *testing.T) {
	t.Parallel()
	n := startNode(t, "oidc-provider.mjs")
	c := func(id, resource string) *client {
		return &client{issuer: n.issuer, id: id, secret: "secret of " + id, redirect: "http://127.0.0.1/callback",
			scope: "openid offline_access read", fill: map[string]string{"login": "alice", "password": "any"},
			extra: url.Values{"resource": {resource}}} // RFC 8707
	}
	one := c("one", api)
	s := newServer(t, quick(providers.OIDCProvider(n.issuer, api)))

	got := one.login(t)
	s.must(t, "access token", got.Access, 200)
	s.must(t, "ID token", got.ID, 401)
	s.must(t, "refresh token", got.Refresh, 401)
	s.must(t, "access token after a refresh", one.refresh(t, got.Refresh).Access, 200)
	s.must(t, "ID token after a refresh", one.refresh(t, one.login(t).Refresh).ID, 401)
	s.must(t, "another resource's access token", c("two", "https://other.example").login(t).Access, 401)

	// Its documentation's rotation: publish, restart, sign, restart.
	n.do(t, "publish")
	s.must(t, "old key, while the new one is published", one.login(t).Access, 200)
	n.do(t, "sign")
	next := one.login(t)
	if member(t, next.Access, "kid") == member(t, got.Access, "kid") {
		t.Fatal("no rotation")
	}
	s.must(t, "new key", next.Access, 200)
	s.must(t, "old key, while both are published", got.Access, 200)
	n.do(t, "withdraw")
	n.do(t, "publish")
	n.do(t, "sign")
	s.must(t, "the key after it", one.login(t).Access, 200)
	s.must(t, "withdrawn key", got.Access, 401)
}

// quick makes a set of keys look for unknown keys without a second's pause.
func quick(p providers.Provider) providers.Provider {
	p.Keys.MinInterval = 100 * time.Millisecond
	return p
}

func TestOAuth2MockServer(t *testing.T) {
	t.Parallel()
	n := startNode(t, "oauth2-mock-server.mjs")
	c := func(id string) *client {
		return &client{issuer: n.issuer, id: id, redirect: "http://127.0.0.1/callback", scope: "openid read"}
	}
	s := newServer(t, quick(providers.OAuth2MockServer(n.issuer)))
	got := c("one").login(t)
	s.must(t, "access token", got.Access, 200)
	s.must(t, "ID token", got.ID, 401)
	s.must(t, "refresh token", got.Refresh, 401)
	s.must(t, "access token after a refresh", c("one").refresh(t, got.Refresh).Access, 200)
	// What its page says that it weakens: no token names whom it is for.
	s.must(t, "another client's access token", c("two").login(t).Access, 200)

	// With two keys each login's access token would be signed by the first and its
	// ID token by the second.
	n.do(t, "generate")
	n.do(t, "generate")
	signed := map[any]bool{}
	for range 3 {
		next := c("one").login(t)
		s.must(t, "keys that sign in turn", next.Access, 200)
		signed[member(t, next.Access, "kid")] = true
	}
	if len(signed) != 3 {
		t.Errorf("%d keys signed, want 3", len(signed))
	}
	s.must(t, "old key", got.Access, 200)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func TestOAuth2MockServerAPI(t *testing.T) {
	t.Parallel()
	n := startNode(t, "oauth2-mock-server.mjs")
	c := func(audience string) *client {
		return &client{issuer: n.issuer, id: api, redirect: "http://127.0.0.1/callback", scope: "read",
			extra: url.Values{"aud": {audience}}}
	}
	s := newServer(t, quick(providers.OAuth2MockServerAPI(n.issuer, api)))
	s.must(t, "access token", c(api).credentials(t).Access, 200)
	s.must(t, "access token for another API", c("https://other.example").credentials(t).Access, 401)
	got := c(api).login(t)
	s.must(t, "ID token of a client that has the API's name", got.ID, 401)
	s.must(t, "refresh token", got.Refresh, 401)
	s.must(t, "access token of a login, which names no audience", got.Access, 401)
}
