package muxtest_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	chi "github.com/gatehouse-go/gatehouse/examples/chi/server"
	echo "github.com/gatehouse-go/gatehouse/examples/echo/server"
	gin "github.com/gatehouse-go/gatehouse/examples/gin/server"
	"github.com/gatehouse-go/gatehouse/examples/stdlib/gate"
	stdlib "github.com/gatehouse-go/gatehouse/examples/stdlib/server"
)

// muxes are all that must answer alike.
var muxes = map[string]func(*gate.Gate) http.Handler{"stdlib": stdlib.New, "chi": chi.New, "gin": gin.New, "echo": echo.New}

// TestMain is also the four programs, for TestProcess.
func TestMain(m *testing.M) {
	if mount := muxes[os.Getenv("MUX")]; mount != nil {
		gate.Main(os.Args[1:], mount)
	}
	os.Exit(m.Run())
}

func newGate(t *testing.T, s gate.Settings) *gate.Gate {
	t.Helper()
	s.Logger = slog.New(slog.DiscardHandler)
	g, err := gate.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func serve(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// upstream says what reached it.
func upstream(t *testing.T) *url.URL {
	t.Helper()
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// tokens are the access and refresh tokens that requests name.
func tokens(t *testing.T, g *gate.Gate) *strings.Replacer {
	t.Helper()
	manager, err := g.Tokens.Issue(t.Context(), claims.Claims[gate.Account]{
		Subject: "manager@example.com", Party: gate.Manager, Scope: []string{"orders:write"}, App: gate.Account{Company: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	contractor, err := g.Tokens.Issue(t.Context(), claims.Claims[gate.Account]{
		Subject: "contractor@example.com", Party: gate.Contractor, App: gate.Account{Company: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	forged := manager.AccessToken[:len(manager.AccessToken)-8] + "AAAAAAAA"
	return strings.NewReplacer("MANAGER", manager.AccessToken, "CONTRACTOR", contractor.AccessToken, "REFRESH", manager.RefreshToken, "FORGED", forged)
}

var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       10 * time.Second,
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
