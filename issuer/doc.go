// Package issuer decides who gets a pass, how it is renewed, and how it ends. It
// issues pairs of an access token and a refresh token (RFC 6749 §1.4, §1.5) over
// sessions that a [Store] keeps. Keys on a schedule of package signing sign them.
//
//	keys, err := signing.NewSchedule(key)
//	tokens, err := issuer.New[Account](issuer.Config[Account]{
//		Issuer:      "https://id.example",
//		Audience:    []string{"api"},
//		Keys:        keys,
//		RefreshKeys: signing.NewEphemeral(),
//		Store:       issuer.NewMemoryStore(),
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
// Issue starts a session for a subject that the caller has authenticated. A refresh
// token names its session and a generation, and is signed. The store holds no token,
// and nothing from which one could be made. Laws of Refresh:
//
//   - A refresh token is spent once. The session moves to the next generation in one
//     compare-and-swap, and everything that can fail comes before it.
//   - A session has at most one live successor, however many requests on however many
//     machines present the same token at once.
//   - A spent token that comes back ends its session for everybody and raises an
//     [Event] (RFC 9700 §4.14.2). One exception: within Config.Grace the token before
//     the current one gets the same successor again.
//   - With a Grace of 0, the default, the losers of a race present a spent token.
//     Exactly one caller gets the successor, and the session has ended.
//   - Only a token whose signature held can end a session.
//   - A session that has to end (a spent token came back, Renew refused, it is revoked)
//     is ended also if the client hangs up. If the store fails, that is logged and
//     answered 503. If only the store's answer was lost, the event is raised by the next
//     token that comes.
//   - When the store, a key or Renew fails, nobody is logged out and nothing is handed
//     out. If the store did its part and only its answer was lost, the token is spent:
//     within Grace the retry gets the successor, without Grace it is reuse.
//   - The store's clock decides about sessions, however far the machine's is off. The
//     machine's clock decides which key signs, and verifiers go by theirs.
//
// An access token is valid until it expires, for AccessLife at most. It is so also after
// its session has ended, or after [Issuer.Outdate] has named its subject, unless those
// who verify it ask the store: [SessionVerifier].
//
// # Stored sessions
//
// A record has a format, 1, and a checksum. Every later minor version reads it. A
// version that finds a later format, or an extension that it does not know, refuses to
// judge the session: 503, nobody is logged out, and the record stays as it is.
//
// # Access is not refresh
//
// A refresh token of ours opens nothing, here or elsewhere. Its aud is the issuer alone
// (RFC 6749 §1.5, RFC 8725 §3.12), and Config.RefreshKeys give it keys that are never
// published. Libraries of other languages look at the audience, and few look at typ.
// Two strict readers want more members in access tokens: lcobucci/jwt (PHP) wants nbf,
// which Dialect.Members can list; express-oauth2-jwt-bearer (Node.js) in its strict mode
// wants client_id, which belongs into App.
//
// # Keys
//
// A key is published Config.Lead before it signs, and until the last token that it
// signed has expired. When a key has leaked, give the schedule a successor and take the
// leaked key out of it (signing.Schedule.Replace). Its tokens stop verifying here at
// once, and elsewhere when verifiers fetch the keys again. Users whose refresh tokens it
// signed log in anew.
//
// # The files, in reading order
//
// config.go and issuer.go have what an Issuer is made of. issue.go starts a session,
// refresh.go renews it: decide.go is the whole policy, mint.go writes the tokens, id.go
// their ids. end.go carries out the verdicts that refuse, revoke.go ends sessions for
// other reasons. session.go has the stored form, store.go what a store must do,
// memory.go one that does. live.go, sessions.go, event.go, handler.go, body.go and
// subject.go stand for themselves.
package issuer
