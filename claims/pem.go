package claims

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// maxPEM bounds a PEM bundle.
const maxPEM = 1 << 20

// ParsePEM reads a bundle of public keys: PKCS#1 ("RSA PUBLIC KEY"), PKIX
// ("PUBLIC KEY") and certificates ("CERTIFICATE", of which only the key and the
// expiry count). The keys have no id; alg binds them to an algorithm, or if it
// is "" the usual one of their type: RS256, EdDSA, or ES256, ES384, ES512 by
// curve. At most 1 MiB is read.
//
// Bundles in the wild are sloppy. Text around the blocks, blocks glued together
// in one line and END lines that lack a dash are read, because they leave no
// doubt about what is meant. Anything else that is not RFC 7468 is an error
// that names the line. One bad block fails the bundle. Private keys are refused.
func ParsePEM(bundle []byte, alg string) ([]*Key, error) {
	if len(bundle) > maxPEM {
		return nil, fmt.Errorf("%w: larger than %d bytes", errPEM, maxPEM)
	}
	r := pemReader{rest: bundle, line: 1}
	var keys []*Key
	for {
		block, err := r.next()
		if err == nil && block == nil {
			break
		}
		if err == nil {
			var k *Key
			if k, err = block.key(alg); err == nil {
				keys = append(keys, k)
				continue
			}
			r.line = block.line
		}
		return nil, fmt.Errorf("%w: line %d: %w", errPEM, r.line, err)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: no block found", errPEM)
	}
	return keys, nil
}

type pemBlock struct {
	label string
	line  int // of its BEGIN
	der   []byte
}

// pemReader splits a bundle into blocks. rest begins in line.
type pemReader struct {
	rest []byte
	line int
}

// fewestDashes is how many dashes an END needs.
const fewestDashes = 4

var (
	pemBegin = []byte("-----BEGIN ")
	pemEnd   = []byte("-----END ")
	pemDash  = []byte("-----")
)

// skip moves n bytes on and counts lines.
func (r *pemReader) skip(n int) {
	r.line += bytes.Count(r.rest[:n], []byte("\n"))
	r.rest = r.rest[n:]
}

// next returns the next block, nil at the end.
func (r *pemReader) next() (*pemBlock, error) {
	begin, end := bytes.Index(r.rest, pemBegin), bytes.Index(r.rest, pemEnd)
	if end >= 0 && (begin < 0 || end < begin) {
		r.skip(end)
		return nil, errors.New("END without a BEGIN")
	}
	if begin < 0 {
		return nil, nil
	}
	r.skip(begin)
	block := &pemBlock{line: r.line}
	r.skip(len(pemBegin))
	label, ok := r.label(len(pemDash))
	if !ok {
		return nil, errors.New("BEGIN line without a label and five dashes")
	}
	r.skip(len(pemDash))
	block.label = label
	end = bytes.Index(r.rest, pemEnd)
	if again := bytes.Index(r.rest, pemBegin); end < 0 || again >= 0 && again < end {
		return nil, fmt.Errorf("BEGIN %s has no END", quoted(label))
	}
	body := r.rest[:end]
	if bytes.IndexByte(body, ':') >= 0 {
		return nil, fmt.Errorf("block %s has headers: encrypted and annotated blocks are not read", quoted(label))
	}
	body = bytes.Join(bytes.Fields(body), nil)
	var err error
	if block.der, err = base64.StdEncoding.Strict().DecodeString(string(body)); err != nil || len(body) == 0 {
		return nil, fmt.Errorf("block %s is not base64", quoted(label))
	}
	r.skip(end + len(pemEnd))
	if closing, ok := r.label(fewestDashes); !ok || closing != label {
		return nil, fmt.Errorf("BEGIN %s is closed by another END", quoted(label))
	}
	dashes := r.closingDashes()
	if dashes < fewestDashes {
		return nil, fmt.Errorf("END %s and the next BEGIN share dashes", quoted(label))
	}
	r.skip(dashes)
	return block, nil
}

// label reads up to the next dash and moves there, if so many dashes follow.
func (r *pemReader) label(dashes int) (string, bool) {
	dash := bytes.IndexByte(r.rest, '-')
	if dash <= 0 || bytes.ContainsAny(r.rest[:dash], "\r\n") || !bytes.HasPrefix(r.rest[dash:], pemDash[:dashes]) {
		return "", false
	}
	label := string(r.rest[:dash])
	r.skip(dash)
	return label, true
}

// closingDashes counts the dashes that belong to an END: those up to the next
// block's BEGIN, if that is glued to it.
func (r *pemReader) closingDashes() int {
	n := len(r.rest) - len(bytes.TrimLeft(r.rest, "-"))
	if bytes.HasPrefix(r.rest[n:], []byte("BEGIN ")) {
		return n - len(pemDash)
	}
	return min(n, len(pemDash))
}

// key parses the block into a Key.
func (b *pemBlock) key(alg string) (*Key, error) {
	material, err := b.material()
	if err != nil {
		return nil, err
	}
	if alg == "" {
		alg = usualAlgorithm(material)
	}
	return NewKey(alg, "", material)
}

func (b *pemBlock) material() (any, error) {
	switch b.label {
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(b.der)
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(b.der)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(b.der)
		if err != nil {
			return nil, err
		}
		if time.Now().After(cert.NotAfter) {
			return nil, fmt.Errorf("the certificate expired on %s", cert.NotAfter.Format(time.DateOnly))
		}
		return cert.PublicKey, nil
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
		return nil, fmt.Errorf("block %s: a verifier must not hold private keys: give it the public half", quoted(b.label))
	}
	return nil, fmt.Errorf("block %s is not a public key", quoted(b.label))
}

// usualAlgorithm returns the algorithm that a key is used with if nothing else
// is said, "" if there is none.
func usualAlgorithm(material any) string {
	switch key := material.(type) {
	case *rsa.PublicKey:
		return "RS256"
	case ed25519.PublicKey:
		return "EdDSA"
	case *ecdsa.PublicKey:
		return map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[key.Curve.Params().Name]
	}
	return ""
}
