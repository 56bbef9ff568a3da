package issuersql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
)

// Store is an [issuer.Store] in a table. It is safe for concurrent use, and many
// on many machines may share the table. Its zero value refuses: use New.
type Store struct {
	db         *sql.DB
	config     Config
	statements statements
	ready      atomic.Bool   // the schema was seen to have our version
	writing    chan struct{} // room for one that writes; nil if the database lets many write
}

var _ issuer.Store = (*Store)(nil)

// New returns a Store in db, or every mistake in c. It doesn't connect. The
// application opens db, bounds its pool, and closes it.
func New(db *sql.DB, c Config) (*Store, error) {
	c, err := c.settled()
	if db == nil {
		err = errors.Join(errors.New("issuersql: db is nil"), err)
	}
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, config: c, statements: newStatements(c.Dialect, c.Table)}
	if c.Dialect == SQLite {
		// SQLite lets one connection write, and the others poll for their turn. In a
		// queue of our own they wake up in order and at once.
		s.writing = make(chan struct{}, 1)
	}
	return s, nil
}

var errNoStore = errors.New("issuersql: the Store was not made by New")

// Load implements [issuer.Store].
func (s *Store) Load(ctx context.Context, session string) (r issuer.Record, now time.Time, err error) {
	err = s.read(ctx, func(ctx context.Context) error {
		r, now, err = s.load(ctx, session)
		return err
	})
	if err != nil {
		return issuer.Record{}, time.Time{}, fmt.Errorf("issuersql: load: %w", err)
	}
	return r, now, nil
}

// load is one statement, so that the time and the record are of one moment.
func (s *Store) load(ctx context.Context, session string) (issuer.Record, time.Time, error) {
	var now int64
	var id sql.NullString
	var version, expiry sql.NullInt64
	var subject, data []byte
	err := s.db.QueryRowContext(ctx, s.statements.load, session).Scan(&now, &id, &subject, &version, &expiry, &data)
	if err != nil || !id.Valid { // there is always a row, for the time
		return issuer.Record{}, time.UnixMilli(now), err
	}
	r, err := record(id.String, subject, version.Int64, expiry.Int64, data)
	return r, time.UnixMilli(now), err
}

// Swap implements [issuer.Store].
func (s *Store) Swap(ctx context.Context, r issuer.Record) (bool, error) {
	if s == nil || s.db == nil {
		return false, errNoStore
	}
	if r.Version == 0 || r.Version > math.MaxInt64 { // versions that no record follows or has
		return false, ctx.Err()
	}
	data := r.Data
	if data == nil { // which a driver would write as NULL
		data = []byte{}
	}
	// One statement decides and stores. To load first, and then to update what was
	// found, would let two callers win.
	statement := s.statements.change
	parameters := []any{r.Expiry.UnixMilli(), data, r.Session, int64(r.Version - 1)}
	if r.Version == 1 {
		statement = s.statements.create
		parameters = []any{r.Session, []byte(r.Subject), r.Expiry.UnixMilli(), data}
	}
	changed, err := s.exec(ctx, statement, parameters...)
	if err != nil {
		return false, fmt.Errorf("issuersql: swap: %w", err)
	}
	return changed == 1, nil
}

// List implements [issuer.Store].
func (s *Store) List(ctx context.Context, subject string) (records []issuer.Record, err error) {
	err = s.read(ctx, func(ctx context.Context) error {
		records, err = s.list(ctx, subject)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("issuersql: list: %w", err)
	}
	return records, nil
}

func (s *Store) list(ctx context.Context, subject string) ([]issuer.Record, error) {
	rows, err := s.db.QueryContext(ctx, s.statements.list, []byte(subject))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var records []issuer.Record
	for rows.Next() {
		var id string
		var version, expiry int64
		var subject, data []byte
		if err := rows.Scan(&id, &subject, &version, &expiry, &data); err != nil {
			return nil, err
		}
		r, err := record(id, subject, version, expiry, data)
		if err != nil { // RevokeAll must not overlook a session
			return nil, err
		}
		records = append(records, r)
	}
	return records, rows.Err()
}

// record is a row, or the reason why it can't be one of ours.
func record(id string, subject []byte, version, expiry int64, data []byte) (issuer.Record, error) {
	if version < 1 {
		return issuer.Record{}, fmt.Errorf("the row of session %q is damaged: its version is %d", id, version)
	}
	return issuer.Record{
		Session: id, Subject: string(subject), Version: uint64(version),
		Expiry: time.UnixMilli(expiry), Data: data,
	}, nil
}

// RemoveExpired removes all records that have expired by the store's clock, in
// statements of at most batch rows, between which others have their turn; 500 is
// a good batch. It returns how many it removed, also when there is an error. Ending
// ctx stops it; Config.Timeout bounds each statement.
func (s *Store) RemoveExpired(ctx context.Context, batch int) (removed int64, err error) {
	if s == nil || s.db == nil {
		return 0, errNoStore
	}
	if batch < 1 {
		return 0, fmt.Errorf("issuersql: batch is %d, less than 1", batch)
	}
	for {
		n, err := s.exec(ctx, s.statements.expired, batch)
		removed += n
		if err != nil {
			return removed, fmt.Errorf("issuersql: remove expired: %w", err)
		}
		if n < int64(batch) {
			return removed, nil
		}
	}
}

// exec runs a statement that writes, and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, statement string, parameters ...any) (changed int64, err error) {
	err = s.write(ctx, func(ctx context.Context) error {
		result, err := s.db.ExecContext(ctx, statement, parameters...)
		if err != nil {
			return err
		}
		changed, err = result.RowsAffected()
		return err
	})
	return changed, err
}
