// Package ratelimit says how often clients may ask. A [Limiter] answers what is too
// much with 429 and a true Retry-After, and tells the rest how much is left. Its
// buckets are in memory, or in Redis for several processes.
//
//	limit, err := ratelimit.New(ratelimit.Config{Name: "DefaultRateLimitAuth", Limit: ratelimit.Per(100, time.Minute), Key: ratelimit.RemoteIP})
//	log.Fatal(http.ListenAndServe(addr, limit.Handler(mux)))
//
// What is left is told in the fields of draft-ietf-httpapi-ratelimit-headers-11. [All]
// joins several limits. A [Set] holds limits by name and can be replaced while serving,
// from JSON by [ParsePolicies].
//
// The handler counts whatever it is mounted on. If a limit is for a route and not for a
// server, mount it on the route, behind the mux that matched it.
//
// # Limit or lockout
//
// A limit counts requests, good and bad alike, by the client that asks, and its bucket
// fills again all the time. How often a secret may be guessed at is for package
// ratelimit/lockout: it counts wrong answers, by the account that is guessed at, and
// then blocks for hours. Routes on which secrets are guessed at need both.
//
// # Which store
//
// [MemoryStore] is for one process, and what New makes if no Store is given. Several
// processes share Redis (package ratelimit/ratelimitredis) behind a [Breaker], which
// keeps requests fast while Redis is away. Limits in SQL are not offered: what a limit
// forgets is time to refill, and each request would cost a write to disk.
//
// # Laws
//
//   - Closed by default: zero values refuse, and 0 never means unlimited.
//   - A request without a key, or that the store can't judge, is refused: with 503, or
//     with 400 if that is the client's mistake ([ErrBadRequest]).
//   - Check decides and writes nothing. Only Handler and Refuse write. None of them
//     reads the body.
//   - Where several limits apply, nothing is charged if one refuses.
//   - Waiting for Retry-After is enough, and never a second more than needed.
//   - The [Store] is atomic and has the clock. The policy is here.
//   - Memory that strangers can fill is bounded. Reaching the bound frees nobody who is
//     exhausted, and costs others no more than a [MemoryStore] says.
//   - Keys are kept as digests, and are in no error, log or answer.
//
// # The files, in reading order
//
// limit.go is what a limit is, gcra.go the arithmetic, store.go the contract of
// stores. config.go and limiter.go are a limiter, whose function allow is where the
// ways part: policy.go is one limit, all.go several. handler.go mounts it,
// responder.go, headers.go, refusal.go and deny.go are its answers. key.go,
// key_proxies.go and key_email.go say which bucket pays, key_peer.go that all clients
// share one. memory.go and memory_table.go are the store in memory, breaker.go and
// breaker_local.go what happens while another store fails. set.go and policies.go hold
// limits by name. ratelimittest proves a store.
package ratelimit
