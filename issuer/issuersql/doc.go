// Package issuersql keeps sessions in PostgreSQL or SQLite: an [issuer.Store]
// over database/sql. It imports no driver; the application does.
//
//	db, err := sql.Open("pgx", "postgres://...")
//	store, err := issuersql.New(db, issuersql.Config{Dialect: issuersql.PostgreSQL})
//	err = store.CreateSchema(ctx) // or run schema_postgres.sql with your migrations
//	err = store.Check(ctx)        // is it there, and does it keep what it confirms?
//
// Laws:
//
//   - What Swap has confirmed is on disk, as far as the database is set up to say
//     the truth: [Store.Check] finds the settings with which it isn't.
//   - Swap is one statement, and so one transaction of its own. It is never sent
//     again unless the database said that it did nothing (a serialisation
//     failure, a deadlock, a database that is locked). When an answer is lost, the
//     error says that nothing is known, and it isn't hidden by a retry.
//   - No call takes longer than its context or Config.Timeout, whichever ends
//     first.
//   - Nothing of a record stands in a statement's text: all goes as parameters.
//     The table's name is the application's and is validated.
//
// # PostgreSQL
//
// The clock is the server's: clock_timestamp(). The DB must connect to the
// primary: a standby answers with old sessions, and Check refuses it. After a
// failover to a standby that replicates asynchronously the last refreshes may be
// missing; with synchronous_commit at on or above and a synchronous standby they
// are not. Clients whose refresh was forgotten lose their session (the issuer
// raises a "rollback" event), and no token is accepted twice.
//
// Bound the pool with SetMaxOpenConns, below the server's max_connections.
//
// # SQLite
//
// The durable store for one machine; any number of its processes may share the
// file. The clock is the machine's, so it must not step: set back by an hour,
// sessions live an hour longer, and those that have expired and were not removed
// yet live again. Let NTP slew it. Open the file with a write-ahead log,
// written through at each commit; for modernc.org/sqlite:
//
//	file:sessions.db?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)
//
// A busy_timeout isn't needed: the Store lets one writer of its process in at a
// time, and tries again when another process writes.
//
// # Expired sessions
//
// A record that has expired counts as absent at once, and takes up space until
// [Store.RemoveExpired] is called, which the application does now and then:
//
//	go func() {
//		for range time.Tick(time.Minute) {
//			if _, err := store.RemoveExpired(ctx, 500); err != nil {
//				slog.Warn("sessions: expired ones are still there", "error", err)
//			}
//		}
//	}()
//
// Any number of machines may do so.
package issuersql
