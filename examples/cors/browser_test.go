package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browser starts Chromium and returns a context for its tabs.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("GATEHOUSE_REQUIRE_SERVERS") != "" {
			t.Fatal("chromium is missing")
		}
		t.Skip("install Chromium to see what a real browser does (Debian: apt-get install chromium)")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.WSURLReadTimeout(time.Minute),
	}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	ctx, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ = chromedp.NewContext(ctx)
	if _, err := chromedp.Run(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil { // waits until it has ended
			t.Error(err)
		}
	})
	return ctx
}

// visit opens the page in a tab of its own and returns its log.
func visit(t *testing.T, ctx context.Context, url string) string {
	t.Helper()
	tab, cancel := chromedp.NewContext(ctx)
	defer cancel()
	if _, err := chromedp.Run(tab, chromedp.Navigate(url)); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	tab, cancel = context.WithTimeout(tab, time.Minute) // the first step must have none
	defer cancel()
	if _, err := chromedp.Run(tab, chromedp.WaitVisible("body[data-done]")); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	log, err := chromedp.Run(tab, chromedp.Text("#log"))
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return strings.TrimSpace(log)
}

// town is an API at one origin and the page at another.
func town(t *testing.T, api func(origin string) http.Handler) (page string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	page = "http://" + listener.Addr().String()
	apiServer := httptest.NewServer(api(page))
	t.Cleanup(apiServer.Close)
	pageServer := &httptest.Server{Listener: listener, Config: &http.Server{Handler: pageFor(apiServer.URL)}}
	pageServer.Start()
	t.Cleanup(pageServer.Close)
	return page
}

// nothing is the log of a page that can't even log in.
const nothing = `login: nothing: TypeError
with a token: nothing: TypeError
without: nothing: TypeError
with a bad token: nothing: TypeError
without a scope: nothing: TypeError
too often: nothing: TypeError`

// TestBrowser is what a script can read, in a real browser.
func TestBrowser(t *testing.T) {
	ctx := browser(t)
	must := func(h http.Handler, err error) http.Handler {
		if err != nil {
			t.Fatal(err)
		}
		return h
	}

	page := town(t, func(origin string) http.Handler { return must(newAPI([]string{origin})) })
	other := strings.Replace(page, "127.0.0.1", "localhost", 1) // the same page at an origin that is not allowed
	if got := visit(t, ctx, other); got != nothing {
		t.Errorf("a page of another origin reads\n%s", got)
	}
	right := regexp.MustCompile(`^login: 200
with a token: 200 \| RateLimit: "Default";r=\d+;t=\d+ \| RateLimit-Policy: "Default";q=20;w=\d+
without: 401 \| WWW-Authenticate: Bearer realm="api" \| RateLimit: .*
with a bad token: 401 \| WWW-Authenticate: Bearer realm="api", error="invalid_token".* \| RateLimit: .*
without a scope: 403 \| WWW-Authenticate: Bearer realm="api", error="insufficient_scope".* \| RateLimit: .*
too often: 429 \| Retry-After: \d+ \| RateLimit: "Default";r=0;t=\d+ \| RateLimit-Policy: .*$`)
	if got := visit(t, ctx, page); !right.MatchString(got) {
		t.Errorf("the page reads\n%s", got)
	}

	// With the limit outside of CORS a page works, until it is refused: then it
	// can't tell a limit from a network that is down.
	wrong := town(t, func(origin string) http.Handler {
		allow, err := newCORS([]string{origin})
		if err != nil {
			t.Fatal(err)
		}
		limit, routes, err := newRoutes()
		if err != nil {
			t.Fatal(err)
		}
		return limit(allow(routes))
	})
	if got := visit(t, ctx, wrong); !strings.HasPrefix(got, "login: 200\n") || !strings.HasSuffix(got, "too often: nothing: TypeError") {
		t.Errorf("with the limit outside, the page reads\n%s", got)
	}

	// Without CORS, preflights meet the mux and the guards, and nothing works.
	without := town(t, func(string) http.Handler {
		_, routes, err := newRoutes()
		return must(routes, err)
	})
	if got := visit(t, ctx, without); got != nothing {
		t.Errorf("without CORS the page reads\n%s", got)
	}
}
