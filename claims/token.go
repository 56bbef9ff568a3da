package claims

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// unverified is a token that was read and not believed yet.
type unverified struct {
	header  *header
	encoded string // the header's segment
	signed  string // header and payload segments: what the signature is over
	sig     []byte // the signature
}

// header is what a JOSE header says that matters here.
type header struct {
	Header
	typ    string
	hasTyp bool
}

// split takes a token apart (RFC 7515 §7.1) without decoding anything. A payload
// may be empty there; it is no JSON object then.
func split(token string, most int) (head, payload, signature string, err error) {
	if len(token) > most {
		return "", "", "", fmt.Errorf("%w: %d bytes", errTooLarge, len(token))
	}
	first, last := strings.IndexByte(token, '.'), strings.LastIndexByte(token, '.')
	if first == last || strings.IndexByte(token[first+1:], '.') != last-first-1 {
		return "", "", "", errSegments
	}
	head, payload, signature = token[:first], token[first+1:last], token[last+1:]
	if head == "" || signature == "" {
		return "", "", "", errSegments
	}
	return head, payload, signature, nil
}

// decodeSegment reads base64url without padding (RFC 7515 §2). Each value has
// one spelling: stray bits are refused, and so are the line breaks that
// encoding/base64 skips, which the length betrays. It goes into room, if that is
// large enough.
func decodeSegment(segment string, room []byte) ([]byte, error) {
	if most := strictBase64.DecodedLen(len(segment)); len(room) < most {
		room = make([]byte, most)
	}
	n, err := strictBase64.Decode(room, []byte(segment))
	if err != nil || strictBase64.EncodedLen(n) != len(segment) {
		return nil, errBase64
	}
	return room[:n], nil
}

var strictBase64 = base64.RawURLEncoding.Strict()

// readHeader reads a header segment. Of the parameters that RFC 7515 and RFC
// 7516 register, the ones that would change how the rest is read are refused;
// those that offer a key (jwk, jku, x5c, x5u) are not looked at, like all
// others: a token does not choose its key.
func readHeader(segment string) (*header, error) {
	text, err := decodeSegment(segment, nil)
	if err != nil {
		return nil, err
	}
	var few [8]member
	members, err := readObject(text, few[:0])
	if err != nil {
		return nil, err
	}
	h := new(header)
	for _, m := range members {
		if err := h.take(m); err != nil {
			return nil, err
		}
	}
	if h.Algorithm == "" {
		return nil, fmt.Errorf("%w: alg is missing", errAlgorithm)
	}
	return h, nil
}

func (h *header) take(m member) error {
	var ok bool
	switch string(m.name) {
	case "alg":
		h.Algorithm, _ = stringValue(m.value)
		if _, ok = algorithms[h.Algorithm]; !ok {
			return fmt.Errorf("%w %s", errAlgorithm, quoted(string(m.value)))
		}
	case "kid":
		if h.KeyID, ok = stringValue(m.value); !ok || h.KeyID == "" || len(h.KeyID) > maxKeyID {
			return fmt.Errorf("%w %s", errKeyID, quoted(string(m.value)))
		}
	case "typ":
		if h.typ, ok = stringValue(m.value); !ok {
			return fmt.Errorf("%w %s", errType, quoted(string(m.value)))
		}
		h.hasTyp = true
	case "crit", "b64", "zip", "enc", "cty":
		// crit: no extension is understood (RFC 7515 §4.1.11). b64: forbidden in a
		// JWT (RFC 7797 §7). zip, enc: encryption. cty: a nested JWT (RFC 7519 §5.2).
		return fmt.Errorf("%w %s", errHeader, m.name)
	}
	return nil
}
