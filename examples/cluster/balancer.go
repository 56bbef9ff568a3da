package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// newBalancer passes requests to backends in turn.
func newBalancer(backends ...string) http.Handler {
	return http.MaxBytesHandler(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: backends[0]})
			r.SetXForwarded() // what the client says of itself in these headers is gone
		},
		Transport: &turns{backends: backends, transport: &http.Transport{
			DialContext: (&net.Dialer{Timeout: time.Second}).DialContext, MaxIdleConnsPerHost: 64,
		}},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			// The request may have been carried out: only the client may send
			// it again.
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
	}, 64<<10)
}

// turns sends each request to the next backend, and to another one if that can't
// even be connected to, because then nothing was done.
type turns struct {
	backends  []string
	transport *http.Transport
	next      atomic.Uint64
}

func (t *turns) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	var body []byte
	if r.Body != nil {
		defer r.Body.Close()
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	for range t.backends {
		try := r.Clone(r.Context())
		try.URL.Host = t.backends[t.next.Add(1)%uint64(len(t.backends))]
		try.Body = io.NopCloser(bytes.NewReader(body))
		resp, err = t.transport.RoundTrip(try)
		if refused := new(net.OpError); !errors.As(err, &refused) || refused.Op != "dial" {
			break
		}
	}
	return resp, err
}
