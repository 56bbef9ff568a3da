package middleware_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/middleware"
)

// TestAuthorization is about the Authorization header: what of it is a token.
func TestAuthorization(t *testing.T) {
	const bad, odd = 400, 401 // the request's mistake, the token's
	rows := []struct {
		name   string
		fields []string
		status int
		want   string // the challenge, or of 200 the caller
	}{
		{"BE-01 none", nil, 401, missing},
		{"BE-02 Basic", []string{"Basic dXNlcjpwYXNz"}, 401, missing},
		{"BE-03 bearer", []string{"bearer token-a"}, 200, "a"},
		{"BE-03 BEARER", []string{"BEARER token-a"}, 200, "a"},
		{"BE-03 BeArEr", []string{"BeArEr token-a"}, 200, "a"},
		{"BE-04 two spaces", []string{"Bearer  token-a"}, 200, "a"},
		{"BE-04 100 spaces", []string{"Bearer" + strings.Repeat(" ", 100) + "token-a"}, 200, "a"},
		{"BE-05 tab", []string{"Bearer\ttoken-a"}, 401, missing},
		{"BE-05 space, tab", []string{"Bearer \ttoken-a"}, bad, malformed},
		{"BE-05 NBSP", []string{"Bearer\u00a0token-a"}, 401, missing},
		{"BE-05 space, NBSP", []string{"Bearer \u00a0token-a"}, odd, invalid},
		{"BE-05 em space", []string{"Bearer\u2003token-a"}, 401, missing},
		{"BE-05 vertical tab", []string{"Bearer\vtoken-a"}, 401, missing},
		{"BE-05 space, vertical tab", []string{"Bearer \vtoken-a"}, odd, invalid},
		{"BE-06 scheme only", []string{"Bearer"}, bad, malformed},
		{"BE-06 one space", []string{"Bearer "}, bad, malformed},
		{"BE-06 two spaces", []string{"Bearer  "}, bad, malformed},
		{"BE-06 empty field", []string{""}, 401, missing},
		{"BE-07 A and B", []string{"Bearer token-a", "Bearer token-b"}, bad, malformed},
		{"BE-07 B and A", []string{"Bearer token-b", "Bearer token-a"}, bad, malformed},
		{"BE-07 A twice", []string{"Bearer token-a", "Bearer token-a"}, bad, malformed},
		{"BE-07 Basic and A", []string{"Basic dTpw", "Bearer token-a"}, bad, malformed},
		{"BE-07 A and empty", []string{"Bearer token-a", ""}, bad, malformed},
		{"BE-08 folded list", []string{"Bearer token-a, Bearer token-b"}, bad, malformed},
		{"BE-09 trailing word", []string{"Bearer token-a trailing"}, bad, malformed},
		{"BE-09 trailing space", []string{"Bearer token-a "}, bad, malformed},
		{"BE-09 trailing comma", []string{"Bearer token-a,"}, odd, invalid},
		{"BE-16 NUL", []string{"Bearer token-a\x00"}, odd, invalid},
		{"BE-16 0x80", []string{"Bearer \x80token-a"}, odd, invalid},
		{"BE-16 DEL", []string{"Bearer token-a\x7f"}, odd, invalid},
		{"BE-18 dots", []string{"Bearer " + strings.Repeat(".", 900_000)}, odd, invalid},
		{"BE-19 percent", []string{"Bearer token%2Da"}, odd, invalid},
		{"BE-19 plus", []string{"Bearer token+a"}, odd, invalid},
		{"BE-19 slash", []string{"Bearer token/a"}, odd, invalid},
		{"BE-19 padding", []string{"Bearer token-a="}, odd, invalid},
		{"BE-19 padding only", []string{"Bearer =="}, odd, invalid},
		{"BE-19 padding inside", []string{"Bearer token=-a"}, odd, invalid},
		{"BE-19 quotes", []string{`Bearer "token-a"`}, odd, invalid},
		{"BE-19 angle brackets", []string{"Bearer <token-a>"}, odd, invalid},
		{"BE-20 JWT", []string{"JWT token-a"}, 401, missing},
		{"BE-20 Token", []string{"Token token-a"}, 401, missing},
		{"BE-20 DPoP", []string{"DPoP token-a"}, 401, missing},
		{"BE-20 colon", []string{"Bearer:token-a"}, 401, missing},
		{"BE-20 BearerX", []string{"BearerX token-a"}, 401, missing},
		{"BE-20 no space", []string{"Bearertoken-a"}, 401, missing},
		{"BE-20 leading space", []string{" Bearer token-a"}, 401, missing},
		{"BE-20 no scheme", []string{"token-a"}, 401, missing},
		{"BE-26 U+200B before", []string{"Bearer \u200btoken-a"}, odd, invalid},
		{"BE-26 U+FEFF after", []string{"Bearer token-a\ufeff"}, odd, invalid},
		{"BE-26 U+2028 after", []string{"Bearer token-a\u2028"}, odd, invalid},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			g := newGuard()
			if row.status == 200 {
				admitted(t, g.Handler, bearer(row.fields...), row.want)
				return
			}
			refused(t, g.Handler, bearer(row.fields...), row.status, row.want)
			if row.want != missing {
				refused(t, g.Optional, bearer(row.fields...), row.status, row.want)
			}
		})
	}
}

// TestNoVerification shows that what is no bearer token never gets to the
// verifier.
func TestNoVerification(t *testing.T) {
	g := middleware.New(verifyFunc(func(_ context.Context, token string) (*caller, error) {
		t.Errorf("verified %q", token)
		return people["token-a"], nil
	}), middleware.Config{Logger: quiet})
	t.Run("BE-02 no parser", func(t *testing.T) {
		refused(t, g.Handler, bearer("Basic dXNlcjpwYXNz"), 401, missing)
		refused(t, g.Handler, bearer("Bearer \"x\""), 401, invalid)
		refused(t, g.Handler, bearer("Bearer x y"), 400, malformed)
	})
}

// TestElsewhere puts a token where none is looked for.
func TestElsewhere(t *testing.T) {
	form := func() *http.Request {
		r := httptest.NewRequest("POST", "/", strings.NewReader("access_token=token-b"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	t.Run("BE-10 query", func(t *testing.T) {
		refused(t, newGuard().Handler, httptest.NewRequest("GET", "/x?access_token=token-a", nil), 401, missing)
	})
	t.Run("BE-11 form", func(t *testing.T) {
		refused(t, newGuard().Handler, form(), 401, missing)
	})
	t.Run("BE-11 body is left alone", func(t *testing.T) {
		r := form()
		r.Header.Set("Authorization", "Bearer token-a")
		serve(newGuard().Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if body, err := io.ReadAll(r.Body); string(body) != "access_token=token-b" || err != nil {
				t.Errorf("body %q, %v", body, err)
			}
			if r.Form != nil || r.PostForm != nil {
				t.Error("the form was parsed")
			}
		})), r)
	})
	t.Run("BE-12 A in the header, B elsewhere", func(t *testing.T) {
		r := form()
		r.URL.RawQuery = "access_token=token-b"
		r.Header.Set("Authorization", "Bearer token-a")
		admitted(t, newGuard().Handler, r, "a")
	})
	for _, name := range []string{"Proxy-Authorization", "X-Authorization", "X-Forwarded-Authorization", "X-Auth-Token"} {
		t.Run("BE-13 "+name, func(t *testing.T) {
			r := bearer()
			r.Header.Set(name, "Bearer token-a")
			refused(t, newGuard().Handler, r, 401, missing)
		})
	}
	t.Run("BE-27 WebSocket protocol and cookie", func(t *testing.T) {
		r := bearer()
		r.Header.Set("Sec-WebSocket-Protocol", "bearer, token-a")
		r.Header.Set("Cookie", "access_token=token-a")
		refused(t, newGuard().Handler, r, 401, missing)
	})
}

// TestCookie is about the cookie that a Config names.
func TestCookie(t *testing.T) {
	g := middleware.New(people, middleware.Config{Cookie: "__Host-token", Logger: quiet})
	rows := []struct {
		name, header string
		cookies      []string
		status       int
		want         string
	}{
		{"BE-27 switched on", "", []string{"x=y; __Host-token=token-a"}, 200, "a"},
		{"none", "", []string{"token=token-a"}, 401, missing},
		{"another case", "", []string{"__host-token=token-a"}, 401, missing},
		{"two in one field", "", []string{"__Host-token=token-a; __Host-token=token-b"}, 400, malformed},
		{"two fields", "", []string{"__Host-token=token-a", "__Host-token=token-a"}, 400, malformed},
		{"empty", "", []string{"__Host-token="}, 401, missing},
		{"a bad token", "", []string{"__Host-token=token-c"}, 401, invalid},
		{"in quotes", "", []string{`__Host-token="token-a"`}, 401, invalid},
		{"scheme inside", "", []string{"__Host-token=Bearer token-a"}, 400, malformed},
		{"BE-12 header first", "Bearer token-b", []string{"__Host-token=token-a"}, 200, "b"},
		{"a bad header is not made good", "Bearer token-c", []string{"__Host-token=token-a"}, 401, invalid},
		{"another scheme hides the cookie", "Basic dTpw", []string{"__Host-token=token-a"}, 401, missing},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := bearer()
			if row.header != "" {
				r = bearer(row.header)
			}
			r.Header["Cookie"] = row.cookies
			if row.status == 200 {
				admitted(t, g.Handler, r, row.want)
			} else {
				refused(t, g.Handler, r, row.status, row.want)
			}
		})
	}
}

// TestCookieOfAnotherSite (law: the cookie is no credential of a request that
// another site's page sent) sends what browsers send.
func TestCookieOfAnotherSite(t *testing.T) {
	config := middleware.Config{Cookie: "t", CookieOrigins: []string{"https://app.example"}, Logger: quiet}
	g := middleware.New(people, config)
	for _, row := range []struct {
		name, method string
		header       [2]string
		upgrade      bool
		admitted     bool
	}{
		{"no browser", "POST", [2]string{}, false, true},
		{"own page", "POST", [2]string{"Sec-Fetch-Site", "same-origin"}, false, true},
		{"another site", "POST", [2]string{"Sec-Fetch-Site", "cross-site"}, false, false},
		{"a neighbour", "DELETE", [2]string{"Sec-Fetch-Site", "same-site"}, false, false},
		{"an old browser", "POST", [2]string{"Origin", "https://evil.example"}, false, false},
		{"a link", "GET", [2]string{"Sec-Fetch-Site", "cross-site"}, false, true},
		{"a WebSocket", "GET", [2]string{"Origin", "https://evil.example"}, true, false},
		{"own WebSocket", "GET", [2]string{"Origin", "https://example.com"}, true, true},
		{"named origin", "POST", [2]string{"Origin", "https://app.example"}, false, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(row.method, "https://example.com/", nil)
			r.Header.Set("Cookie", "t=token-a")
			if row.header[0] != "" {
				r.Header.Set(row.header[0], row.header[1])
			}
			if row.upgrade {
				r.Header.Set("Upgrade", "websocket")
			}
			if row.admitted {
				admitted(t, g.Handler, r, "a")
				return
			}
			refused(t, g.Handler, r, 401, missing)
			r.Header.Set("Authorization", "Bearer token-b")
			admitted(t, g.Handler, r, "b")
		})
	}
	config.CookieOrigins = []string{"app.example"}
	refused(t, middleware.New(people, config).Handler, bearer("Bearer token-a"), 503, "")
	refused(t, middleware.New(people, middleware.Config{CookieOrigins: []string{"https://app.example"}, Logger: quiet}).Handler, bearer("Bearer token-a"), 503, "")
}

// TestHuge is about tokens of the size of all headers. To refuse one
// allocates nothing that grows with it.
func TestHuge(t *testing.T) {
	g := middleware.New(realVerifier(t), middleware.Config{Logger: quiet})
	good := token(t, goodHeader, goodPayload(""))
	dot := strings.LastIndexByte(good, '.')
	for name, value := range map[string]string{
		"BE-17 100 KiB":      good[:dot] + "." + strings.Repeat("A", 100<<10),
		"BE-17 900 KiB":      good[:dot] + "." + strings.Repeat("A", 900<<10),
		"BE-18 900 000 dots": strings.Repeat(".", 900_000),
	} {
		t.Run(name, func(t *testing.T) {
			r := bearer("Bearer " + value)
			h := g.Handler(new(room))
			serve(h, r)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			w := serve(h, r)
			runtime.ReadMemStats(&after)
			if w.Code != 401 || w.Header().Get("WWW-Authenticate") != invalid {
				t.Errorf("answer %d %q", w.Code, w.Header().Get("WWW-Authenticate"))
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10 {
				t.Errorf("%d bytes allocated for a token of %d", grown, len(value))
			}
		})
	}
}

func TestMethods(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "FOO", "POST"} {
		t.Run("BE-21 "+method, func(t *testing.T) {
			r := bearer()
			r.Method = method
			r.Header.Set("X-HTTP-Method-Override", "OPTIONS")
			r.Header.Set("Origin", "https://other.example")
			r.Header.Set("Access-Control-Request-Method", "GET")
			refused(t, newGuard().Handler, r, 401, missing)
		})
	}
}

// TestPaths mounts a public route beside a guarded one: there is no list of
// paths to skip, so no spelling of one path opens the other.
func TestPaths(t *testing.T) {
	inside := new(room)
	mux := http.NewServeMux()
	mux.Handle("/healthz", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	mux.Handle("/admin", newGuard().Handler(inside))
	mux.Handle("/admin/", newGuard().Handler(inside))
	server := httptest.NewServer(mux)
	defer server.Close()
	for _, path := range []string{
		"//healthz/../admin", "/healthz%2f..%2fadmin", "/admin/..;/healthz", "/admin%23/healthz",
		"/admin?x=/healthz", "/admin", "/admin/", "/./admin/", "/healthz/../admin/x",
	} {
		t.Run("BE-22 PG-16 "+path, func(t *testing.T) {
			resp, err := http.Get(server.URL + path) // follows redirects
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if body, _ := io.ReadAll(resp.Body); resp.StatusCode == 200 && len(body) > 0 || len(inside.visits) > 0 {
				t.Errorf("answer %d %q, visits %q", resp.StatusCode, body, inside.visits)
			}
		})
	}
	t.Run("PG-16 redirect of a subtree", func(t *testing.T) {
		mux := http.NewServeMux()
		mux.Handle("/tree/", newGuard().Handler(inside))
		w := serve(mux, httptest.NewRequest("GET", "/tree", nil))
		if w.Code/100 != 3 || w.Header().Get("Location") != "/tree/" {
			t.Errorf("answer %d to %q", w.Code, w.Header().Get("Location"))
		}
		refused(t, func(http.Handler) http.Handler { return mux }, httptest.NewRequest("GET", "/tree/", nil), 401, missing)
	})
}
