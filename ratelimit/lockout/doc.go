// Package lockout lets a secret be guessed at a few times, and then blocks: 5 tries
// and 24 hours, unless you say otherwise.
//
//	guesses, err := lockout.New(lockout.Config{Name: "recovery"})
//	outcome, err := guesses.Attempt(ctx, "ann@example.com", func(ctx context.Context) (bool, error) { return compare(ctx, code) })
//
// A guess is paid for before it is looked at, so that a thousand parallel guesses
// get five looks. A right guess forgives the others. The records are in a [Store]:
// in memory, in Redis (package ratelimit/ratelimitredis), or where the issuer keeps
// its sessions (package issuer/recovery).
//
// Laws:
//
//   - Closed by default: zero values refuse, and so does a store that fails.
//   - A guess is charged before it is looked at, atomically. It is refunded only if
//     its check says that it was not looked at: [ErrUndecided].
//   - A guess at a blocked key is not charged: nobody can prolong a block.
//   - The [Store] is atomic and has the clock; the policy is here.
//   - Memory that strangers can fill is bounded. Reaching the bound frees nobody who
//     is blocked, and costs others no more than a [MemoryStore] says.
//   - Keys are kept as digests, and are in no error, log or answer.
package lockout
