// Package params reads the parameters of requests that carry secrets.
package params

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"unicode/utf8"
)

// Max is how many bytes of a body handlers read, by http.MaxBytesReader.
const Max = 64 << 10

// Read returns the parameters of a request's body, a form or a JSON object, or
// the status that refuses it. The URL's query is never among them: it ends up
// in logs. Values of JSON that are no strings count as empty.
func Read(r *http.Request) (fields map[string]string, status int) {
	parse := parseForm
	switch mediaType(r) {
	case "application/x-www-form-urlencoded":
	case "application/json":
		parse = parseJSON
	default:
		return nil, http.StatusUnsupportedMediaType
	}
	text, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, http.StatusRequestEntityTooLarge
	case err != nil || !utf8.Valid(text):
		return nil, http.StatusBadRequest
	}
	if fields, err = parse(text); err != nil {
		return nil, http.StatusBadRequest
	}
	return fields, 0
}

// IsJSON reports whether the body is said to be JSON.
func IsJSON(r *http.Request) bool { return mediaType(r) == "application/json" }

func mediaType(r *http.Request) string {
	if len(r.Header.Values("Content-Type")) != 1 {
		return ""
	}
	t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return t
}

var (
	errRepeated = errors.New("params: a parameter is repeated")
	errBody     = errors.New("params: it is not one JSON object")
)

// parseForm reads a form. No parameter may be repeated, RFC 6749 §3.2.
func parseForm(text []byte) (map[string]string, error) {
	values, err := url.ParseQuery(string(text))
	if err != nil {
		return nil, err
	}
	fields := make(map[string]string, len(values))
	for name, all := range values {
		if len(all) != 1 {
			return nil, errRepeated
		}
		if !utf8.ValidString(all[0]) {
			return nil, errBody
		}
		fields[name] = all[0]
	}
	return fields, nil
}

// parseJSON reads the members of one JSON object. No member may be repeated:
// encoding/json would let the last one win, another reader the first.
func parseJSON(text []byte) (map[string]string, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errBody
	}
	fields := make(map[string]string)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errBody
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, errBody
		}
		if _, twice := fields[name.(string)]; twice {
			return nil, errRepeated
		}
		s, _ := value.(string)
		fields[name.(string)] = s
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, errBody
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errBody
	}
	return fields, nil
}
