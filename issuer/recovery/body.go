package recovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"
)

// maxBody is how many bytes of a request's body are read.
const maxBody = 64 << 10

// readBody returns the members of a request's body, a JSON object of strings or a
// form, or the status that refuses it: exactly those named must be there, once and
// not empty. The URL is not looked at: it ends up in logs.
func readBody(w http.ResponseWriter, r *http.Request, names ...string) (fields map[string]string, status int) {
	parse := parseForm
	switch mediaType(r) {
	case "application/x-www-form-urlencoded":
	case "application/json":
		parse = parseJSON
	default:
		return nil, http.StatusUnsupportedMediaType
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, http.StatusRequestEntityTooLarge
	case err != nil || !utf8.Valid(text):
		return nil, http.StatusBadRequest
	}
	fields, ok := parse(text)
	if !ok || len(fields) != len(names) {
		return nil, http.StatusBadRequest
	}
	for name, value := range fields {
		if value == "" || !slices.Contains(names, name) {
			return nil, http.StatusBadRequest
		}
	}
	return fields, 0
}

func mediaType(r *http.Request) string {
	if len(r.Header.Values("Content-Type")) != 1 {
		return ""
	}
	t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return t
}

func parseForm(text []byte) (map[string]string, bool) {
	values, err := url.ParseQuery(string(text))
	fields := make(map[string]string, len(values))
	for name, all := range values {
		if len(all) != 1 || !utf8.ValidString(all[0]) {
			return nil, false
		}
		fields[name] = all[0]
	}
	return fields, err == nil
}

// parseJSON reads one object of strings. No member may be there twice:
// encoding/json would let the last one win, and whatever its case.
func parseJSON(text []byte) (map[string]string, bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	fields := make(map[string]string)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		value, err := d.Token()
		s, isString := value.(string)
		_, twice := fields[name.(string)]
		if err != nil || !isString || twice {
			return nil, false
		}
		fields[name.(string)] = s
	}
	_, closing := d.Token()
	_, end := d.Token()
	return fields, closing == nil && end == io.EOF
}
