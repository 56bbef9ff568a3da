// Package jwks follows keys that live elsewhere: a remote JWK Set (RFC 7517 §5) or
// files. Both are a [claims.KeySet] of one issuer. For several issuers, make a set
// and a verifier for each and give the verifiers to [claims.Join].
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
// # What a document may bring
//
// Every change is all or nothing: readers see the old set or the new one. A
// document is an error and changes nothing if it is too large, is not a strict JSON
// object, has no keys, or has none that can be used. Not strict are duplicate
// members, invalid UTF-8, and halves of surrogate pairs anywhere in it.
//
// The keys of a good document are judged one by one. A key that does not fit is
// skipped, with a reason in the log, and the others are used:
//
//   - kty RSA, EC on P-256, P-384 or P-521, and OKP on Ed25519 are keys; oct and
//     unknown ones never are;
//   - a key has at most 256 members, those of inner objects included, none of them
//     twice, and nests at most 32 levels deep;
//   - a member that is null is absent: serialisers write null for what is not set;
//   - use, if present, must be sig or one of Config.Uses; key_ops, if present, must hold verify, and may
//     also hold sign (RFC 7517 §4.2, §4.3). An empty key_ops is for nothing, so its
//     key is skipped, and the log says what the issuer should write;
//   - alg must be among the algorithms of the configuration and fit the key. A key
//     without alg gets each of the algorithms that the configuration names and that
//     fit it. If it names none, that is RS256, EdDSA, or the ES algorithm of its
//     curve. Ed25519 is EdDSA (RFC 9864);
//   - sizes and points are those that [claims.NewKey] takes, in the encoding
//     that RFC 7518 §6 prescribes;
//   - of a key that comes with its private half the public half is used, and the
//     log says so; x5c, x5u and all other members are never looked at;
//   - different keys with the same kid and alg are all refused, since nothing says
//     which of them is right. A repeated key counts once.
//
// Keys that broken generators made (ROCA) are not detected.
//
// # The key server
//
// Each fetch looks the server's name up again and opens a connection of its own, so
// a server that has moved, or a connection that has died without a word, costs one
// fetch at most. An answer of 429 or 503 with Retry-After (RFC 9110 §10.2.3) is
// heeded, up to 5 minutes: meanwhile known keys verify, and a token with an unknown
// kid can't be checked (503). Ages go by the wall clock or by the monotonic one,
// whichever says more, since the monotonic clock stands still while a machine is
// suspended: what is overdue after it wakes is fetched by the first request.
//
// # The files, in reading order
//
// set.go, with set_config.go, is the set that is fetched: set_flight.go decides when
// and who waits, set_fetch.go gets the document. files.go, with files_config.go, is
// the set of files: files_read.go lists and reads them, files_pem.go and
// files_validity.go are for PEM bundles and certificates. Both give what they read
// to document.go and document_jwk.go, which judge keys, and to keeper.go and
// keeper_snapshot.go, which hold the last good set. keyfunc.go adapts keyfunc.
package jwks
