package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

// fields are the members of a request's body.
type fields map[string]any

// readBody reads a body that is one JSON object, or returns the status that
// refuses it. No member may be there twice, and names count by case:
// encoding/json would let the last one win, whatever its case.
func readBody(w http.ResponseWriter, r *http.Request) (fields, int) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, http.StatusRequestEntityTooLarge
	case err != nil || !utf8.Valid(text):
		return nil, http.StatusBadRequest
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, http.StatusBadRequest
	}
	all := fields{}
	for d.More() {
		token, err := d.Token()
		name, _ := token.(string)
		_, twice := all[name]
		var value any
		if err != nil || twice || d.Decode(&value) != nil {
			return nil, http.StatusBadRequest
		}
		all[name] = value
	}
	_, closing := d.Token()
	if _, end := d.Token(); closing != nil || end != io.EOF {
		return nil, http.StatusBadRequest
	}
	return all, 0
}

// text returns a member that is a string, "" if there is none.
func (f fields) text(name string) string {
	s, _ := f[name].(string)
	return s
}

// answer writes v. All that this server says is about one caller.
func answer(w http.ResponseWriter, status int, contentType string, v any) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // an error means that the client has gone
}

func ok(w http.ResponseWriter, v any) { answer(w, http.StatusOK, "application/json", v) }

// problem writes a problem document (RFC 9457), as guards and limits do.
func problem(w http.ResponseWriter, status int, detail string) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="api"`)
	}
	answer(w, status, "application/problem+json", struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail,omitempty"`
	}{"about:blank", http.StatusText(status), status, detail})
}

// wait says when to come back.
func wait(w http.ResponseWriter, d time.Duration, detail string) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
	problem(w, http.StatusTooManyRequests, detail)
}

// inOneForm answers what mux doesn't know as everything else is refused, where
// mux itself would write plain text.
func inOneForm(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		refusal := statusOnly{header: http.Header{}}
		handler.ServeHTTP(&refusal, r)
		if allow := refusal.header.Get("Allow"); allow != "" { // RFC 9110 §15.5.6: a 405 has it
			w.Header().Set("Allow", allow)
		}
		problem(w, refusal.status, "")
	})
}

// statusOnly keeps what mux would have answered, without the text.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
