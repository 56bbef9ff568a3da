package main

import (
	"encoding/json"
	"net/http"

	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
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

// failure is the body of an error.
type failure struct {
	Code    int      `json:"code"` // the status, or of another kind
	Message string   `json:"message"`
	Errors  []string `json:"errors,omitempty"`
}

func refuse(w http.ResponseWriter, status int) {
	f := failure{Code: status, Message: http.StatusText(status)}
	switch status {
	case http.StatusBadRequest:
		f.Message = "Invalid request"
	case http.StatusUnauthorized:
		f.Message = "Not Authorized"
		if w.Header().Get("WWW-Authenticate") == "" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="api"`)
		}
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	answer(w, status, f)
}

// invalid says what is wrong with a body.
func invalid(w http.ResponseWriter, errors ...string) {
	answer(w, http.StatusBadRequest, failure{http.StatusBadRequest, "Invalid request", errors})
}

func locked(w http.ResponseWriter) {
	answer(w, http.StatusForbidden, failure{Code: 2403, Message: "Account locked"})
}

// deny writes the refusals of guards, whose headers are set.
func deny(w http.ResponseWriter, _ *http.Request, err error) { refuse(w, middleware.Status(err)) }

// limited writes the refusals of limits, whose headers are set.
func limited(w http.ResponseWriter, _ *http.Request, _ ratelimit.Decision, err error) {
	if err != nil {
		refuse(w, http.StatusServiceUnavailable)
		return
	}
	answer(w, http.StatusTooManyRequests, struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}{"RateLimit", "Too many requests, try again later."})
}

func notFound(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound) }
