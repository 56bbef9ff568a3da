package ratelimitredis_test

import (
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
)

// proxy is a bad network: it closes connections instead of passing on a reply, or
// swallows replies.
type proxy struct {
	listener net.Listener
	server   string
	lose     atomic.Int64 // of how many replies one is lost; 0 for none
	next     atomic.Bool  // the next one is
	lost     atomic.Int64
	silent   atomic.Bool // nothing comes back, nothing is closed
}

func newProxy(t testing.TB, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &proxy{listener: l, server: server}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		io.Copy(server, client)
		server.Close()
	}()
	reply := make([]byte, 64<<10)
	for {
		n, err := server.Read(reply)
		if err != nil {
			return
		}
		if one := p.lose.Load(); p.next.CompareAndSwap(true, false) || one > 0 && rand.Int64N(one) == 0 {
			p.lost.Add(1)
			return
		}
		if p.silent.Load() {
			continue
		}
		if _, err := client.Write(reply[:n]); err != nil {
			return
		}
	}
}
