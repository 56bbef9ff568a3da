package middleware

import (
	"bufio"
	"net"
	"net/http"
)

// denyWriter is what Config.Deny writes to. net/http answers 200 to who writes
// a body without a status, or nothing at all; this one does not.
type denyWriter struct {
	http.ResponseWriter
	status  int // of the refusal
	written bool
}

// WriteHeader sends the first status that is final (RFC 9110 §15.2: 1xx is not,
// but 101), and no other.
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
