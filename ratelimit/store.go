package ratelimit

import (
	"context"
	"time"
)

// A Store keeps the state of limits and knows no policy: what it needs to decide comes
// with each call. [MemoryStore] is one for a single process. Package ratelimittest
// proves others.
//
// Laws:
//
//   - Take is one atomic step, for all callers on all machines that share the store.
//   - Time is the store's own clock. It is read once inside that step, and it never
//     runs backwards. No time is passed in, none is returned; durations are.
//   - The clock may tick in microseconds. Calculations are in nanoseconds all the
//     same, none of them above 2^53.
//   - Policy and key together name the state. No pair may collide with
//     another, whatever bytes the two contain. A key has at most 128 bytes and is not
//     kept in plaintext longer than needed.
//   - A bucket that is full again says nothing any more, and disappears by itself.
//   - On error the caller must assume that the step may have been taken. A store never
//     answers what it does not know; refusing is the caller's part.
//
// A Store is safe for concurrent use. It is comparable, as [All] must see whether two
// limits share one: implement it on a pointer.
type Store interface {
	// Take spends the cost of every cell, or of none. It reports whether all cells
	// grant it, and charges them only then. It sets Debt in each cell to the debt that
	// now stands, charged or not. After an error Debt means nothing. There are one to 8
	// cells, no two of the same policy and key.
	Take(ctx context.Context, cells []Cell) (bool, error)
}

// A Cell is one bucket and what is to be taken out of it. A cell without state has debt
// 0. The debt melts by a nanosecond in each nanosecond. Cost is granted if debt + Cost
// <= Tolerance. Always 0 < Cost <= Tolerance <= 2^52 ns, and 0 < Interval.
type Cell struct {
	Policy, Key string
	Cost        time.Duration // what this request adds to the debt
	Interval    time.Duration // the debt of one token: a bucket with less left is exhausted, and must not be dropped for want of room
	Tolerance   time.Duration // the most debt that is granted

	Debt time.Duration // set by [Store.Take]
}
