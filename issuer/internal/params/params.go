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
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Max is how many bytes of a body handlers read, by http.MaxBytesReader.
const Max = 64 << 10

// Refusal is why a request makes no sense: a status, and a sentence that says
// what is expected. Nothing of the request is in it, and only what an
// error_description may have, RFC 6749 §5.2.
type Refusal struct {
	Status int
	Reason string
}

var (
	otherType  = &Refusal{http.StatusUnsupportedMediaType, "The Content-Type must be application/x-www-form-urlencoded or application/json."}
	unreadable = &Refusal{http.StatusBadRequest, "The body could not be read."}
	notText    = &Refusal{http.StatusBadRequest, "The body is not UTF-8."}
	notForm    = &Refusal{http.StatusBadRequest, "The body is not application/x-www-form-urlencoded."}
	notObject  = &Refusal{http.StatusBadRequest, "The body is not one JSON object."}
	halfPair   = &Refusal{http.StatusBadRequest, "The body has half of a surrogate pair."}
	repeated   = &Refusal{http.StatusBadRequest, "A parameter is repeated."}

	// TooLarge is for bodies of more than Max.
	TooLarge = &Refusal{http.StatusRequestEntityTooLarge, "The body is larger than 64 KiB."}
)

// Missing is for requests without a parameter that is required, and for those
// in which it is empty or not a string.
func Missing(name string) *Refusal {
	return &Refusal{http.StatusBadRequest, "The parameter " + name + ", a string, is missing."}
}

// Read returns the parameters of a request's body, a form or a JSON object, or
// why it is refused. The URL's query is never among them: it ends up in logs.
// Values of JSON that are not strings count as empty.
func Read(r *http.Request) (map[string]string, *Refusal) {
	parse := parseForm
	switch mediaType(r) {
	case "application/x-www-form-urlencoded":
	case "application/json":
		parse = parseJSON
	default:
		return nil, otherType
	}
	text, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, TooLarge
	case err != nil:
		return nil, unreadable
	case !utf8.Valid(text):
		return nil, notText
	}
	return parse(text)
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

// parseForm reads a form. No parameter may be repeated, RFC 6749 §3.2.
func parseForm(text []byte) (map[string]string, *Refusal) {
	values, err := url.ParseQuery(string(text))
	if err != nil {
		return nil, notForm
	}
	fields := make(map[string]string, len(values))
	for name, all := range values {
		if len(all) != 1 {
			return nil, repeated
		}
		if !utf8.ValidString(all[0]) {
			return nil, notText
		}
		fields[name] = all[0]
	}
	return fields, nil
}

// parseJSON reads the members of one JSON object. No member may be repeated:
// encoding/json would let the last one win, another reader the first. (Package claims
// reads tokens more strictly still; its reader is its own.)
func parseJSON(text []byte) (map[string]string, *Refusal) {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, notObject
	}
	fields := make(map[string]string)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, notObject
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, notObject
		}
		if _, twice := fields[name.(string)]; twice {
			return nil, repeated
		}
		s, _ := value.(string)
		fields[name.(string)] = s
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, notObject
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, notObject
	}
	if hasHalfPair(text) {
		return nil, halfPair
	}
	return fields, nil
}

// hasHalfPair reports whether JSON has an escaped surrogate without its other half.
// RFC 8259 §8.2 leaves open what that means. encoding/json makes U+FFFD of every one,
// so that different passwords would be equal.
func hasHalfPair(text []byte) bool {
	for {
		at := bytes.IndexByte(text, '\\') // in JSON only strings have one
		if at < 0 {
			return false
		}
		text = text[at:]
		r := escaped(text)
		switch {
		case r < 0:
			text = text[2:] // such as \n
			continue
		case utf16.IsSurrogate(r):
			if utf16.DecodeRune(r, escaped(text[6:])) == utf8.RuneError {
				return true
			}
			text = text[6:]
		}
		text = text[6:]
	}
}

// escaped returns the code unit that text, \uXXXX, begins with; -1 if it begins with
// something else.
func escaped(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(unit)
}
