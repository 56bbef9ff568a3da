// Package pem reads bundles of public keys. It is the one reader of
// claims.ParsePEM, which takes keys for good, and of jwks.FileSet, which heeds
// the dates of certificates for as long as it holds them.
package pem

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
)

// Block is one block of a bundle.
type Block struct {
	Label string
	Line  int // of its BEGIN
	DER   []byte
}

// Read splits a bundle into its blocks. What it forgives is what claims.ParsePEM
// says. An error names the line.
func Read(bundle []byte) ([]*Block, error) {
	// From environment variables line ends come as the two characters \n. A backslash
	// can be nothing else here: base64 and the labels have none.
	bundle = bytes.ReplaceAll(bundle, []byte(`\r\n`), []byte("\n"))
	bundle = bytes.ReplaceAll(bundle, []byte(`\n`), []byte("\n"))
	r := reader{rest: bundle, line: 1}
	var blocks []*Block
	for {
		block, err := r.next()
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", r.line, err)
		}
		if block == nil {
			break
		}
		blocks = append(blocks, block)
	}
	if len(blocks) == 0 {
		return nil, errors.New("no block found")
	}
	return blocks, nil
}

// PublicKey returns the key, and the certificate that it came in if it did. The
// certificate is parsed and no more: whether its dates count is for the caller.
func (b *Block) PublicKey() (key any, cert *x509.Certificate, err error) {
	switch b.Label {
	case "RSA PUBLIC KEY":
		if key, err = x509.ParsePKCS1PublicKey(b.DER); err != nil {
			// Perl's CryptX puts a SubjectPublicKeyInfo under this label. The two forms
			// can't be mistaken for each other.
			if spki, other := x509.ParsePKIXPublicKey(b.DER); other == nil {
				if public, ok := spki.(*rsa.PublicKey); ok {
					key, err = public, nil
				}
			}
		}
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(b.DER)
	case "CERTIFICATE":
		if cert, err = x509.ParseCertificate(b.DER); err == nil {
			key = cert.PublicKey
		}
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
		err = fmt.Errorf("block %+.64q: a verifier must not hold private keys: give it the public half (openssl pkey -in FILE -pubout)", b.Label)
	case "EC PARAMETERS":
		err = fmt.Errorf("block %+.64q is not a key: leave it out, and name the curve in the key (openssl ec -in FILE -param_enc named_curve)", b.Label)
	default:
		err = fmt.Errorf("block %+.64q is not a public key", b.Label)
	}
	if err != nil {
		return nil, nil, b.hint(err)
	}
	return key, cert, nil
}

// The object ids by which keys are known that crypto/x509 does not read.
var (
	oidRSAPSS     = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a} // RFC 4055 §3.1
	oidPrimeField = []byte{0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x01, 0x01}             // RFC 3279 §2.3.5, in explicit parameters
)

// hint adds the way out to why a key can't be read, where it is known.
func (b *Block) hint(err error) error {
	switch {
	case b.Label != "PUBLIC KEY":
		return err
	case bytes.Contains(b.DER, oidRSAPSS):
		return fmt.Errorf("%w: it is an RSA-PSS key; for PS256 use a plain RSA key (openssl genpkey -algorithm RSA)", err)
	case bytes.Contains(b.DER, oidPrimeField):
		return fmt.Errorf("%w: it spells its curve out; name the curve (openssl ec -param_enc named_curve)", err)
	}
	return err
}

// SignsData reports whether a certificate's key may sign anything but certificates. A key
// whose usage is given and has neither bit is a CA's: it signs no token (RFC 5280
// §4.2.1.3). A chain file has one behind its leaf.
func SignsData(cert *x509.Certificate) bool {
	return cert.KeyUsage == 0 || cert.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) != 0
}

// UsualAlgorithm returns the algorithm that a key is used with if nothing else
// is said, "" if there is none.
func UsualAlgorithm(key any) string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return "RS256"
	case ed25519.PublicKey:
		return "EdDSA"
	case *ecdsa.PublicKey:
		return map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[key.Curve.Params().Name]
	}
	return ""
}

// reader splits a bundle into blocks. rest begins in line.
type reader struct {
	rest []byte
	line int
}

// fewestDashes is how many dashes an END needs.
const fewestDashes = 4

var (
	beginMark = []byte("-----BEGIN ")
	endMark   = []byte("-----END ")
	dashMark  = []byte("-----")
)

// skip moves n bytes on and counts lines.
func (r *reader) skip(n int) {
	r.line += bytes.Count(r.rest[:n], []byte("\n"))
	r.rest = r.rest[n:]
}

// next returns the next block, nil at the end.
func (r *reader) next() (*Block, error) {
	begin, end := bytes.Index(r.rest, beginMark), bytes.Index(r.rest, endMark)
	// Text around blocks is fine, but an END alone says that a BEGIN was lost, and a key
	// with it.
	if end >= 0 && (begin < 0 || end < begin) {
		r.skip(end)
		return nil, errors.New("END without a BEGIN")
	}
	if begin < 0 {
		return nil, nil
	}
	r.skip(begin)
	block := &Block{Line: r.line}
	r.skip(len(beginMark))
	label, ok := r.label(len(dashMark))
	if !ok {
		return nil, errors.New("BEGIN line without a label and five dashes")
	}
	r.skip(len(dashMark))
	block.Label = label
	// Without this, two halves of different blocks could be read as one.
	end = bytes.Index(r.rest, endMark)
	if again := bytes.Index(r.rest, beginMark); end < 0 || again >= 0 && again < end {
		return nil, fmt.Errorf("BEGIN %+.64q has no END", label)
	}
	body := r.rest[:end]
	if bytes.IndexByte(body, ':') >= 0 {
		return nil, fmt.Errorf("block %+.64q has headers: encrypted and annotated blocks are not read", label)
	}
	// Line breaks fall anywhere in the wild, and none of them can mean another key.
	body = bytes.Join(bytes.Fields(body), nil)
	var err error
	if block.DER, err = base64.StdEncoding.Strict().DecodeString(string(body)); err != nil || len(body) == 0 {
		return nil, fmt.Errorf("block %+.64q is not base64", label)
	}
	r.skip(end + len(endMark))
	if other, ok := r.label(fewestDashes); !ok || other != label {
		return nil, fmt.Errorf("BEGIN %+.64q is closed by another END", label)
	}
	dashes := r.closingDashes()
	if dashes < fewestDashes {
		return nil, fmt.Errorf("END %+.64q and the next BEGIN share dashes", label)
	}
	r.skip(dashes)
	return block, nil
}

// label reads up to the next dash and moves there, if so many dashes follow.
func (r *reader) label(dashes int) (string, bool) {
	dash := bytes.IndexByte(r.rest, '-')
	if dash <= 0 || bytes.ContainsAny(r.rest[:dash], "\r\n") || !bytes.HasPrefix(r.rest[dash:], dashMark[:dashes]) {
		return "", false
	}
	label := string(r.rest[:dash])
	r.skip(dash)
	return label, true
}

// closingDashes counts the dashes that belong to an END: those up to the next
// block's BEGIN, if that is glued to it.
func (r *reader) closingDashes() int {
	n := len(r.rest) - len(bytes.TrimLeft(r.rest, "-"))
	if bytes.HasPrefix(r.rest[n:], []byte("BEGIN ")) {
		return n - len(dashMark)
	}
	return min(n, len(dashMark))
}
