// Package middleware guards HTTP handlers with bearer tokens (RFC 6750): who
// may come in, and what the others are told.
//
//	guard := middleware.New(verify, middleware.Config{})
//	mux.Handle("GET /me", guard.Handler(me))
//	mux.Handle("GET /buildings", guard.Only(PropertyManager, Admin).Handler(list))
//	mux.Handle("POST /orders", guard.Scope("orders:write").Handler(order))
//
// A [Guard] authenticates and authorises in one mount: there is no second
// piece that could be forgotten. [Guard.Handler] is a
// func(http.Handler) http.Handler and fits wherever one is asked for. Nested
// guards each check for themselves, and all must admit the caller; a handler
// sees whom the innermost admitted.
//
// # Laws
//
//   - Closed by default. What is missing, zero or a mistake answers 503 and
//     admits nobody.
//   - Narrowing never widens. [Guard.Only], [Guard.From], [Guard.Scope] and
//     [Guard.Require] return copies that admit the same callers or fewer. Names are compared
//     byte by byte.
//   - One place. The token is in exactly one Authorization header. If there is no
//     such header and Config.Cookie names a cookie, it is in exactly one of those;
//     where another site's page sent the cookie, it only counts for GET, HEAD and
//     OPTIONS. Query, form and all other headers are never read; the body is left
//     to the handler.
//   - One answer. [Guard.Check] decides and writes nothing, [Guard.Refuse] writes;
//     Handler writes exactly one answer, or runs the next handler exactly once.
//   - 401 is about the token, 503 about us. A verifier that can't tell whether
//     a token is good never makes a client throw it away.
//   - No oracle. Every token that is not good gets the same answer, byte for
//     byte. Why is in the log, at Debug.
//   - A refresh token opens no guard, whatever the verifier accepts.
//   - A token that is bound to a key (cnf) opens no guard, unless Config.InsecureUnproven
//     says so. Guards don't check proofs that the caller has the key.
//
// # Answers
//
//	no token, other scheme   401  Bearer realm="api"
//	not exactly one word     400  … error="invalid_request"
//	token not good           401  … error="invalid_token"
//	not admitted             403  … error="insufficient_scope", scope="…" if Scope asked
//	could not be checked     503  Retry-After, no challenge
//	panic in a check         500  no challenge, stack in the log
//
// Bodies are problem documents (RFC 9457) of fixed text; Config.Deny writes
// others. Any number of spaces may stand between scheme and token.
//
// # Pages of other origins
//
// CORS is mounted outside of guards and limits: cors(limit(mux)). A preflight
// (OPTIONS) carries no token, and a guard makes no exception for it; and a script
// can read a 401 or 429 only if CORS has marked that answer too. Allow scripts to
// send Authorization, by name, since "*" does not cover it. Let them read what
// guards and limits say: expose WWW-Authenticate, Retry-After, RateLimit and
// RateLimit-Policy. The program in examples/cors does this, and its tests try it
// in a browser.
//
// # Not here
//
// There is no list of paths to skip: what is public is not mounted behind a
// guard, or behind Optional. A panic of the next handler, and [http.ErrAbortHandler] from anywhere, is left
// to net/http.
//
// # The files, in reading order
//
// guard.go mounts and decides, with bearer.go, which finds the token, and narrow.go,
// which asks more of the caller. refusal.go is a decision against the caller and its
// line in the log; answer.go is what the client sees of it, and deny.go lets an
// application write it. config.go is what all of them are told.
package middleware
