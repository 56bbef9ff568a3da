// Package claims reads and writes the claims of JSON Web Tokens (RFC 7519) that
// are signed in compact form (RFC 7515): typed, strictly, and tied to keys.
//
// A [Verifier] answers what a token says. It knows one issuer, its keys, the
// names by which tokens mean us, and the [Dialect] in which the issuer writes;
// [Join] combines several. An [Encoder] writes what a Verifier reads.
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
// A token is parsed once, by one parser, and what was checked is what the
// caller sees. Refused before any key is touched: tokens over 16 KiB; anything
// but three segments in canonical base64url; headers and payloads that are not
// exactly one JSON object in valid UTF-8; duplicate members at any depth;
// nesting beyond 32 levels; more than 256 members, those of inner objects
// included; the header parameters crit, b64, zip, enc and cty; a typ that is not
// the one expected (RFC 8725 §3.11); algorithms but those of [NewKey]; dates
// that are no numbers (or what else the dialect writes) between 1970 and 9999; a
// wrong iss, aud or use; a blank subject or one of more than 1024 bytes. Member
// names are compared exactly, also in App.
//
// Configurations for well-known identity providers are in examples/providers.
//
// # Keys
//
// A [Key] is bound to one algorithm and, if it has one, to an id; a [KeySet]
// belongs to one issuer. A token chooses none of them: it names a kid among the
// keys of the issuer that it must come from. What a header offers as a key
// (jwk, jku, x5c, x5u) is never looked at.
//
// Signatures are checked by golang-jwt's signing methods. Out of scope: keys
// made by broken generators (ROCA), encryption (JWE), detached and JSON
// serialisations.
package claims
