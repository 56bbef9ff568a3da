package drivertest

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
)

// durable is how the documentation says to open a file.
const durable = "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"

func openSQLite(t testing.TB, file string, c issuersql.Config) (*issuersql.Store, *sql.DB) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+durable)
	if err != nil {
		t.Fatal(err)
	}
	c.Dialect = issuersql.SQLite
	return opened(t, db, c), db
}

func newFile(t testing.TB) string { return filepath.Join(t.TempDir(), "sessions.db") }
