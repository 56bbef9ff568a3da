package main

import "net/http"

// anyOrigin lets the pages of every origin call a handler, as the original does
// below /api. A page gains nothing by that which a program has not: who calls is
// said by a token that no browser adds by itself, and by no cookie. If you add
// cookies, list your origins instead.
func anyOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		if preflight(r) {
			// Authorization must be named: the Fetch standard leaves it out of "*".
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			h.Set("Access-Control-Allow-Methods", "GET, HEAD, PUT, POST, DELETE, PATCH")
			h.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		// What a page may read beyond what it may anyway: why it was refused, and
		// when to come again.
		h.Set("Access-Control-Expose-Headers", "Content-Length, Retry-After, WWW-Authenticate")
		next.ServeHTTP(w, r)
	})
}

// preflight reports whether a browser asks if a page may send another request
// (Fetch standard, "CORS-preflight request").
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}
