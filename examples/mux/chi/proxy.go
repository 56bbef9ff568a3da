package main

import (
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/gatehouse-go/gatehouse/claims"
)

// newProxy passes /service/... on to upstream as /...
//
// The token stays here. It was issued for us, and whoever gets it can be the
// caller wherever we are believed; a log over there is enough. What upstream
// learns is who calls, in headers that we set and nobody else: upstream must be
// reachable through us alone. If upstream has a guard of its own, leave the
// Authorization header in, give tokens both names as audience, and drop the
// headers.
//
// All of upstream is reachable by whoever may pass: a path in its URL confines
// nobody, since muxes differ in what they make of "..".
func newProxy(upstream *url.URL, logger *slog.Logger) http.Handler {
	if logger == nil {
		logger = slog.Default()
	}
	fail := func(w http.ResponseWriter, r *http.Request, err error) {
		logger.ErrorContext(r.Context(), "the service behind the gate does not answer", "error", err)
		http.Error(w, "the service does not answer", http.StatusBadGateway)
	}
	if upstream == nil {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "there is no service; start with -upstream URL", http.StatusBadGateway)
		})
	}
	return http.StripPrefix("/service", &httputil.ReverseProxy{
		ErrorHandler: fail,
		// Unlike Director, Rewrite runs after the client's hop-by-hop headers are
		// gone, so that "Connection: X-Caller" can't remove what is set here.
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(upstream)
			p.SetXForwarded()
			caller := claims.MustFromContext[Account](p.In.Context())
			p.Out.Header.Del("Authorization")
			p.Out.Header.Set("X-Caller", caller.Subject)
			p.Out.Header.Set("X-Caller-Party", string(caller.Party))
		},
	})
}
