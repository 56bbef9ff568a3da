package ratelimit

import (
	"bufio"
	"net"
	"net/http"
)

// denyWriter is what Config.Deny writes to. Where net/http would answer 200, to a
// body without a status or to nothing at all, it answers the refusal's status. It has
// a sibling in middleware.
type denyWriter struct {
	http.ResponseWriter
	status  int // of the refusal
	written bool
}

// WriteHeader sends the first final status and ignores all later ones. Interim
// answers (1xx, RFC 9110 section 15.2) are not final; only 101 is.
func (d *denyWriter) WriteHeader(status int) {
	if d.written {
		return
	}
	d.written = status >= 200 || status == http.StatusSwitchingProtocols
	d.ResponseWriter.WriteHeader(status)
}

func (d *denyWriter) Write(b []byte) (int, error) {
	d.WriteHeader(d.status)
	return d.ResponseWriter.Write(b)
}

// FlushError is Flush for http.ResponseController, which would otherwise flush
// the wrapped writer and so send 200.
func (d *denyWriter) FlushError() error {
	d.WriteHeader(d.status)
	return http.NewResponseController(d.ResponseWriter).Flush()
}

// Hijack is for http.ResponseController: after it there is no answer to write.
func (d *denyWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(d.ResponseWriter).Hijack()
	d.written = d.written || err == nil
	return conn, rw, err
}

// Unwrap gives http.ResponseController everything else.
func (d *denyWriter) Unwrap() http.ResponseWriter { return d.ResponseWriter }
