package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// page is a script of another origin: it gets to see only what a browser shows
// it, by the Fetch standard ("CORS protocol"). It sends no cookies.
type page struct{ *client }

// fetch reports whether the request was sent and its answer shown.
func (p page) fetch(method, path, body string, fields map[string]string) (r reply, shown bool) {
	p.t.Helper()
	h := http.Header{"Origin": {"https://pages.example"}}
	var named []string
	for name, value := range fields {
		h.Set(name, value)
		if simple := name == "Accept" || name == "Content-Type" && value == "text/plain"; !simple {
			named = append(named, strings.ToLower(name))
		}
	}
	slices.Sort(named)
	if len(named) > 0 || method != "GET" && method != "HEAD" && method != "POST" {
		ask := http.Header{"Origin": h["Origin"], "Access-Control-Request-Method": {method}}
		if len(named) > 0 {
			ask.Set("Access-Control-Request-Headers", strings.Join(named, ","))
		}
		asked := p.send("OPTIONS", path, "", ask)
		may := func(field string) []string { return list(asked.header.Get(field)) }
		if asked.status < 200 || asked.status > 299 || asked.header.Get("Access-Control-Allow-Origin") != "*" {
			return reply{}, false
		}
		if method != "GET" && method != "HEAD" && method != "POST" && !slices.Contains(may("Access-Control-Allow-Methods"), method) {
			return reply{}, false
		}
		for _, name := range named {
			if !slices.ContainsFunc(may("Access-Control-Allow-Headers"), func(s string) bool { return strings.EqualFold(s, name) }) {
				return reply{}, false
			}
		}
	}
	r = p.send(method, path, body, h)
	return r, r.header.Get("Access-Control-Allow-Origin") == "*"
}

func list(field string) []string {
	all := strings.Split(field, ",")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

func TestPageOfAnotherOrigin(t *testing.T) {
	p := page{&client{t: t, base: start(t, "-auth-limit", "4")}}
	json := map[string]string{"Content-Type": "application/json"}
	bearer := func() map[string]string { return map[string]string{"Authorization": "Bearer " + p.access} }
	fetch := func(status int, method, path, body string, fields map[string]string) reply {
		t.Helper()
		r, shown := p.fetch(method, path, body, fields)
		if !shown || r.status != status {
			t.Errorf("%s %s: shown %v, %d, want %d", method, path, shown, r.status, status)
		}
		return r
	}
	fetch(200, "GET", "/api", "", nil)
	p.take(fetch(200, "POST", "/api/login", `{"username":"admin","password":"datarhei"}`, json))
	fetch(200, "GET", "/api", "", bearer())
	fetch(200, "GET", "/api/v3/log", "", bearer())
	p.access = p.refresh
	p.take(fetch(200, "GET", "/api/login/refresh", "", bearer()))
	fetch(200, "GET", "/api/v3/log", "", bearer())
	fetch(404, "DELETE", "/api/v3/process/x", "", bearer())
	p.access = "nonsense"
	refusal := fetch(401, "PUT", "/api/v3/config", "{}", bearer())
	fetch(400, "POST", "/api/login", "", json)
	fetch(401, "POST", "/api/login", `{"username":"admin","password":"guess"}`, json)
	limited := fetch(429, "POST", "/api/login", `{"username":"admin","password":"guess"}`, json)
	for field, r := range map[string]reply{"WWW-Authenticate": refusal, "Retry-After": limited} {
		if r.header.Get(field) == "" || !slices.Contains(list(r.header.Get("Access-Control-Expose-Headers")), field) {
			t.Errorf("%s %q is not shown: %v", field, r.header.Get(field), r.header)
		}
		if r.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Error("pages may send cookies")
		}
	}
	if _, shown := p.fetch("GET", "/", "", nil); shown {
		t.Error("pages see what is not below /api")
	}
	if _, shown := p.fetch("GET", "/api", "", map[string]string{"X-Other": "1"}); shown {
		t.Error("pages may send any field")
	}
}

// TestOptions sends what is not a preflight: it stands behind the guard.
func TestOptions(t *testing.T) {
	c := &client{t: t, base: start(t)}
	for _, fields := range []http.Header{{}, {"Origin": {"https://pages.example"}}, {"Access-Control-Request-Method": {"GET"}}} {
		same(t, "OPTIONS", golden(c.send("OPTIONS", "/api/v3/log", "", fields)), missing)
	}
	got := c.send("OPTIONS", "/api/v3/log", "", http.Header{"Origin": {"null"}, "Access-Control-Request-Method": {"GET"}})
	if got.status != 204 || got.body != "" || got.header.Get("Access-Control-Max-Age") != "86400" {
		t.Errorf("preflight: %d %q %v", got.status, got.body, got.header)
	}
}
