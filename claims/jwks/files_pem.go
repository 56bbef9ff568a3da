package jwks

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/internal/pem"
)

// parsePEM reads a bundle. One bad block fails it. A certificate that signs certificates
// alone is passed over, as by claims.ParsePEM; one that is not valid
// now is not bad. A block that stood there before keeps its key.
func parsePEM(f file, c FilesConfig, known map[identity]*claims.Key) (entries []entry, err error) {
	blocks, err := pem.Read(f.data)
	if err != nil {
		return nil, err
	}
	if len(blocks) > c.MaxKeys {
		return nil, fmt.Errorf("%w: %d keys, more than %d", errKey, len(blocks), c.MaxKeys)
	}
	for _, block := range blocks {
		e, err := entryOf(block, c.PEMAlgorithm, known)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", block.Line, err)
		}
		if e.key == nil {
			continue // a CA's, as in claims.ParsePEM
		}
		if e.dates != nil {
			e.dates.where = fmt.Sprintf("%s: line %d", f.path, block.Line)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func entryOf(block *pem.Block, alg string, known map[identity]*claims.Key) (e entry, err error) {
	material, cert, err := block.PublicKey()
	if err != nil {
		return e, err
	}
	if cert != nil && !pem.SignsData(cert) {
		return e, nil
	}
	if alg == "" {
		alg = pem.UsualAlgorithm(material)
	}
	// A PEM key has no kid: what its block says is its identity, so that the same block
	// keeps its key and its place in verifiers' memories.
	sum := sha256.Sum256(block.DER)
	e.id = identity{alg: alg, kty: "PEM " + block.Label, n: hex.EncodeToString(sum[:])}
	if cert != nil {
		e.dates = &validity{from: cert.NotBefore, until: cert.NotAfter}
	}
	if e.key = known[e.id]; e.key == nil {
		e.key, err = claims.NewKey(alg, "", material)
	}
	return e, err
}
