package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// socket takes the connection over (RFC 9110 §7.8) and repeats what it hears
// until the token expires. A WebSocket library does the same behind its Upgrade
// or Accept.
func (g *gate) socket(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "echo") {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		http.Error(w, "upgrade to echo, please", http.StatusUpgradeRequired)
		return
	}
	caller := claims.MustFromContext[Account](r.Context())
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "this connection can't be taken over", http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	if conn.SetDeadline(caller.Expiry) != nil {
		return
	}
	over := make(chan struct{})
	defer close(over)
	go func() { // Shutdown knows nothing of this connection any more
		select {
		case <-g.closing:
			conn.SetDeadline(time.Unix(1, 0))
		case <-over:
		}
	}()
	fmt.Fprintf(buffered, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello, %s\n", caller.Subject)
	if buffered.Flush() != nil {
		return
	}
	io.Copy(conn, buffered) // the buffer may hold bytes already
}
