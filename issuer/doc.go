// Package issuer decides who gets a pass, how it is renewed, and how it ends:
// pairs of an access token and a refresh token (RFC 6749 §1.4, §1.5) over
// sessions that a [Store] keeps, signed by keys on a [Schedule].
//
//	keys, err := signing.NewSchedule(key)
//	tokens, err := issuer.New[Account](issuer.Config[Account]{
//		Issuer:   "https://id.example",
//		Audience: []string{"api"},
//		Keys:     keys,
//		Store:    issuer.NewMemoryStore(),
//	})
//	pair, err := tokens.Issue(ctx, claims.Claims[Account]{Subject: "alice", Party: Admin})
//	pair, err = tokens.Refresh(ctx, pair.RefreshToken)
//	switch {
//	case err == nil:
//	case errors.Is(err, issuer.ErrGrant): // 400 invalid_grant: log in again
//	default:                              // 503: try the same token again
//	}
//
// # Sessions
//
// Issue starts a session for a subject whom the caller has authenticated. A
// refresh token names its session and a generation, and is signed; the store
// holds no token and nothing from which one could be made. Laws of Refresh:
//
//   - A refresh token is spent once. The session moves to the next generation
//     in one compare-and-swap, and everything that can fail comes before it.
//   - A session has at most one live successor, however many requests on
//     however many machines present the same token at once.
//   - A spent token that comes back ends its session for everybody and raises
//     an [Event] (RFC 9700 §4.14.2), but for the one before the current within
//     Config.Grace, which gets the same successor again. With a Grace of 0, the
//     default, the losers of a race are spent tokens that came back: exactly
//     one caller gets the successor, and the session has ended.
//   - Only a token whose signature held can end a session.
//   - Once it is known that a session has to end, because a spent token came
//     back, Renew refused, or it is revoked, it is ended also if the client hangs
//     up. If the store fails, that is logged and answered 503; and an event whose
//     answer of the store was lost is raised by the next token that comes.
//   - When the store, a key or Renew fails, nobody is logged out and nothing
//     is handed out. If the store did its part and only its answer was lost,
//     the token is spent: within Grace the retry gets the successor, without
//     Grace it is reuse.
//   - The store's clock decides, not the machine's, however far that is off. (The
//     key schedule, in signing and verifying, and whoever checks access tokens, go
//     by the machine's.)
//
// An access token stays valid until it expires, AccessLife at most, also after
// its session ended or [Issuer.Outdate] named its subject, unless those who verify
// it ask: [SessionVerifier].
//
// # Keys
//
// Keys are a schedule: each has a time from which it signs, and all else
// follows from the keys and the time. A key is published Config.Lead before it
// signs, signs until the next one's time, and is published until the last token
// that it signed has expired.
//
// When a key is compromised, put a schedule without it in place with
// [Schedule.Replace]: its tokens stop verifying here at once and elsewhere when
// verifiers fetch the keys again. Give it a successor that signs from now, or
// the key before it signs again. Users whose refresh tokens it signed log in
// anew.
package issuer
