package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const page = "https://app.example"

// TestMain is also the program.
func TestMain(m *testing.M) {
	if os.Getenv("GATEHOUSE_CORS") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func send(h http.Handler, method, path string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// preflight is what a browser asks before it sends a token.
func preflight(h http.Handler, origin string) *http.Response {
	return send(h, "OPTIONS", "/me", "Origin", origin, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
}

// TestPreflights: they need no token and cost nothing.
func TestPreflights(t *testing.T) {
	api, err := newAPI([]string{page})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		got := preflight(api, page)
		if got.StatusCode != http.StatusNoContent || got.Header.Get("Access-Control-Allow-Origin") != page ||
			got.Header.Get("Access-Control-Allow-Headers") != "authorization" || got.Header.Get("Access-Control-Max-Age") != "600" {
			t.Fatalf("%s %v", got.Status, got.Header)
		}
	}
	if got := send(api, "GET", "/me", "Origin", page); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("after a hundred preflights: %s", got.Status)
	}
	if got := preflight(api, "https://evil.example"); got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin is allowed: %v", got.Header)
	}
}

// TestRefusalsAreReadable: 401 and 429 are marked as every answer is, and only for
// the pages that may read them.
func TestRefusalsAreReadable(t *testing.T) {
	api, err := newAPI([]string{page})
	if err != nil {
		t.Fatal(err)
	}
	statuses := map[int]bool{}
	for range 25 {
		got := send(api, "GET", "/me", "Origin", page)
		statuses[got.StatusCode] = true
		exposed := strings.Split(strings.ToLower(got.Header.Get("Access-Control-Expose-Headers")), ", ")
		for _, name := range []string{"WWW-Authenticate", "Retry-After", "RateLimit", "RateLimit-Policy"} {
			if got.Header.Get(name) != "" && !slices.Contains(exposed, strings.ToLower(name)) {
				t.Errorf("%s: %s is kept from the script", got.Status, name)
			}
		}
		if got.Header.Get("Access-Control-Allow-Origin") != page || !slices.Contains(got.Header.Values("Vary"), "Origin") {
			t.Errorf("%s: %v", got.Status, got.Header)
		}
	}
	if !statuses[401] || !statuses[429] || len(statuses) != 2 {
		t.Errorf("got %v", statuses)
	}
	if got := send(api, "GET", "/me", "Origin", "https://evil.example"); got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin may read: %v", got.Header)
	}
}

// TestBadFlags: a program that is started wrongly says which flag it is, and
// serves nothing.
func TestBadFlags(t *testing.T) {
	for _, row := range [][]string{
		{"-addr", "nowhere"}, {"-app", "nowhere"},
		{"-origin", "*"}, {"-origin", "null"}, {"-origin", "app.example"}, {"-origin", "https://*.example"},
		{"-origin", "https://app.example/"}, {"-origin", "https://me@app.example"}, {"-origin", "file://app"}, {"-origin", ""},
	} {
		command := exec.Command(os.Args[0], append([]string{"-addr", "127.0.0.1:0"}, row...)...)
		command.Env = append(os.Environ(), "GATEHOUSE_CORS=1")
		said, err := command.CombinedOutput()
		if err == nil || !strings.Contains(string(said), row[0]) || strings.Contains(string(said), "listening") {
			t.Errorf("%v: %v, %s", row, err, said)
		}
	}
	if _, err := newAPI(nil); err == nil {
		t.Error("no origin is every origin")
	}
}
