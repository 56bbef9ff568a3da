package claims

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// Confirmation is what a token is bound to, its member cnf (RFC 7800 §3.1). The
// zero Confirmation is that of a bearer token. Any other says: who presents this
// token must prove to have the key, or it opens nothing.
//
// Where both Key and Certificate are set, both must be proven. Other members of cnf
// count only if there is neither (RFC 7800 §3.1 has them ignored): then the token is
// bound to something that is not understood here, and Unknown is set.
type Confirmation struct {
	// Key is jkt (RFC 9449 §6.1), which DPoP proves: the SHA-256 thumbprint of a JWK
	// (RFC 7638), in base64url.
	Key string
	// Certificate is x5t#S256 (RFC 8705 §3.1), which mutual TLS proves: the SHA-256 of
	// a certificate in DER, in base64url.
	Certificate string
	// Unknown says that cnf names neither. Nothing proves such a token, and an
	// [Encoder] writes none.
	Unknown bool
}

// readConfirmation reads cnf. A thumbprint that is not one is the issuer's mistake,
// and such a token is refused: it could never be proven.
func readConfirmation(raw []byte) (c Confirmation, err error) {
	if raw[0] != '{' {
		return c, refuse(errMemberType, "cnf", words("an object"), kindOf(raw), noneMalformed)
	}
	var few [4]strict.Member
	members, err := strict.Object(raw, jws.Bounds, few[:0])
	if err != nil {
		return c, jws.Malformed("cnf", err)
	}
	for _, m := range members {
		var field *string
		switch string(m.Name) {
		case "jkt":
			field = &c.Key
		case "x5t#S256":
			field = &c.Certificate
		default:
			continue
		}
		var ok bool
		if *field, ok = strict.Text(m.Value); !ok || !isThumbprint(*field) {
			return Confirmation{}, refuse(errMemberType, "cnf", words("thumbprints: each a SHA-256 in base64url"), words("something else"), noneMalformed)
		}
	}
	c.Unknown = c.Key == "" && c.Certificate == ""
	return c, nil
}

// isThumbprint reports whether s is a SHA-256 in its one spelling.
func isThumbprint(s string) bool {
	if len(s) != base64.RawURLEncoding.EncodedLen(32) {
		return false
	}
	b, err := jws.Decode(s, nil)
	return err == nil && len(b) == 32
}

// confirmation appends cnf, if there is any.
func (p *place) confirmation(b []byte, c Confirmation) ([]byte, error) {
	if c == (Confirmation{}) {
		return b, nil
	}
	if c.Unknown {
		return nil, errors.New("cnf that is not understood can't be written")
	}
	start := len(b)
	b = append(b, p.text...)
	for _, one := range []struct{ name, value string }{{"jkt", c.Key}, {"x5t#S256", c.Certificate}} {
		if one.value == "" {
			continue
		}
		if !isThumbprint(one.value) {
			return nil, fmt.Errorf("cnf: %s %s is not a SHA-256 in base64url", one.name, quoted(one.value))
		}
		b = appendQuoted(appendName(b, one.name), one.value)
	}
	b[start+len(p.text)] = '{' // in place of the first comma
	return append(b, '}'), nil
}
