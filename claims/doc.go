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
//     members (Config.MaxMembers), those of inner objects included;
//   - the header parameters crit, b64, zip, enc and cty;
//   - a typ that is not the expected one (RFC 8725 §3.11);
//   - algorithms that [NewKey] does not take;
//   - dates that the dialect does not write so, or outside the years 1970 to 9999;
//   - a wrong iss, aud or use, and a token that is to live longer than Config.MaxLife;
//   - ID tokens, refresh tokens and other kinds, where typ does not tell (see [Dialect]);
//   - a blank subject, or one of more than 1024 bytes.
//
// Member names are compared exactly, also in App.
//
// A payload's member that is null is absent, whichever it is. So null is never enough
// for iss, aud, the subject or exp where they are required. An empty array as aud names
// nobody: it is absence with Dialect.InsecureNoAudience, and otherwise refused. A date
// of 0 is the first moment of 1970: good for nbf and iat, long expired for exp. In
// headers null is refused, and so it is as cnf.
//
// Configurations for well-known identity providers are in examples/providers.
//
// # Bound tokens
//
// A token with cnf is bound to a key or a certificate ([Confirmation]). A Verifier
// reads what it is bound to, and does not check a proof: it sees no request. Guards of
// package middleware refuse such a token. A program that calls Verify without a guard
// must refuse it too, or check the proof itself.
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
// # Why a token was refused
//
// The text of an error of Verify that matches [ErrInvalid] says why, in one line that is
// always of this form. It is for logs: guards write it at level Debug, and send none of
// it.
//
//	claims: invalid token: RULE: PLACE: expected VALUE, found VALUE: FIELD
//	claims: invalid token: wrong issuer: iss: expected "https://a", found "https://a/": Config.Issuer
//
// PLACE is a member of the payload, a parameter ("header typ"), or a part of the token.
// What the token says is cut and escaped. FIELD is what to set so that such tokens are
// accepted: a field of [Config] or [Dialect], jwks.Config.Algorithms where the issuer
// has the key for another algorithm, or Claims.App. "none: WHAT" says that no
// configuration should accept it, because it is an ID token, expired, or whatever WHAT
// says.
//
// A refused token costs nothing for the text until somebody asks for it.
//
// # Several issuers
//
// [Join] makes one Verifier of many. Issuers can be added and removed while it works.
// What one issuer calls a subject, a party or a scope is its own word: compare
// Claims.Issuer too, in a guard with From.
//
// # Issuers by rule
//
// A provider with many tenants may have an issuer for each, all unknown at start, such
// as https://login.microsoftonline.com/{tenantid}/v2.0 of Microsoft Entra. There
// Config.AllowIssuer takes the place of Config.Issuer: it is asked about the iss of
// each token. Claims.Issuer then says which it was; a caller is Issuer and Subject
// together.
//
// All keys of Config.Keys then vouch for every issuer that the rule allows, but for
// keys that name theirs: see [Key.BoundTo]. Where each issuer has keys of its own, give
// a KeySet that also has this method. It is then asked in place of Keys, after the rule
// has allowed the issuer:
//
//	KeysOf(ctx context.Context, issuer string, h claims.Header) ([]*claims.Key, error)
//
// A rule that says yes to everything lets everybody in who can become a tenant of the
// provider.
//
// # The files, in reading order
//
// claims.go, claims_cnf.go and claims_clone.go say what a token says. config.go,
// verifier.go and verifier_trusted.go are the road of a token from its text to Claims;
// explain.go goes the same road and tells what it meets.
// verifier_headers.go and verifier_memory.go spare work that was done before, and
// verifier_join.go chooses among issuers. app.go fills the application's part.
// dialect.go, dialect_time.go and dialect_kind.go describe the wire, encoder.go
// writes to it. key.go, key_set.go and key_pem.go are the keys. Below, in internal:
// strict reads JSON, jws takes a token apart and checks signatures, pem splits
// bundles of keys.
package claims
