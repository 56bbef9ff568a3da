// Package issuerredis keeps sessions in Redis: an [issuer.Store] over go-redis,
// for a single server, Sentinel and Redis Cluster, version 6.2 and later.
//
//	client := redis.NewClient(&redis.Options{Addr: "...", ContextTimeoutEnabled: true})
//	store, err := issuerredis.New(client, issuerredis.Config{})
//	err = store.Check(ctx) // does the server keep what it is given?
//
// Laws:
//
//   - Load and Swap are one script and one round trip each, on one key. The
//     exceptions: Issue takes one trip more, for the list of the subject's
//     sessions; so does a refresh about once in a RefreshLife (two more); and
//     scripts are sent whole when the server has lost them.
//   - The clock is the server's, and keys expire by it. The client's isn't looked
//     at.
//   - Swap is never sent twice, whatever the client's MaxRetries: when an answer
//     is lost, the error says that nothing is known.
//   - No call takes longer than its context or Config.Timeout, whichever ends
//     first. go-redis heeds contexts only with ContextTimeoutEnabled, so New
//     refuses a client without it.
//   - List never misses a session that Issue has returned: the subject's list is
//     written before the session is, and outlives it.
//   - The names of keys don't show subjects: they have a digest instead. The
//     records have the subject in plain text.
//
// # What Redis promises, and what it doesn't
//
// Redis answers from memory. What survives is what its settings say:
//
//   - appendonly yes, appendfsync always: what was confirmed is on disk, and
//     survives kill -9 and power failures. This is the one that we recommend.
//   - appendonly yes, appendfsync everysec (Redis's default once appendonly is
//     on): a power failure takes the last second or two. So does kill -9 of Redis
//     when the disk is slow, because Redis then holds its writes back and answers
//     all the same; when the disk is fast, kill -9 takes nothing.
//   - appendonly no (Redis's default): any crash takes what was written since
//     the last snapshot, minutes ago.
//   - Replicas are asynchronous in any case: a failover loses what had not
//     arrived, and with a partition two primaries may answer for a while. WAIT
//     doesn't change that, it only makes it rarer, so it isn't used here. Where
//     a refresh must not be forgotten, use package issuersql.
//   - maxmemory-policy noeviction: any other may remove live sessions, and users
//     are logged out for no reason. With noeviction a full server refuses new
//     writes: the issuer answers 503 and nobody loses a session.
//
// When the last writes are lost, sessions that were issued in that time are
// unknown and users log in anew. Sessions that were refreshed in that time are
// back at an older generation. Their clients hold a token that is ahead of it:
// presenting it ends the session and raises the issuer's "rollback" event. But
// until then the token that was spent before works again, for anybody who has
// it. No store that forgets can do better.
//
// [Store.Check] finds the settings that lose writes.
//
// # Keys
//
// With the default prefix, gatehouse:s:<session> is a string, the record, which
// expires with it; gatehouse:u:<digest> is a sorted set, the sessions of a
// subject, which expires after the last of them: a day after, and for each the
// time that it had to live when it was listed, so that a list of sessions that
// end within the hour stands there for a day and two hours. The two may be on
// different machines of a Cluster, whose clocks may differ by a day.
//
// Records whose session has the name of its subject, as those of package recovery
// have, stand on no list: what strangers write is gone when it expires.
package issuerredis
