// Package jws reads JSON Web Signatures in compact form (RFC 7515) strictly, and
// has the keys that check them. It knows nothing of claims: package claims is built
// on it.
package jws

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// The reasons for which a token is refused before any key is touched.
var (
	ErrTooLarge  = errors.New("larger than allowed")
	ErrSegments  = errors.New("not three dot-separated segments")
	ErrBase64    = errors.New("segment is not canonical base64url")
	ErrHeader    = errors.New("unacceptable header parameter")
	ErrAlgorithm = errors.New("unacceptable algorithm")
	ErrKeyID     = errors.New("unacceptable kid")
	ErrType      = errors.New("wrong typ")
)

// Bounds are those of a header, and of the payloads that package claims reads.
var Bounds = strict.Bounds{Depth: 32, Members: 256}

// MaxKeyID bounds the length of a kid in bytes, in keys and in headers.
const MaxKeyID = 256

// Header is what a JOSE header says that matters here.
type Header struct {
	Algorithm string // alg, by its canonical name; one of those that NewKey takes
	KeyID     string // kid; "" if absent
	Type      string // typ
	HasType   bool
}

// Split takes a token apart (RFC 7515 §7.1) without decoding anything. The payload
// may be empty.
func Split(token string, most int) (head, payload, signature string, err error) {
	if len(token) > most {
		return "", "", "", TooLong(len(token), most)
	}
	// An unsigned token (RFC 7515 §6) ends with a dot: it has no signature and is
	// refused below.
	first, last := strings.IndexByte(token, '.'), strings.LastIndexByte(token, '.')
	if first == last || strings.IndexByte(token[first+1:], '.') != last-first-1 {
		return "", "", "", segments(strings.Count(token, ".") + 1)
	}
	head, payload, signature = token[:first], token[first+1:last], token[last+1:]
	switch {
	case head == "":
		return "", "", "", &Refusal{ErrSegments, "token", threeSegments, Words("an empty header"), "none: malformed"}
	case signature == "":
		return "", "", "", &Refusal{ErrSegments, "token", threeSegments, Words("no signature"), "none: unsigned"}
	}
	return head, payload, signature, nil
}

const threeSegments = Words("header, payload and signature with dots between them")

// segments is the refusal of a token of another count of segments than three.
func segments(n int) error {
	what := "none: not a JWT"
	if n == 5 {
		what = "none: encrypted token" // RFC 7516 §7.1
	}
	return &Refusal{ErrSegments, "token", threeSegments, Amount{n, "segments"}, what}
}

// TooLong is the refusal of a token of n bytes.
func TooLong(n, most int) error {
	return &Refusal{ErrTooLarge, "token", Amount{most, "bytes at most"}, Amount{n, "bytes"}, "Config.MaxBytes"}
}

// Decode reads base64url without padding (RFC 7515 §2), into room if that is large
// enough. Each value has one spelling, so that nobody can make a second token of one
// that was seen before.
func Decode(segment string, room []byte) ([]byte, error) {
	if most := strictBase64.DecodedLen(len(segment)); len(room) < most {
		room = make([]byte, most)
	}
	// Strict refuses stray bits, but not line breaks, which encoding/base64 skips: the
	// length betrays them.
	n, err := strictBase64.Decode(room, []byte(segment))
	if err != nil || strictBase64.EncodedLen(n) != len(segment) {
		return nil, ErrBase64
	}
	return room[:n], nil
}

var strictBase64 = base64.RawURLEncoding.Strict()

// ReadHeader reads a header segment. Parameters of RFC 7515 and RFC 7516 that would
// change how the rest is read are refused. All others are not looked at, those
// included that offer a key (jwk, jku, x5c, x5u): a token does not choose its key.
func ReadHeader(segment string) (*Header, error) {
	text, err := Decode(segment, nil)
	if err != nil {
		return nil, Malformed("header", err)
	}
	var few [8]strict.Member
	members, err := strict.Object(text, Bounds, few[:0])
	if err != nil {
		return nil, Malformed("header", err)
	}
	h := new(Header)
	for _, m := range members {
		if err := h.fill(m); err != nil {
			return nil, err
		}
	}
	if h.Algorithm == "" {
		return nil, badAlgorithm(nil)
	}
	return h, nil
}

// fill reads one parameter. Names are compared exactly: "ALG" says nothing.
func (h *Header) fill(m strict.Member) error {
	var ok bool
	switch string(m.Name) {
	case "alg":
		alg, _ := strict.Text(m.Value)
		h.Algorithm = Canonical(alg)
		if _, ok = algorithms[h.Algorithm]; !ok {
			return badAlgorithm(m.Value)
		}
	case "kid":
		if h.KeyID, ok = strict.Text(m.Value); !ok || h.KeyID == "" || len(h.KeyID) > MaxKeyID {
			return &Refusal{ErrKeyID, "header kid", Words("a string of 1 to 256 bytes"), m.Value, "none: malformed"}
		}
	case "typ":
		if h.Type, ok = strict.Text(m.Value); !ok {
			return &Refusal{ErrType, "header typ", Words("a string"), m.Value, "none: malformed"}
		}
		h.HasType = true
	case "crit", "b64", "zip", "enc", "cty":
		// crit: no extension is understood (RFC 7515 §4.1.11). b64: forbidden in a
		// JWT (RFC 7797 §7). zip, enc: encryption. cty: a nested JWT (RFC 7519 §5.2).
		what := "none: malformed"
		switch string(m.Name) {
		case "enc", "zip":
			what = "none: encrypted token"
		case "cty":
			what = "none: nested token"
		}
		return &Refusal{ErrHeader, "header " + string(m.Name), Words("no such parameter"), m.Value, what}
	}
	return nil
}

// badAlgorithm is the refusal of an alg, nil if it is absent.
func badAlgorithm(raw []byte) error {
	no := &Refusal{ErrAlgorithm, "header alg", Words("an algorithm of claims.NewKey"), nil, "none: malformed"}
	if raw != nil {
		no.Found = raw
	}
	// RFC 8725 §3.2.
	if alg, _ := strict.Text(raw); strings.EqualFold(alg, "none") {
		no.Field = "none: unsigned"
	}
	return no
}
