package issuersql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
)

// fake is a database that has the schema, and fails as often as it is told to.
type fake struct {
	fail  error
	times int64 // -1: always
	calls atomic.Int64
}

func (f *fake) Connect(context.Context) (driver.Conn, error) { return &conn{f}, nil }
func (f *fake) Driver() driver.Driver                        { return nil }

type conn struct{ *fake }

func (c *conn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not prepared") }
func (c *conn) Close() error                        { return nil }
func (c *conn) Begin() (driver.Tx, error)           { return nil, errors.New("no transactions") }

func (c *conn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return new(version), nil
}

func (c *conn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	if n := c.calls.Add(1); c.times < 0 || n <= c.times {
		return nil, c.fail
	}
	return driver.RowsAffected(1), nil
}

// version is one row, 1.
type version struct{ read bool }

func (*version) Columns() []string { return []string{"version"} }
func (*version) Close() error      { return nil }
func (v *version) Next(row []driver.Value) error {
	if v.read {
		return io.EOF
	}
	v.read, row[0] = true, int64(1)
	return nil
}

type postgreSQLError string

func (e postgreSQLError) Error() string    { return "database is locked, says a row of the application's" }
func (e postgreSQLError) SQLState() string { return string(e) }

type sqliteError int

func (e sqliteError) Error() string { return "an error" }
func (e sqliteError) Code() int     { return int(e) }

func TestRetries(t *testing.T) {
	for name, row := range map[string]struct {
		err     error
		retries bool
	}{
		"serialisation":              {postgreSQLError("40001"), true},
		"deadlock":                   {postgreSQLError("40P01"), true},
		"completion unknown":         {postgreSQLError("40003"), false},
		"connection failure":         {postgreSQLError("08006"), false},
		"disk full":                  {postgreSQLError("53100"), false},
		"shutdown":                   {postgreSQLError("57P01"), false},
		"SQLite busy":                {sqliteError(5), true},
		"SQLite busy, snapshot":      {sqliteError(5 | 2<<8), true},
		"SQLite locked":              {sqliteError(6), true},
		"SQLite full":                {sqliteError(13), false},
		"SQLite I/O":                 {sqliteError(10), false},
		"SQLite busy, another's":     {errors.New("sqlite3: database is locked"), true},
		"SQLite locked, another's":   {errors.New("database table is locked: sessions"), true},
		"a connection that is lost":  {io.ErrUnexpectedEOF, false},
		"nothing that anybody knows": {errors.New("an error"), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{fail: row.err, times: 3}
				swapped, err := storeOver(t, f, 0).Swap(t.Context(), issuer.Record{Version: 1})
				want := int64(1)
				if row.retries {
					want = 4
				}
				if f.calls.Load() != want || swapped != row.retries || !swapped && !errors.Is(err, row.err) {
					t.Errorf("%d calls, want %d: %v, %v", f.calls.Load(), want, swapped, err)
				}
			})
		})
	}
}

func storeOver(t *testing.T, f *fake, timeout time.Duration) *issuersql.Store {
	t.Helper()
	db := sql.OpenDB(f)
	t.Cleanup(func() { db.Close() })
	s, err := issuersql.New(db, issuersql.Config{Dialect: issuersql.PostgreSQL, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRetriesEnd has a database that never stops to collide.
func TestRetriesEnd(t *testing.T) {
	for name, row := range map[string]struct{ timeout, deadline, want time.Duration }{
		"the store's timeout":    {0, time.Hour, 5 * time.Second},
		"a timeout that is set":  {3 * time.Second, time.Hour, 3 * time.Second},
		"the caller's deadline":  {0, 2 * time.Second, 2 * time.Second},
		"a deadline that passed": {0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := storeOver(t, &fake{fail: postgreSQLError("40001"), times: -1}, row.timeout)
				ctx, cancel := context.WithTimeout(t.Context(), row.deadline)
				defer cancel()
				began := time.Now()
				swapped, err := s.Swap(ctx, issuer.Record{Version: 1})
				if swapped || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Swap: %v, %v", swapped, err)
				}
				if took := time.Since(began); took != row.want {
					t.Errorf("it took %v, want %v", took, row.want)
				}
			})
		})
	}
}
