// Package ratelimit says how often: limits for requests. How often a secret may be
// guessed at is for package ratelimit/lockout to say.
//
//	limit, err := ratelimit.New(ratelimit.Config{Name: "DefaultRateLimitAuth", Limit: ratelimit.Per(100, time.Minute), Key: ratelimit.RemoteIP})
//	log.Fatal(http.ListenAndServe(addr, limit.Handler(mux)))
//
// A [Limiter] answers what is too much with 429 and a true Retry-After, and
// tells the rest how much is left in the fields of
// draft-ietf-httpapi-ratelimit-headers-11. [All] joins several limits, a [Set]
// holds them by name and can be replaced while serving, from JSON by
// [ParsePolicies]. The state is in a [Store]: in memory, or in Redis (package
// ratelimitredis, behind a [Breaker]).
//
// Laws:
//
//   - Closed by default: zero values refuse; a request without key, and one
//     that the store can't judge, is refused with 503, or with 400 if that is its
//     own mistake ([ErrBadRequest]); 0 never means unlimited.
//   - Check decides and writes nothing; Handler is the only writer, and Refuse for
//     those who have no use for a Handler. None of them reads the body.
//   - Where several limits apply, nothing is charged if one refuses.
//   - A Retry-After that is waited for is enough, and not a second too long.
//   - The [Store] is atomic and has the clock; the policy is here.
//   - Memory that strangers can fill is bounded. Reaching the bound frees nobody who
//     is exhausted, and costs others no more than a [MemoryStore] says.
//   - Keys are kept as digests, and are in no error, log or answer.
//
// The handler counts whatever it is mounted on: mount it on the route, behind
// the mux that matched it, if a limit is for a route and not for a server.
package ratelimit
