package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
)

// publish returns the JWK of a public key (RFC 7518 §6, RFC 8037 §2), and its
// thumbprint: the digest of its required members in the order and form that
// RFC 7638 §3 demands.
func publish(alg string, public crypto.PublicKey) (jwk []byte, kid string) {
	required, rest := "", ""
	encode := base64.RawURLEncoding.EncodeToString
	switch key := public.(type) {
	case *rsa.PublicKey:
		required = fmt.Sprintf(`"e":"%s","kty":"RSA","n":"%s"`, encode(big.NewInt(int64(key.E)).Bytes()), encode(modulus(key)))
	case *ecdsa.PublicKey:
		// The point is 4, x and y, each of the curve's full size: RFC 7518 §6.2.1.2
		// demands leading zeros, which big.Int would drop. A key that is not on its
		// curve is refused by claims.NewKey later.
		if point, err := key.Bytes(); err == nil {
			x, y := point[1:1+len(point)/2], point[1+len(point)/2:]
			required = fmt.Sprintf(`"crv":"%s","kty":"EC","x":"%s","y":"%s"`, key.Curve.Params().Name, encode(x), encode(y))
		}
	case ed25519.PublicKey:
		required = fmt.Sprintf(`"crv":"Ed25519","kty":"OKP","x":"%s"`, encode(key))
	}
	digest := sha256.Sum256([]byte("{" + required + "}"))
	kid = encode(digest[:])
	rest = fmt.Sprintf(`,"use":"sig","alg":"%s","kid":"%s"`, alg, kid)
	return []byte("{" + required + rest + "}"), kid
}

func modulus(key *rsa.PublicKey) []byte {
	if key.N == nil { // claims.NewKey refuses it later, with the reason
		return nil
	}
	return key.N.Bytes()
}
