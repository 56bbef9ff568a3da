package middleware_test

import (
	"bufio"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

func TestDeny(t *testing.T) {
	type deny = func(http.ResponseWriter, *http.Request, error)
	const problem = "application/problem+json"
	rows := []struct {
		name   string
		deny   deny
		status int
		body   string // "" is the guard's own
	}{
		{"writes its own", func(w http.ResponseWriter, _ *http.Request, err error) {
			w.WriteHeader(middleware.Status(err))
			io.WriteString(w, "mine")
		}, 401, "mine"},
		{"another status", func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(404)
			io.WriteString(w, "mine")
		}, 404, "mine"},
		{"body without a status", func(w http.ResponseWriter, _ *http.Request, _ error) { io.WriteString(w, "mine") }, 401, "mine"},
		{"nothing", func(http.ResponseWriter, *http.Request, error) {}, 401, ""},
		{"nothing but a header", func(w http.ResponseWriter, _ *http.Request, _ error) { w.Header().Set("Content-Type", "text/css") }, 401, ""},
		{"early hints only", func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(103) }, 401, ""},
		{"a first status, then another", func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(403)
			w.WriteHeader(200)
			io.WriteString(w, "mine")
		}, 403, "mine"},
		{"flush first", func(w http.ResponseWriter, _ *http.Request, _ error) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			io.WriteString(w, "mine")
		}, 401, "mine"},
		{"a deadline through Unwrap", func(w http.ResponseWriter, _ *http.Request, _ error) {
			if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Error(err)
			}
		}, 401, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			inside := new(room)
			g := middleware.New(people, middleware.Config{Logger: quiet, Deny: row.deny})
			server := httptest.NewServer(g.Handler(inside))
			defer server.Close()
			resp, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != row.status || len(inside.visits) != 0 {
				t.Errorf("answer %d, visits %q", resp.StatusCode, inside.visits)
			}
			if row.body == "" && (resp.Header.Get("Content-Type") != problem || !strings.Contains(string(body), "about:blank")) {
				t.Errorf("body %q of %s, want the guard's own", body, resp.Header.Get("Content-Type"))
			}
			if row.body != "" && string(body) != row.body {
				t.Errorf("body %q", body)
			}
			for name, want := range map[string]string{"WWW-Authenticate": missing, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%s: %q", name, got)
				}
			}
		})
	}
	t.Run("takes the connection", func(t *testing.T) {
		g := middleware.New(people, middleware.Config{Logger: quiet, Deny: func(w http.ResponseWriter, _ *http.Request, _ error) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			io.WriteString(conn, "HTTP/1.1 499 Mine\r\nContent-Length: 0\r\n\r\n")
		}})
		var errs journal
		done := make(chan struct{})
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(done)
			g.Handler(new(room)).ServeHTTP(w, r)
		}))
		server.Config.ErrorLog = log.New(&errs, "", 0)
		server.Start()
		answer := raw(t, server.Listener.Addr().String(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil); err != nil || resp.StatusCode != 499 {
			t.Errorf("answer %q, %v", answer, err)
		}
		<-done
		server.Close()
		if errs.String() != "" {
			t.Errorf("the server complains: %s", errs.String())
		}
	})
	t.Run("101 is final", func(t *testing.T) {
		g := middleware.New(people, middleware.Config{Logger: quiet, Deny: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(101) }})
		w := &counter{ResponseRecorder: httptest.NewRecorder()}
		g.Handler(new(room)).ServeHTTP(w, bearer())
		if w.headers != 1 || w.Code != 101 {
			t.Errorf("WriteHeader %d times, status %d", w.headers, w.Code)
		}
	})
	t.Run("can't take a connection that is not there", func(t *testing.T) {
		g := middleware.New(people, middleware.Config{Logger: quiet, Deny: func(w http.ResponseWriter, _ *http.Request, _ error) {
			if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
				t.Errorf("Hijack: %v", err)
			}
		}})
		refused(t, g.Handler, bearer(), 401, missing)
	})
	t.Run("knows the reason", func(t *testing.T) {
		var got error
		g := middleware.New(failing(claims.ErrExpired), middleware.Config{Logger: quiet, Deny: func(_ http.ResponseWriter, _ *http.Request, err error) { got = err }})
		refused(t, g.Handler, bearer("Bearer x"), 401, invalid)
		if !errors.Is(got, claims.ErrExpired) || !errors.Is(got, claims.ErrInvalid) || middleware.Status(got) != 401 {
			t.Errorf("err %v", got)
		}
	})
	t.Run("is not called for who is admitted", func(t *testing.T) {
		g := middleware.New(people, middleware.Config{Deny: func(http.ResponseWriter, *http.Request, error) { t.Error("called") }})
		admitted(t, g.Handler, bearer("Bearer token-a"), "a")
		admitted(t, g.Optional, bearer(), "anonymous")
	})
}
