package issuer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// subject returns the one form of a subject in which its sessions are kept and its
// tokens written. A subject that is a JSON object has many spellings, and a revocation
// must find the sessions by any of them.
func (i *Issuer[T]) subject(subject string) (string, error) {
	if strings.TrimSpace(subject) == "" {
		return "", errors.New("issuer: Subject is blank")
	}
	if !i.config.Dialect.ObjectSubject {
		return subject, nil
	}
	one, err := oneSpelling(subject)
	if err != nil {
		return "", fmt.Errorf("issuer: Subject is not a JSON object as the dialect writes it: %w", err)
	}
	return one, nil
}

// oneSpelling returns a JSON object without white space, the members of each object in
// the order of their names, each string as encoding/json writes it. A text that could be
// read in two ways is refused. (Package claims reads the subjects of tokens as strictly;
// neither package may import the other's reader.)
func oneSpelling(text string) (string, error) {
	if !json.Valid([]byte(text)) {
		return "", errors.New("it is not a JSON text")
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	v, err := readOnce(d)
	if err != nil {
		return "", err
	}
	if members, ok := v.(map[string]any); !ok || len(members) == 0 {
		return "", errors.New("it is not an object with members")
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err = e.Encode(v) // sorts the names
	return strings.TrimSuffix(b.String(), "\n"), err
}

// readOnce reads the next value of a text that is valid JSON.
func readOnce(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Number:
		if strings.ContainsAny(t.String(), ".eE") || t == "-0" {
			return nil, fmt.Errorf("the number %s is not an integer, written as such", t)
		}
	case string:
		if strings.ContainsRune(t, utf8.RuneError) { // what encoding/json makes of half a surrogate pair, and of invalid UTF-8
			return nil, errors.New("a string has a character that Unicode does not have")
		}
	case json.Delim:
		if t == '{' {
			return readMembers(d)
		}
		return readElements(d)
	}
	return token, nil
}

func readMembers(d *json.Decoder) (any, error) {
	members := make(map[string]any)
	for d.More() {
		name, err := readOnce(d)
		if err != nil {
			return nil, err
		}
		if _, twice := members[name.(string)]; twice {
			return nil, fmt.Errorf("the member %q is there twice", name)
		}
		if members[name.(string)], err = readOnce(d); err != nil {
			return nil, err
		}
	}
	_, err := d.Token() // the end
	return members, err
}

func readElements(d *json.Decoder) (any, error) {
	elements := []any{}
	for d.More() {
		element, err := readOnce(d)
		if err != nil {
			return nil, err
		}
		elements = append(elements, element)
	}
	_, err := d.Token() // the end
	return elements, err
}
