package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
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
