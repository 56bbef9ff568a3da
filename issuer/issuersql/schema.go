package issuersql

import (
	"context"
	"database/sql"
	_ "embed" // the schemas
	"errors"
	"fmt"
	"strings"
)

//go:embed schema_postgres.sql
var schemaPostgreSQL string

//go:embed schema_sqlite.sql
var schemaSQLite string

// schemaVersion is the version that this package reads and writes.
const schemaVersion = 1

// schemaLock keeps two machines from creating the same table at once, which
// PostgreSQL would not survive without an error.
const schemaLock = 0x67617465686f7573

// ErrSchema is matched by errors that say that the tables have another version
// than this package, or are missing, or could not be looked at.
var ErrSchema = errors.New("issuersql: schema")

// Schema returns the statements that CreateSchema runs, for tools that migrate
// databases. They do nothing to what exists.
func (s *Store) Schema() string {
	if s == nil || s.db == nil {
		return ""
	}
	schema := schemaPostgreSQL
	if s.config.Dialect == SQLite {
		schema = schemaSQLite
	}
	return strings.ReplaceAll(schema, defaultTable, s.config.Table)
}

// CreateSchema creates the tables and indexes where they are missing, in one
// transaction. Many machines may call it at once. It is an error, and nothing
// changes, if the schema is there in another version.
func (s *Store) CreateSchema(ctx context.Context) error {
	if s == nil || s.db == nil {
		return errNoStore
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	if err := again(ctx, s.createSchema); err != nil {
		return fmt.Errorf("issuersql: create schema: %w", err)
	}
	return nil
}

func (s *Store) createSchema(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if s.config.Dialect == PostgreSQL {
		if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(schemaLock)); err != nil {
			return err
		}
	}
	all := strings.Split(strings.TrimSpace(s.Schema()), ";\n")
	for i, statement := range all {
		// The first two statements make the version. If the tables are there in another
		// one, none of the rest may run.
		if i == 2 {
			if err := s.compareVersion(ctx, tx); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// checkVersion compares the schema's version with ours, until it was right once. A
// migration under a running program is not noticed: that costs no query per call.
func (s *Store) checkVersion(ctx context.Context) error {
	if s.ready.Load() {
		return ctx.Err()
	}
	if err := s.compareVersion(ctx, s.db); err != nil {
		return err
	}
	s.ready.Store(true)
	return nil
}

func (s *Store) compareVersion(ctx context.Context, from interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) error {
	var found int
	err := from.QueryRowContext(ctx, s.statements.version).Scan(&found)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%w: table %s_schema is empty", ErrSchema, s.config.Table)
	case err != nil:
		return fmt.Errorf("%w: version can't be read (was CreateSchema called?): %w", ErrSchema, err)
	case found != schemaVersion:
		return fmt.Errorf("%w: table %s has version %d, this package works with %d", ErrSchema, s.config.Table, found, schemaVersion)
	}
	return nil
}
