package issuersql

import (
	"regexp"
	"strings"
)

// statements are what a Store sends, for its dialect and table. Each uses its
// parameters once and in order, so that they may be written as ?.
type statements struct {
	load, list, create, change, expired, version string
}

// In the texts below, TABLE is the table and NOW its clock in milliseconds since
// 1970, read while the statement runs, and so after it has waited for locks.
const (
	load = `SELECT c.now, s.session, s.subject, s.version, s.expiry, s.data
		FROM (SELECT NOW AS now) c LEFT JOIN "TABLE" s ON s.session = $1 AND s.expiry > c.now`

	list = `SELECT s.session, s.subject, s.version, s.expiry, s.data
		FROM "TABLE" s WHERE s.subject = $1 AND s.expiry > NOW`

	// Over a record that has expired, as over none.
	create = `INSERT INTO "TABLE" AS s (session, subject, version, expiry, data) VALUES ($1, $2, 1, $3, $4)
		ON CONFLICT (session) DO UPDATE
		SET subject = excluded.subject, version = 1, expiry = excluded.expiry, data = excluded.data
		WHERE s.expiry <= NOW`

	change = `UPDATE "TABLE" SET version = version + 1, expiry = $1, data = $2
		WHERE session = $3 AND version = $4 AND expiry > NOW`

	// Rows that another statement is changing are left for the next time. An array,
	// because a subquery might be run more than once, and then remove more.
	expiredPostgreSQL = `DELETE FROM "TABLE" WHERE session = ANY (ARRAY(
		SELECT session FROM "TABLE" WHERE expiry <= (SELECT NOW) ORDER BY expiry LIMIT $1 FOR UPDATE SKIP LOCKED))`

	expiredSQLite = `DELETE FROM "TABLE" WHERE session IN (
		SELECT session FROM "TABLE" WHERE expiry <= NOW ORDER BY expiry LIMIT $1)`

	version = `SELECT version FROM "TABLE_schema"`

	nowPostgreSQL = `floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint`
	nowSQLite     = `CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)`
)

var placeholder = regexp.MustCompile(`\$[0-9]+`)

func newStatements(d Dialect, table string) statements {
	now, expired := nowPostgreSQL, expiredPostgreSQL
	if d == SQLite {
		now, expired = nowSQLite, expiredSQLite
	}
	written := func(text string) string {
		text = strings.NewReplacer("NOW", now, "TABLE", table).Replace(text)
		if d == SQLite {
			text = placeholder.ReplaceAllString(text, "?")
		}
		return text
	}
	return statements{
		load: written(load), list: written(list),
		create: written(create), change: written(change),
		expired: written(expired), version: written(version),
	}
}
