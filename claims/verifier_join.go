package claims

import (
	"errors"
	"fmt"
	"maps"
)

// Join returns a Verifier for the tokens of several issuers. A token is parsed
// once; its iss chooses the one verifier that then checks everything else, with its
// own keys, audiences and dialect. A key of one issuer never vouches for another
// (RFC 8725 §3.8).
//
// Two issuers may give one sub to different people (RFC 7519 §4.1.2). Behind a
// joined verifier a caller is Issuer and Subject together.
//
// It is an error to join no verifiers, two of one issuer, or one whose dialect has
// no iss. The joined verifier remembers as many tokens as the one that remembers
// most.
func Join[T any](verifiers ...*Verifier[T]) (*Verifier[T], error) {
	var mistakes []error
	joined := &Verifier[T]{trusted: make(map[string]*trusted[T])}
	remember := -1
	for i, v := range verifiers {
		if v == nil || v.trusted == nil {
			mistakes = append(mistakes, fmt.Errorf("%w: verifier %d was not made by NewVerifier", errVerifier, i))
			continue
		}
		for issuer := range v.trusted {
			switch {
			case issuer == "":
				mistakes = append(mistakes, fmt.Errorf("%w: verifier %d knows no issuer to choose it by", errVerifier, i))
			case joined.trusted[issuer] != nil:
				mistakes = append(mistakes, fmt.Errorf("%w: two verifiers for issuer %q", errVerifier, issuer))
			}
		}
		maps.Copy(joined.trusted, v.trusted)
		for _, from := range v.trusted {
			remember = max(remember, from.Remember)
		}
		joined.maxBytes = max(joined.maxBytes, v.maxBytes)
	}
	if len(verifiers) == 0 {
		mistakes = append(mistakes, fmt.Errorf("%w: nothing to join", errVerifier))
	}
	if mistakes != nil {
		return nil, errors.Join(mistakes...)
	}
	if remember > 0 {
		joined.tokens = newTokenMemory[T](remember)
	}
	return joined, nil
}
