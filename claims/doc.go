// Package claims reads and writes the claims of JSON Web Tokens (RFC 7519) that
// are signed in compact form (RFC 7515): typed, strictly, and tied to keys.
// A [Verifier] answers what a token says; it knows one issuer, its keys, the names
// by which tokens mean us, and the [Dialect] in which the issuer writes.
// [Join] combines several Verifiers, and an [Encoder] writes what a Verifier reads.
//
//	verify, err := claims.NewVerifier[Account](claims.Config{
//		Issuer:   "https://id.example",
//		Audience: []string{"api"},
//		Keys:     keys,
//	})
//	c, err := verify.Verify(ctx, token)
//	switch {
//	case err == nil:                        // c.Subject, c.Party, c.App
//	case errors.Is(err, claims.ErrInvalid): // 401
//	default:                                // 503: it could not be checked
//	}
//
// # One reading
//
// A token is parsed once, by one parser. What was checked is what the caller
// sees. These are refused before any key is touched:
//
//   - tokens over 16 KiB, and anything but three segments in canonical base64url;
//   - headers and payloads that are not exactly one JSON object in valid UTF-8;
//   - duplicate members at any depth, nesting beyond 32 levels, and more than 256
//     members, those of inner objects included;
//   - the header parameters crit, b64, zip, enc and cty;
//   - a typ that is not the expected one (RFC 8725 §3.11);
//   - algorithms that [NewKey] does not take;
//   - dates that the dialect does not write so, or outside the years 1970 to 9999;
//   - a wrong iss, aud or use;
//   - a blank subject, or one of more than 1024 bytes.
//
// Member names are compared exactly, also in App.
//
// Configurations for well-known identity providers are in examples/providers.
//
// # Keys
//
// A [Key] is bound to one algorithm and, if it has one, to an id. A [KeySet]
// belongs to one issuer. A token does not choose a key: it names a kid among the
// keys of the issuer that it must come from. A key that a header offers (jwk, jku,
// x5c, x5u) is never looked at.
//
// Signatures are checked by golang-jwt's signing methods. Out of scope are keys
// made by broken generators (ROCA), encryption (JWE), and detached and JSON
// serialisations.
//
// # The files, in reading order
//
// claims.go and claims_clone.go say what a token says. config.go, verifier.go and
// verifier_trusted.go are the road of a token from its text to Claims;
// verifier_headers.go and verifier_memory.go spare work that was done before, and
// verifier_join.go chooses among issuers. app.go fills the application's part.
// dialect.go, dialect_time.go and dialect_kind.go describe the wire, encoder.go
// writes to it. key.go, key_set.go and key_pem.go are the keys. Below, in internal:
// strict reads JSON, jws takes a token apart and checks signatures, pem splits
// bundles of keys.
package claims
