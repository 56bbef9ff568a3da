package issuer

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/gatehouse-go/gatehouse/issuer/internal/params"
)

// ReadBody returns the parameters of a request: its body is a form or one JSON
// object. It is for functions such as that of [Issuer.LoginHandler]. What is missing
// is "", and so is a JSON value that is not a string. The URL is not looked at, since
// it ends up in logs.
//
// An error matches [ErrRefused], so that a login answers it as it answers wrong
// credentials. It also matches *[http.MaxBytesError] if the body is larger than 64 KiB.
//
// # What is refused
//
// There is one way to read a body, or it is refused: parameters other than names, and
// those that are there twice (names are compared byte by byte); another Content-Type
// than application/x-www-form-urlencoded and application/json, or two of them; a form
// that is badly encoded, text around the JSON object, bytes that are not UTF-8, and
// half a surrogate pair such as "\ud83d", which two readers would replace by different
// characters.
//
// # Who reads first
//
// A body is read once. A middleware that reads it earlier must bound what it reads
// ([http.MaxBytesReader]) and put it back.
func ReadBody(r *http.Request, names ...string) (map[string]string, error) {
	// Within a handler of ours this bounds what is bounded already.
	r.Body = http.MaxBytesReader(nil, r.Body, params.Max)
	fields, refused := params.Read(r)
	switch refused {
	case nil:
	case params.TooLarge:
		return nil, fmt.Errorf("%w: %w", ErrRefused, &http.MaxBytesError{Limit: params.Max})
	default:
		return nil, fmt.Errorf("%w: %s", ErrRefused, refused.Reason)
	}
	for name := range fields {
		if !slices.Contains(names, name) { // a stranger chose it, so the error has no name
			return nil, fmt.Errorf("%w: the body has a parameter that is not expected", ErrRefused)
		}
	}
	return fields, nil
}
