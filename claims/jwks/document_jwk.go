package jwks

import (
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
)

// identity is everything that makes a key the same key as before.
type identity struct{ alg, kid, kty, crv, x, y, n, e string }

// jwk holds the members of a JSON Web Key that matter here. Private members are
// left out.
type jwk struct {
	identity          // alg and the rest as they are written, "" if absent
	use      string   // RFC 7517 §4.2
	ops      []string // key_ops, §4.3; nil if absent
	private  bool     // came with a private member
}

// privateMembers are those of RFC 7518 §6.2.2, §6.3.2 and §6.4, and RFC 8037 §2.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// readJWK reads one element of a set. With an error it returns what was read
// until then, for the log.
func readJWK(text []byte) (*jwk, error) {
	j := new(jwk)
	m, err := object(text, keyBounds)
	if err != nil {
		return j, err
	}
	for _, field := range []struct {
		name string
		to   *string
	}{
		{"kid", &j.kid}, {"kty", &j.kty}, {"crv", &j.crv}, {"alg", &j.alg}, {"use", &j.use},
		{"x", &j.x}, {"y", &j.y}, {"n", &j.n}, {"e", &j.e},
	} {
		if *field.to, err = m.text(field.name); err != nil {
			return j, err
		}
	}
	j.alg = jws.Canonical(j.alg)
	if j.ops, err = m.texts("key_ops"); err != nil {
		return j, err
	}
	// Their presence is noted, their values are never read.
	j.private = slices.ContainsFunc(privateMembers, func(name string) bool { return m.value(name) != nil })
	return j, nil
}

// bind checks what j is for, and returns the algorithms that it gets: its own alg. A key
// without alg gets the first of the allowed ones that fits it, or each of them if the
// operator has named them: one issuer signs RS256 and PS256 with one RSA key. Each makes a
// claims.Key of its own, bound to one algorithm (RFC 8725 §3.1).
func (j *jwk) bind(r rules) ([]string, error) {
	switch {
	case j.fitting() == nil:
		return nil, fmt.Errorf("%w: kty %s, crv %s is not supported", errKey, quoted(j.kty), quoted(j.crv))
	case j.use != "" && j.use != "sig" && !slices.Contains(r.uses, j.use):
		return nil, fmt.Errorf("%w: use is %s, not sig, and not in Config.Uses", errKey, quoted(j.use))
	case j.ops != nil && len(j.ops) == 0:
		// Some serialisers write it for an absent list. What it says is that the key is for
		// nothing, and nobody but the issuer knows which is meant.
		return nil, fmt.Errorf("%w: key_ops is empty, so it is for no operation: the issuer must leave it out or list verify (RFC 7517 §4.3)", errKey)
	case j.ops != nil && !forVerifying(j.ops):
		return nil, fmt.Errorf("%w: key_ops is not for verifying alone", errKey)
	}
	if j.alg != "" {
		if !slices.Contains(r.algorithms, j.alg) || !slices.Contains(j.fitting(), j.alg) {
			return nil, fmt.Errorf("%w: alg %s does not fit kty %s, or is not in Config.Algorithms", errKey, quoted(j.alg), j.kty)
		}
		return []string{j.alg}, nil
	}
	var bound []string
	for _, alg := range r.algorithms {
		if slices.Contains(j.fitting(), alg) && !slices.Contains(bound, alg) {
			bound = append(bound, alg)
		}
	}
	switch {
	case bound == nil:
		return nil, fmt.Errorf("%w: no allowed algorithm fits kty %s", errKey, j.kty)
	case !r.each:
		bound = bound[:1]
	}
	return bound, nil
}

// forVerifying reports whether a key with these key_ops may verify. sign is the
// counterpart of verify; RFC 7517 §4.3 advises against every other mix.
func forVerifying(ops []string) bool {
	return slices.Contains(ops, "verify") &&
		!slices.ContainsFunc(ops, func(op string) bool { return op != "verify" && op != "sign" })
}

// fitting lists the algorithms that a key of this type can have, nil if the
// type is not supported.
func (j *jwk) fitting() []string {
	switch j.kty + " " + j.crv {
	case "RSA ":
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case "EC P-256":
		return []string{"ES256"}
	case "EC P-384":
		return []string{"ES384"}
	case "EC P-521":
		return []string{"ES512"}
	case "OKP Ed25519":
		return []string{"EdDSA"}
	}
	return nil
}

// key makes the key of a bound JWK. jwkset sees its public members alone.
func (j *jwk) key() (*claims.Key, error) {
	if err := j.checkEncoding(); err != nil {
		return nil, err
	}
	// Only what makes the key is handed over: alg, use and key_ops were judged in bind,
	// by our rules.
	k, err := jwkset.NewJWKFromMarshal(jwkset.JWKMarshal{
		KTY: jwkset.KTY(j.kty), CRV: jwkset.CRV(j.crv), X: j.x, Y: j.y, N: j.n, E: j.e,
	}, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKey, err)
	}
	return claims.NewKey(j.alg, j.kid, k.Key())
}

// checkEncoding holds the members against RFC 7518 §6.2.1, §6.3.1 and RFC 8037
// §2, because jwkset takes numbers of any length and looser base64. It refuses
// what 4 bytes of exponent can say above 2^31-1, on every platform.
func (j *jwk) checkEncoding() error {
	const maxModulus = 16384/8 + 1 // a leading zero is common
	size := map[string]int{"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32}[j.crv]
	for _, m := range []struct {
		name, value string
		least, most int
		belongs     bool
	}{
		{"x", j.x, size, size, j.kty != "RSA"},
		{"y", j.y, size, size, j.kty == "EC"},
		{"n", j.n, 1, maxModulus, j.kty == "RSA"},
		{"e", j.e, 1, 4, j.kty == "RSA"},
	} {
		if !m.belongs {
			continue
		}
		// Strict decoding skips line breaks, which the length betrays.
		b, err := base64.RawURLEncoding.Strict().DecodeString(m.value)
		if err != nil || base64.RawURLEncoding.EncodedLen(len(b)) != len(m.value) {
			return fmt.Errorf("%w: %s is not base64url", errKey, m.name)
		}
		if len(b) < m.least || len(b) > m.most {
			return fmt.Errorf("%w: %s has %d bytes, not %d to %d", errKey, m.name, len(b), m.least, m.most)
		}
	}
	return nil
}
