package middleware_test

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/middleware"
)

// raw sends text to addr and returns everything that comes back.
func raw(t *testing.T, addr, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// TestWire writes bytes that no client library sends.
func TestWire(t *testing.T) {
	var lines, errors journal
	inside := new(room)
	g := middleware.New(stub{"abcdef": {Subject: "a"}, "abc": {Subject: "b"}}, middleware.Config{Logger: lines.logger()})
	server := httptest.NewUnstartedServer(g.Handler(inside))
	server.Config.ErrorLog = log.New(&errors, "", 0)
	server.Start()
	defer server.Close()
	addr := server.Listener.Addr().String()
	ask := func(t *testing.T, authorization string) string {
		t.Helper()
		answer := raw(t, addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+authorization+"\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 400 && resp.StatusCode != 401 || len(inside.visits) != 0 {
			t.Errorf("answer %d, visits %q", resp.StatusCode, inside.visits)
		}
		return answer
	}
	t.Run("BE-07 two fields", func(t *testing.T) {
		ask(t, "Authorization: Bearer abc\r\nauthorization: Bearer abcdef")
	})
	t.Run("BE-15 folded", func(t *testing.T) {
		ask(t, "Authorization: Bearer abc\r\n def")
		ask(t, "Authorization: Bearer\r\n abc\r\n\tdef")
	})
	for _, bad := range []string{"\x00", "\x7f", "\x80", "\xa0", "\xff", "\x1b[2J", "\xc2\x85"} {
		t.Run("BE-16 "+strings.ToValidUTF8(bad, "?"), func(t *testing.T) {
			for _, value := range []string{"abc" + bad + "def", bad + "abcdef", "abcdef" + bad} {
				if answer := ask(t, "Authorization: Bearer "+value); strings.Contains(answer, bad) {
					t.Errorf("%q is echoed in %q", bad, answer)
				}
			}
			if strings.Contains(lines.String(), bad) || strings.Contains(errors.String(), bad) {
				t.Errorf("%q is in the log", bad)
			}
		})
	}
	if lines.String() == "" {
		t.Error("nothing was logged")
	}
}

// TestHTTP2 is TestWire's first row in the other protocol.
func TestHTTP2(t *testing.T) {
	inside := new(room)
	server := httptest.NewUnstartedServer(newGuard().Handler(inside))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	ask := func(t *testing.T, status int, values ...string) {
		t.Helper()
		r, err := http.NewRequest("GET", server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header["Authorization"] = values
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != status || resp.ProtoMajor != 2 {
			t.Errorf("answer %d over %s, want %d over HTTP/2", resp.StatusCode, resp.Proto, status)
		}
	}
	t.Run("BE-25 two fields", func(t *testing.T) {
		ask(t, 400, "Bearer token-a", "Bearer token-b")
		ask(t, 400, "Bearer token-b", "Bearer token-a")
	})
	t.Run("BE-25 one field", func(t *testing.T) { ask(t, 200, "Bearer token-a") })
	if len(inside.visits) != 1 {
		t.Errorf("visits %q", inside.visits)
	}
}
