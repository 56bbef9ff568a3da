package issuer

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
)

// readBody returns the parameters of a request's body, a form or a JSON object,
// or the status that refuses it. The URL's query is never among them: it ends
// up in logs.
func readBody(r *http.Request) (fields map[string]string, status int) {
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
	case err != nil:
		return nil, http.StatusBadRequest
	}
	if fields, err = parse(text); err != nil {
		return nil, http.StatusBadRequest
	}
	return fields, 0
}

func isJSON(r *http.Request) bool { return mediaType(r) == "application/json" }

func mediaType(r *http.Request) string {
	if len(r.Header.Values("Content-Type")) != 1 {
		return ""
	}
	t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return t
}

var (
	errRepeated = errors.New("issuer: a parameter is repeated")
	errBody     = errors.New("issuer: the body is not one JSON object")
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
		fields[name] = all[0]
	}
	return fields, nil
}

// parseJSON reads the members of one JSON object whose values are strings;
// others are of no use here and count as empty. No member may be repeated:
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
