package main

import "net/http"

// anyOrigin lets the pages of every origin call a handler, as the original does
// (Fetch standard, "CORS protocol"). A page can then do what any program can, and
// no more: the caller is known by a token, which no browser adds by itself, and no
// cookie is read. If you add cookies, list your origins instead.
func anyOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		// A preflight has no token, so it is answered before the guard.
		if r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "" {
			// Authorization must be named: the Fetch standard leaves it out of "*".
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Requested-With, x-apikey, x-userid, x-iotkit-requestid")
			h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
			h.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusOK)
			return
		}
		// What a page may read beyond what it may anyway: why it was refused, when
		// to come again, and how much is left.
		h.Set("Access-Control-Expose-Headers", "Retry-After, WWW-Authenticate, X-Rate-Limit-Limit, X-Rate-Limit-Remaining, X-Rate-Limit-Reset")
		next.ServeHTTP(w, r)
	})
}
