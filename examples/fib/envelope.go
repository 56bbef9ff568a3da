package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// envelope is what every answer is in. Its code is the HTTP status.
type envelope struct {
	Status struct {
		Code    int    `json:"code"`
		Name    string `json:"name"`
		Message string `json:"message,omitempty"`
	} `json:"status"`
	Data any `json:"data"`
}

// answer writes an envelope. All that this server says is about one caller.
func answer(w http.ResponseWriter, status int, message string, data any) {
	var e envelope
	e.Status.Code, e.Status.Name, e.Status.Message, e.Data = status, http.StatusText(status), message, data
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(e) // an error means that the client has gone
}

func refuse(w http.ResponseWriter, status int, message string) {
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="api", error="invalid_token"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	answer(w, status, message, struct{}{})
}

// deny writes the refusals of guards, whose headers are set.
func deny(w http.ResponseWriter, _ *http.Request, err error) {
	answer(w, middleware.Status(err), "", struct{}{})
}

// limited writes the refusals of limits.
func limited(w http.ResponseWriter, _ *http.Request, _ ratelimit.Decision, err error) {
	status := http.StatusTooManyRequests
	if err != nil {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, "", struct{}{})
}

func notFound(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "") }

func only(methods string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", methods)
		refuse(w, http.StatusMethodNotAllowed, "")
	}
}

// tokens is the data of an answer with a pair.
type tokens struct {
	Access  string `json:"accessToken"`
	Refresh string `json:"refreshToken"`
	Seconds int64  `json:"expirationTime"` // to live
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
