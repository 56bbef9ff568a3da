package middleware_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/golang-jwt/jwt/v5"
)

type account struct {
	Tenant string `json:"tenant"`
}

type (
	caller = claims.Claims[account]
	guard  = middleware.Guard[account]
)

const (
	admin claims.Party = "admin"
	user  claims.Party = "user"
)

// The challenges, whole: a test that compares them sees every change.
const (
	missing   = `Bearer realm="api"`
	malformed = `Bearer realm="api", error="invalid_request", error_description="The request must carry exactly one access token."`
	invalid   = `Bearer realm="api", error="invalid_token", error_description="The access token is not valid."`
	forbidden = `Bearer realm="api", error="insufficient_scope", error_description="The access token does not allow this."`
)

// stub verifies the tokens that it holds.
type stub map[string]*caller

func (s stub) Verify(_ context.Context, token string) (*caller, error) {
	if c, ok := s[token]; ok {
		return c, nil
	}
	return nil, fmt.Errorf("%w: not in the stub", claims.ErrInvalid)
}

var people = stub{
	"token-a": {Subject: "a", Party: admin, Scope: []string{"orders:read", "orders:write"}, App: account{Tenant: "t1"}},
	"token-b": {Subject: "b", Party: user, Scope: []string{"orders:read"}, App: account{Tenant: "t2"}},
	"nobody":  {Subject: "n"},
}

// verifyFunc is a verifier of one function.
type verifyFunc func(context.Context, string) (*caller, error)

func (f verifyFunc) Verify(ctx context.Context, token string) (*caller, error) { return f(ctx, token) }

// failing is a verifier that returns err.
func failing(err error) verifyFunc {
	return func(context.Context, string) (*caller, error) { return nil, err }
}

// journal collects log lines.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

var quiet = slog.New(slog.DiscardHandler)

func newGuard() *guard { return middleware.New(people, middleware.Config{Logger: quiet}) }

// room is a guarded handler that remembers its visitors.
type room struct {
	mu     sync.Mutex
	visits []string
}

func (m *room) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := "anonymous"
	if c, ok := claims.FromContext[account](r.Context()); ok {
		name = c.Subject
	}
	m.mu.Lock()
	m.visits = append(m.visits, name)
	m.mu.Unlock()
	fmt.Fprintf(w, "hello %s", name)
}

// bearer is a GET request with the Authorization headers given.
func bearer(values ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	if len(values) > 0 {
		r.Header["Authorization"] = values
	}
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// refused fails unless mount refuses r with exactly this status and challenge,
// and its room stays empty.
func refused(t *testing.T, mount func(http.Handler) http.Handler, r *http.Request, status int, challenge string) *httptest.ResponseRecorder {
	t.Helper()
	inside := new(room)
	w := serve(mount(inside), r)
	if w.Code != status || w.Header().Get("WWW-Authenticate") != challenge {
		t.Errorf("answer %d %q, want %d %q", w.Code, w.Header().Get("WWW-Authenticate"), status, challenge)
	}
	if len(inside.visits) != 0 {
		t.Errorf("refused with %d, but visited by %q", w.Code, inside.visits)
	}
	return w
}

// admitted fails unless mount lets r in, once, as subject.
func admitted(t *testing.T, mount func(http.Handler) http.Handler, r *http.Request, subject string) {
	t.Helper()
	inside := new(room)
	w := serve(mount(inside), r)
	if w.Code != 200 || len(inside.visits) != 1 || inside.visits[0] != subject {
		t.Errorf("answer %d, visited by %q, want 200 and %q once", w.Code, inside.visits, subject)
	}
}

// signingKey is the issuer's key in tests with real tokens.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

const goodHeader = `{"alg":"RS256","kid":"k1","typ":"at+jwt"}`

// goodPayload are good claims, and members more.
func goodPayload(more string) string {
	return fmt.Sprintf(`{"iss":"https://id.example","sub":"u1","aud":"api","exp":%d%s}`, time.Now().Add(time.Hour).Unix(), more)
}

func encoded(header, payload string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
}

// token signs whatever header and payload say.
func token(tb testing.TB, header, payload string) string {
	tb.Helper()
	text := encoded(header, payload)
	sig, err := jwt.SigningMethodRS256.Sign(text, signingKey())
	if err != nil {
		tb.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// realVerifier verifies what token signs.
func realVerifier(tb testing.TB) *claims.Verifier[account] {
	tb.Helper()
	return rememberingVerifier(tb, 0)
}

// rememberingVerifier is a realVerifier with this Config.Remember.
func rememberingVerifier(tb testing.TB, remember int) *claims.Verifier[account] {
	tb.Helper()
	key, err := claims.NewKey("RS256", "k1", &signingKey().PublicKey)
	if err != nil {
		tb.Fatal(err)
	}
	keys, err := claims.NewKeySet(key)
	if err != nil {
		tb.Fatal(err)
	}
	v, err := claims.NewVerifier[account](claims.Config{Issuer: "https://id.example", Audience: []string{"api"}, Keys: keys, Remember: remember})
	if err != nil {
		tb.Fatal(err)
	}
	return v
}
