package claims_test

// This table says, for the attacks on tokens, claims and keys that have no
// subtest in this package, where they are met.
var _ = map[string]string{
	"JW-37": "PSS salt lengths: attacks_jws_test.go, and with all of Wycheproof in claims/vectortest",
	"JW-38": "modified PKCS#1 paddings: claims/vectortest, Wycheproof",
	"JW-45": "all of Wycheproof's JWS vectors: claims/vectortest",
	"JW-46": "differential test against jwx and go-jose: claims/vectortest",
	"CL-33": "deny lists are the guard's: a Require in middleware; sessions in issuer",
	"CL-38": "documents of RFC 8259, good and bad: claims/internal/strict, which reads them",
	"CL-37": "tink's validation vectors: tink_test.go",
	"KY-01": "remote sets: claims/jwks",
	"KY-02": "remote sets: claims/jwks",
	"KY-03": "remote sets: claims/jwks",
	"KY-04": "remote sets: claims/jwks",
	"KY-05": "remote sets: claims/jwks",
	"KY-06": "remote sets: claims/jwks",
	"KY-07": "remote sets: claims/jwks; that a key no longer offered verifies nothing is KY-27 here",
	"KY-08": "remote sets: claims/jwks",
	"KY-10": "remote sets: claims/jwks",
	"KY-12": "remote sets: claims/jwks",
	"KY-13": "remote sets: claims/jwks: use and key_ops are members of a JWK",
	"KY-14": "remote sets: claims/jwks: use and key_ops are members of a JWK",
	"KY-21": "remote sets: claims/jwks",
	"KY-22": "remote sets: claims/jwks",
	"KY-24": "signing schedules: issuer",
	"KY-28": "remote sets: claims/jwks",
	"KY-30": "signing keys: issuer",
	"KY-31": "out of scope: a public key from a broken generator verifies like any other; the package documentation says so",
	"KY-32": "remote sets: claims/jwks",
}
