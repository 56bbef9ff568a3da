package issuersql

import (
	"context"
	"errors"
	"fmt"
)

// Check reports, for a start-up check, whether the database can be reached, has
// the schema, can be written, and keeps what it confirms: every mistake together.
// It sees one connection of the pool, and takes the others to be like it.
//
// With a setting that Check refuses the Store works, but a crash can take back
// refreshes that clients were told of. Those clients have to log in again.
func (s *Store) Check(ctx context.Context) error {
	var mistakes []error
	err := s.read(ctx, func(ctx context.Context) error {
		var err error
		if s.config.Dialect == SQLite {
			mistakes, err = s.checkSQLite(ctx)
		} else {
			mistakes, err = s.checkPostgreSQL(ctx)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("issuersql: check: %w", err)
	}
	return errors.Join(mistakes...)
}

func (s *Store) checkPostgreSQL(ctx context.Context) (mistakes []error, err error) {
	var standby bool
	var fsync, commit string
	err = s.db.QueryRowContext(ctx,
		`SELECT pg_is_in_recovery(), current_setting('fsync'), current_setting('synchronous_commit')`).
		Scan(&standby, &fsync, &commit)
	if standby {
		mistakes = append(mistakes, errors.New("issuersql: the server is a standby: it can't be written, and knows old sessions"))
	}
	if fsync == "off" {
		mistakes = append(mistakes, errors.New("issuersql: the server's fsync is off: a power failure can lose everything"))
	}
	if commit == "off" {
		mistakes = append(mistakes, errors.New("issuersql: synchronous_commit is off: a crash can take back refreshes that were confirmed"))
	}
	return mistakes, err
}

// fullSynchronous is what PRAGMA synchronous says for FULL; EXTRA is more.
const fullSynchronous = 2

func (s *Store) checkSQLite(ctx context.Context) (mistakes []error, err error) {
	var journal string
	var synchronous int
	if err := s.db.QueryRowContext(ctx, `PRAGMA journal_mode`).Scan(&journal); err != nil {
		return nil, err
	}
	if err := s.db.QueryRowContext(ctx, `PRAGMA synchronous`).Scan(&synchronous); err != nil {
		return nil, err
	}
	if journal == "off" || journal == "memory" {
		mistakes = append(mistakes, fmt.Errorf("issuersql: journal_mode is %s: a crash can damage the file, or nothing is kept at all", journal))
	}
	if synchronous < fullSynchronous {
		mistakes = append(mistakes, errors.New("issuersql: synchronous is below FULL: a power failure can take back refreshes that were confirmed"))
	}
	return mistakes, nil
}
