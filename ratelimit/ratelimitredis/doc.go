// Package ratelimitredis keeps limits and lockouts in Redis, for all machines that share
// it. One [Store] is both a [ratelimit.Store] and a [lockout.Store], over go-redis, for
// a single server, Sentinel and Redis Cluster, version 5 and later. Limits want a
// [ratelimit.Breaker] in front, which keeps requests fast while Redis is away; lockouts
// take the Store as it is.
//
//	client := redis.NewClient(&redis.Options{Addr: "...", ContextTimeoutEnabled: true, DialTimeout: 250 * time.Millisecond})
//	shared, err := ratelimitredis.New(client, ratelimitredis.Config{})
//	err = shared.Check(ctx) // does the server keep what it is given?
//	breaker, err := ratelimit.NewBreaker(ratelimit.BreakerConfig{Store: shared})
//	limit, err := ratelimit.New(ratelimit.Config{Name: "api", Limit: ratelimit.Per(100, time.Minute), Key: ratelimit.RemoteIP, Store: breaker})
//	guesses, err := lockout.New(lockout.Config{Name: "recovery", Store: shared})
//
// # Laws
//
//   - Take and Apply are one script and one round trip each. There is one more when the
//     server has lost the script.
//   - The clock is the server's wall clock. If it is set forward, that much time has
//     passed: buckets fill once and blocks end early. If it is set back, the time up to
//     then is counted twice at most. Nobody waits until it has caught up.
//   - The arithmetic is that of memory, to the nanosecond.
//   - A charge to a lockout is made once, however often it is sent. Take is never sent
//     twice.
//   - No call takes longer than its context or Config.Timeout. go-redis heeds contexts
//     only with ContextTimeoutEnabled, so New refuses a client without it.
//   - Keys are kept as SHA-256 digests, never in plain text. A reader of the server can
//     still find out whether a given address is there.
//   - State expires with what it says: a bucket when it is full, a record with its last
//     charge. No key is ever without an expiry.
//   - State that is damaged or of an unknown version, and anything else under its name,
//     is an error and so refuses. It isn't repaired: delete the key.
//
// # Redis Cluster
//
// The key alone chooses the slot. So several limits of one key (100 a minute and 1,000
// an hour of one address) are one trip. Limits of different keys (address and account)
// are in different slots: there [ratelimit.All] of them fails, and refuses. Mount one
// handler after the other instead, which charges the first when the second refuses. Or
// set Config.OneSlot.
//
// # What a lockout demands of Redis
//
// A lockout is worth as much as the server's memory of it:
//
//   - maxmemory-policy noeviction. Any other may remove the record of a key that is
//     blocked, and so hand out tries again. With noeviction a full server refuses new
//     charges, and so guesses.
//   - appendonly yes and appendfsync always. Then charges survive kill -9 and power
//     failures. With everysec a power failure takes the last second or two, and so does
//     kill -9 while the disk is slow. With appendonly no a crash takes all since the
//     last snapshot. An attacker who can make the server crash guesses more often than
//     Tries says.
//   - No failover that must not be felt. Replicas are asynchronous: a failover loses
//     what had not arrived. In a partition two primaries may count for a while, each on
//     its own.
//
// [Store.Check] finds the settings that lose state. Where all that is not enough, keep
// lockouts in the issuer's SQL store: package issuer/recovery.
//
// Limits demand none of it: what they forget is time to refill.
//
// # The files, in reading order
//
// store.go makes the two calls, take.lua and apply.lua are what they do in the server,
// clock.lua its clock, script.go how scripts are sent. config.go judges a Config, check.go
// the server.
package ratelimitredis
