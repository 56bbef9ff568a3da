package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/gatehouse-go/gatehouse/middleware"
)

// servers are the contests of whole servers, each in a process of its own, with
// a client that is not measured.
func servers() []contest {
	c := contest{
		id: "server/RS256", title: "A whole server on loopback: RS256",
		note: "HTTP/1.1, four connections that are kept, 10,000 tokens in turn (2,000 with -short). What a client uses is not counted. *First sight* remembers nothing.",
		contenders: []contender{
			{name: "unguarded", kind: floor, serve: func(*world) (http.Handler, error) { return answering, nil }},
			{name: "gatehouse", kind: ours, serve: servingGatehouse(0)},
			{name: "gatehouse, first sight", kind: ours, serve: servingGatehouse(-1)},
		},
	}
	for _, p := range guardPeers {
		c.contenders = append(c.contenders, contender{name: p.name, kind: peer, serve: func(w *world) (http.Handler, error) {
			key, err := w.pair("RS256", 0)
			if err != nil {
				return nil, err
			}
			m, err := p.make(key)
			if err != nil {
				return nil, err
			}
			return m(answering)
		}})
	}
	return []contest{c}
}

var answering = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })

func servingGatehouse(remember int) func(*world) (http.Handler, error) {
	return func(w *world) (http.Handler, error) {
		v, err := w.verifier("RS256", remember)
		if err != nil {
			return nil, err
		}
		return middleware.New(v, middleware.Config{}).Handler(answering), nil
	}
}

// listen begins to serve, and returns where.
func listen(w *world, who contender) (addr string, err error) {
	h, err := who.serve(w)
	if err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		err := http.Serve(l, h)
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}()
	return l.Addr().String(), nil
}

const connections = 4

// A load sends requests over a few connections and reads the answers.
type load struct {
	conns    [connections]net.Conn
	readers  [connections]*bufio.Reader
	requests [][]byte
	next     int
}

func newLoad(w *world, who contender, addr string) (*load, error) {
	n := 10_000
	if w.short {
		n = 2_000
	}
	tokens, err := w.tokens("RS256", n)
	if err != nil {
		return nil, err
	}
	l := new(load)
	for _, token := range tokens {
		l.requests = append(l.requests, []byte("GET /me HTTP/1.1\r\nHost: api.example\r\nAuthorization: Bearer "+token+"\r\n\r\n"))
	}
	for i := range l.conns {
		if l.conns[i], err = new(net.Dialer).DialContext(context.Background(), "tcp", addr); err != nil {
			return nil, err
		}
		l.readers[i] = bufio.NewReader(l.conns[i])
	}
	if who.kind != floor {
		if err := l.refused(tokens[0]); err != nil {
			return nil, err
		}
	}
	return l, l.send(n) // every token once
}

// refused checks that the server is guarded.
func (l *load) refused(token string) error {
	forged := []byte(token)
	forged[len(forged)-20] ^= 1
	status, err := l.exchange(0, []byte("GET /me HTTP/1.1\r\nHost: api.example\r\nAuthorization: Bearer "+string(forged)+"\r\n\r\n"))
	if err == nil && status == http.StatusOK {
		err = fmt.Errorf("a forged token got status %d", status)
	}
	return err
}

// send sends n requests.
func (l *load) send(n int) error {
	first := l.next
	l.next += n
	return together(connections, func(from, times int) error {
		conn := from / stride
		for i := range times {
			status, err := l.exchange(conn, l.requests[(first+conn+i*connections)%len(l.requests)])
			if err != nil {
				return err
			}
			if status != http.StatusOK {
				return fmt.Errorf("status %d", status)
			}
		}
		return nil
	})((n + connections - 1) / connections * connections)
}

// exchange sends one request and reads its answer.
func (l *load) exchange(conn int, request []byte) (status int, err error) {
	if _, err := l.conns[conn].Write(request); err != nil {
		return 0, err
	}
	length := 0
	for r := l.readers[conn]; ; {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimSpace(line)
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.HasPrefix(line, []byte("HTTP/1.1 ")):
			status, err = strconv.Atoi(string(line[9:12]))
		case bytes.EqualFold(name, []byte("Content-Length")):
			length, err = strconv.Atoi(string(value))
		case len(line) == 0:
			_, err = r.Discard(length)
			return status, err
		}
		if err != nil {
			return 0, err
		}
	}
}

func (l *load) close() {
	for _, c := range l.conns {
		if c != nil {
			c.Close()
		}
	}
}
