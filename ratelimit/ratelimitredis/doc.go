// Package ratelimitredis keeps limits and lockouts in Redis, for all machines that
// share it: a [ratelimit.Store] over go-redis, for a single server, Sentinel and
// Redis Cluster, version 5 and later.
//
//	client := redis.NewClient(&redis.Options{Addr: "...", ContextTimeoutEnabled: true, DialTimeout: 250 * time.Millisecond})
//	shared, err := ratelimitredis.New(client, ratelimitredis.Config{})
//	err = shared.Check(ctx) // does the server keep what it is given?
//	store, err := ratelimit.NewBreaker(ratelimit.BreakerConfig{Store: shared})
//
// The [ratelimit.Breaker] is what keeps requests fast while Redis is away.
//
// Laws:
//
//   - Take and Log are one script and one round trip each; one more, when the
//     server has lost the script.
//   - The clock is the server's. It is a wall clock: where it is set forward,
//     that much time has passed, so buckets fill once and blocks end early; where
//     it is set back, the time up to then is counted twice at most, and nobody
//     waits until it has caught up.
//   - The arithmetic is that of memory, to the nanosecond.
//   - A charge to a lockout is made once, however often it is sent; Take is never
//     sent twice.
//   - No call takes longer than its context or Config.Timeout. go-redis heeds
//     contexts only with ContextTimeoutEnabled, so New refuses a client without
//     it.
//   - Keys are kept as SHA-256 digests, never in plain text. Who can read the
//     server can still find out whether an address that he thinks of is there.
//   - State expires with what it says: a bucket when it is full, a log with its
//     last charge. No key is ever without an expiry.
//   - State that is damaged, or something else under its name, is an error and
//     so refuses. It isn't repaired: delete the key.
//
// # Redis Cluster
//
// The slot is that of the key, whatever the policy: several limits of one key
// (100 a minute and 1,000 an hour of one address) are one trip. Limits of
// different keys (address and account) are in different slots: [ratelimit.All]
// of them fails there, and refuses. Mount one handler after the other instead,
// which charges the first when the second refuses, or set Config.OneSlot.
//
// # What Redis promises to a lockout
//
// A lockout is worth as much as the server's memory of it:
//
//   - maxmemory-policy noeviction: any other may remove the log of somebody who
//     is blocked, and hand out tries again. With noeviction a full server refuses
//     new charges, and so guesses.
//   - appendonly yes, appendfsync always: what was charged survives kill -9 and
//     power failures. With everysec a power failure takes the last second or two,
//     and so does kill -9 while the disk is slow; with appendonly no a crash takes
//     all since the last snapshot. Whoever can make the server crash in between
//     guesses more often than the tries say.
//   - Replicas are asynchronous: a failover loses what had not arrived, and with
//     a partition two primaries may count for a while, each on its own.
//
// Where that is not enough, keep lockouts in the issuer's SQL store: package
// issuer/recovery. Limits need none of it: what they forget is time to refill.
//
// [Store.Check] finds the settings that lose state.
package ratelimitredis
