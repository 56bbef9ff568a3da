// Package jwks follows keys that live elsewhere: a remote JWK Set (RFC 7517 §5)
// or files. Both are a [claims.KeySet] of one issuer.
//
//	keys, err := jwks.New(jwks.Config{Issuer: "https://id.example"})
//	...
//	defer keys.Close()
//	verify, err := claims.NewVerifier[Account](claims.Config{
//		Issuer:   "https://id.example",
//		Audience: []string{"api"},
//		Keys:     keys,
//	})
//
// A set belongs to one issuer. For several, make a set and a verifier for each
// and give the verifiers to [claims.Join].
//
// # What a document may bring
//
// Every change is all or nothing: readers see the old set or the new one. A
// document that is too large, no strict JSON object, without keys, or without
// one usable key is an error and changes nothing. The keys of a good document
// are judged one by one; one that does not fit is skipped, with a reason in the
// log, and the others are used:
//
//   - kty RSA, EC on P-256, P-384 or P-521, and OKP on Ed25519 are keys; oct and
//     unknown ones never are;
//   - use, if present, must be sig; key_ops must hold verify, and nothing but
//     verify and sign (RFC 7517 §4.2, §4.3);
//   - alg must be among the algorithms of the configuration and fit the key. A
//     key without alg is bound to the first of them that fits it, by default
//     RS256, EdDSA, or the ES algorithm of its curve;
//   - sizes and points are those that [claims.NewKey] takes, in the encoding
//     that RFC 7518 §6 prescribes;
//   - of a key that comes with its private half the public half is used, and the
//     log says so; x5c, x5u and all other members are never looked at;
//   - different keys with the same kid and alg are all refused, for none of them
//     is more right than the others. A repeated key counts once.
//
// Keys that broken generators made (ROCA) are not detected.
package jwks
