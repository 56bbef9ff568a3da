package claims

import (
	"fmt"
	"time"

	"github.com/gatehouse-go/gatehouse/claims/internal/pem"
)

// maxPEM bounds a PEM bundle.
const maxPEM = 1 << 20

// ParsePEM reads a bundle of public keys: PKCS#1 ("RSA PUBLIC KEY"), PKIX
// ("PUBLIC KEY") and certificates ("CERTIFICATE"; only their key and their expiry
// count). The keys have no id; alg binds them to an algorithm, or if it
// is "" the usual one of their type: RS256, EdDSA, or ES256, ES384, ES512 by
// curve. At most 1 MiB is read.
//
// A certificate whose key usage has neither digitalSignature nor nonRepudiation is
// passed over, whatever its dates: its key signs certificates, and no tokens (RFC 5280
// §4.2.1.3). So a chain file gives the key of its leaf.
//
// A certificate that has expired is refused. That is judged once: a key does not
// expire later on. A jwks.FileSet heeds the dates of its certificates as long as it
// runs.
//
// Bundles in the wild are sloppy. Text around the blocks, blocks glued together
// in one line, END lines that lack a dash, line ends that an environment variable
// writes as \n, and a SubjectPublicKeyInfo labelled "RSA PUBLIC KEY" are read, because
// they leave no doubt about what is meant. Anything else that is not RFC 7468 is an error
// that names the line. One bad block fails the bundle. Private keys are refused.
func ParsePEM(bundle []byte, alg string) ([]*Key, error) {
	if len(bundle) > maxPEM {
		return nil, fmt.Errorf("%w: larger than %d bytes", errPEM, maxPEM)
	}
	blocks, err := pem.Read(bundle)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPEM, err)
	}
	keys := make([]*Key, 0, len(blocks))
	for _, block := range blocks {
		k, err := keyOf(block, alg)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", errPEM, block.Line, err)
		}
		if k != nil {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: all certificates are for signing certificates alone (their key usage lacks digitalSignature)", errPEM)
	}
	return keys, nil
}

// keyOf parses a block into a Key, nil if it is a certificate whose key signs no tokens.
func keyOf(block *pem.Block, alg string) (*Key, error) {
	material, cert, err := block.PublicKey()
	if err != nil {
		return nil, err
	}
	if cert != nil && !pem.SignsData(cert) {
		return nil, nil
	}
	if cert != nil && time.Now().After(cert.NotAfter) {
		return nil, fmt.Errorf("the certificate expired on %s", cert.NotAfter.Format(time.DateOnly))
	}
	if alg == "" {
		alg = pem.UsualAlgorithm(material)
	}
	return NewKey(alg, "", material)
}
