package mux_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestEvents reads the first event while the answer goes on, which it can't if
// something between handler and connection lacks Flush. The program then ends,
// and with it the stream.
func TestEvents(t *testing.T) {
	answers := map[string]string{}
	for _, name := range muxes {
		server := start(t, name)
		response := do(t, server.base, "GET /events", "", tokens(t, server.base).Replace(manager))
		first := make([]byte, len("id: 1\ndata: news for manager@example.com\n\n"))
		if _, err := io.ReadFull(response.Body, first); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		server.stop()
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Errorf("%s: the stream was cut off when the server closed: %v", name, err)
		}
		answers[name] = dump(t, response) + string(first)
	}
	if !strings.Contains(answers["stdlib"], "Content-Type: text/event-stream\r\n") {
		t.Errorf("no event stream:\n%s", answers["stdlib"])
	}
	same(t, answers)
}

// TestSocket takes connections over. What the client sent too early counts. The
// program then ends, and with it the connection.
func TestSocket(t *testing.T) {
	answers := map[string]string{}
	for _, name := range muxes {
		server := start(t, name)
		conn, err := net.Dial("tcp", strings.TrimPrefix(server.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(time.Minute))
		fmt.Fprintf(conn, "GET /socket HTTP/1.1\r\nHost: api.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n%s\r\n\r\nearly\n", tokens(t, server.base).Replace(manager))
		in := bufio.NewReader(conn)
		for !strings.HasSuffix(answers[name], "early\n") {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatalf("%s: after %q: %v", name, answers[name], err)
			}
			answers[name] += line
		}
		fmt.Fprint(conn, "late\n")
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		answers[name] += line
		server.stop()
		rest, err := io.ReadAll(in)
		if err != nil {
			t.Errorf("%s: the connection did not end when the server closed: %v", name, err)
		}
		answers[name] += string(rest)
	}
	const want = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello, manager@example.com\nearly\nlate\n"
	if answers["stdlib"] != want {
		t.Errorf("got %q", answers["stdlib"])
	}
	same(t, answers)
}

// TestServiceStreams reads what the service behind the gate has flushed.
func TestServiceStreams(t *testing.T) {
	service := upstream(t)
	for _, name := range muxes {
		server := start(t, name, "-upstream", service)
		response := do(t, server.base, "GET /service/stream", "", tokens(t, server.base).Replace(manager))
		first := make([]byte, len("first\n"))
		if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "first\n" {
			t.Errorf("%s: %q, %v", name, first, err)
		}
		response.Body.Close()
	}
}
