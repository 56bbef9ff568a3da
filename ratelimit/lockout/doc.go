// Package lockout lets a secret be guessed at a few times and then blocks further
// guesses: 5 tries and 24 hours, unless you say otherwise. A guess is paid for before
// it is looked at, so that a thousand parallel guesses get five looks. A right guess
// forgives the wrong ones.
//
//	guesses, err := lockout.New(lockout.Config{Name: "recovery"})
//	outcome, err := guesses.Attempt(ctx, "ann@example.com", func(ctx context.Context) (bool, error) {
//		return compare(ctx, code)
//	})
//
// # Lockout or limit
//
// A limit (package ratelimit) says how often a client may ask: it counts requests,
// good and bad alike, and its bucket fills again all the time. A lockout says how
// often a secret may be guessed at: it counts wrong answers, by the account that is
// guessed at and for all clients together, and then blocks for hours. A route on which
// secrets are guessed at needs both: the limit by address keeps one client from
// blocking many accounts.
//
// # Which store
//
// [MemoryStore] is for one process whose restart may forget blocks. Several processes
// share Redis (package ratelimit/ratelimitredis, whose documentation says what a
// lockout demands of it) or the database of the sessions (package issuer/recovery).
// There is no breaker in front of them: while its store fails a lockout refuses, and
// Config.Timeout bounds how long a guess waits for that.
//
// # Laws
//
//   - Closed by default: zero values refuse, and so does a lockout whose store fails.
//   - A guess is charged before it is looked at, atomically. It is refunded only if
//     its check says that it was not looked at: [ErrUndecided].
//   - A guess at a blocked key is not charged, so that nobody can prolong a block.
//   - Each block is told to one attempt, the one that brought it about.
//   - The [Store] is atomic and has the clock. The policy is here.
//   - Memory that strangers can fill is bounded. Reaching the bound frees nobody who
//     is blocked, and costs others no more than a [MemoryStore] says.
//   - Keys are kept as digests, and are in no error, log or answer.
//
// # The files, in reading order
//
// lockout.go is an attempt from start to end, config.go what it is made from. store.go
// is the contract of stores, charges.go the arithmetic that all of them share, and
// record.go the same over bytes. memory.go is the store in memory: its shards are in
// memory_shard.go, and what a shard finds records by in memory_table.go,
// memory_queue.go and memory_deadlines.go. lockouttest proves a store.
package lockout
