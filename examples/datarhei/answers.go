package main

import (
	"encoding/json"
	"net/http"

	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// What details say of refusals that clients know.
const (
	badToken       = "Missing or invalid JWT token"
	badLogin       = "Invalid authorization credentials: invalid username or password"
	badTenantToken = "Invalid authorization credentials: invalid token"
	emptyLogin     = "Missing authorization credentials"
)

// answer writes v. All that this server says is about one caller.
func answer(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // an error means that the client has gone
}

func refuse(w http.ResponseWriter, status int, details ...string) {
	switch status {
	case http.StatusUnauthorized:
		if w.Header().Get("WWW-Authenticate") == "" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="api"`)
		}
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	answer(w, status, struct {
		Code    int      `json:"code"`
		Message string   `json:"message"`
		Details []string `json:"details"`
	}{status, http.StatusText(status), append([]string{}, details...)})
}

// deny writes the refusals of guards, whose headers are set.
func deny(w http.ResponseWriter, _ *http.Request, err error) {
	if status := middleware.Status(err); status >= 500 {
		refuse(w, status)
	} else {
		refuse(w, status, badToken)
	}
}

// limited writes the refusals of limits, whose headers are set.
func limited(w http.ResponseWriter, _ *http.Request, _ ratelimit.Decision, err error) {
	if err != nil {
		refuse(w, http.StatusServiceUnavailable)
		return
	}
	refuse(w, http.StatusTooManyRequests)
}

func notFound(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound) }

func only(methods string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", methods)
		refuse(w, http.StatusMethodNotAllowed)
	}
}
