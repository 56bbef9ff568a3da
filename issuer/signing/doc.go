// Package signing holds the keys that sign tokens, and says which of them signs
// when. A [Schedule] is a set of keys, each with a time from which it signs.
// Everything else follows from the keys and the time, so machines that have the
// same keys agree without talking.
//
//	key, err := signing.NewKey("EdDSA", private, time.Time{})
//	keys, err := signing.NewSchedule(key)
//	token, err := keys.Sign(ctx, func(h claims.Header) (string, error) {
//		return encode.Encode(h, &c) // a claims.Encoder
//	})
//	http.Handle("GET /jwks.json", keys.JWKS(signing.Window{Lead: 24 * time.Hour, Hold: life}))
//
// Package issuer signs the tokens of sessions with a schedule. This package knows
// no sessions.
//
// # The life of a key
//
// A key is offered to verifiers some time before it signs: [Window].Lead. It signs
// from its time until the next key's time. It is offered on until the last token
// that it signed has expired: Window.Hold. After that it costs nothing to keep it
// in the schedule.
//
// # Tokens that are not a session
//
// [Schedule.Sign] signs what a claims.Encoder writes: a token for a call between
// services, or for a link that confirms an address. Laws for those who mint such
// tokens:
//
//   - Each kind has an audience of its own, or a type of its own
//     (claims.Dialect.AccessType), so that no kind is accepted in place of another
//     (RFC 8725 §3.12). Access tokens of the API are one kind.
//   - The Hold of the window is at least as long as the longest token is valid,
//     plus how far clocks may be off.
//   - A token may be used until it expires, any number of times. It can't be
//     revoked. What may be used once needs a store: package recovery.
//
// # When a key has leaked
//
// Put a schedule without it in place: [Schedule.Replace], or remove its file. Its
// tokens stop verifying here at once, and elsewhere when verifiers fetch the keys
// again. Give it a successor that signs from now, or the key before it signs
// again.
//
// # The files, in reading order
//
// key.go has what a key is, key_sign.go how it makes a signature, key_jwk.go how
// its public half is published. schedule.go has the keys in their order, sign.go
// signs with them, window.go offers them to verifiers, jwks.go serves them.
// schedule_dir.go reads a schedule from a directory; schedule_dir_unix.go and
// schedule_dir_other.go judge who else may read or write there.
package signing
