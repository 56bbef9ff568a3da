package issuersql_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
)

func TestNewRefuses(t *testing.T) {
	db := sql.OpenDB(&fake{})
	defer db.Close()
	for name, row := range map[string]struct {
		db       *sql.DB
		config   issuersql.Config
		mistakes int
	}{
		"PostgreSQL":    {db, issuersql.Config{Dialect: issuersql.PostgreSQL}, 0},
		"SQLite":        {db, issuersql.Config{Dialect: issuersql.SQLite, Table: "_s9", Timeout: 10 * time.Millisecond}, 0},
		"40 characters": {db, issuersql.Config{Dialect: issuersql.SQLite, Table: strings.Repeat("a", 40)}, 0},

		"XX-01 zero":    {nil, issuersql.Config{}, 2},
		"no dialect":    {db, issuersql.Config{}, 1},
		"no such":       {db, issuersql.Config{Dialect: 3}, 1},
		"41 characters": {db, issuersql.Config{Dialect: issuersql.SQLite, Table: strings.Repeat("a", 41)}, 1},
		"quote":         {db, issuersql.Config{Dialect: issuersql.SQLite, Table: `s"; DROP TABLE users; --`}, 1},
		"schema":        {db, issuersql.Config{Dialect: issuersql.PostgreSQL, Table: "public.sessions"}, 1},
		"upper case":    {db, issuersql.Config{Dialect: issuersql.PostgreSQL, Table: "Sessions"}, 1},
		"digit":         {db, issuersql.Config{Dialect: issuersql.PostgreSQL, Table: "1s"}, 1},
		"newline":       {db, issuersql.Config{Dialect: issuersql.PostgreSQL, Table: "s\n"}, 1},
		"SQLite's own":  {db, issuersql.Config{Dialect: issuersql.SQLite, Table: "sqlite_s"}, 1},
		"negative":      {db, issuersql.Config{Dialect: issuersql.SQLite, Timeout: -1}, 1},
		"too short":     {db, issuersql.Config{Dialect: issuersql.SQLite, Timeout: time.Millisecond}, 1},
		"everything":    {nil, issuersql.Config{Table: " ", Timeout: 1}, 4},
	} {
		s, err := issuersql.New(row.db, row.config)
		mistakes := 0
		if err != nil {
			mistakes = 1 + strings.Count(err.Error(), "\n")
		}
		if mistakes != row.mistakes || (s == nil) != (err != nil) {
			t.Errorf("%s: %d mistakes, want %d: %v", name, mistakes, row.mistakes, err)
		}
	}
}

func TestZeroStore(t *testing.T) {
	for name, s := range map[string]*issuersql.Store{"zero": new(issuersql.Store), "nil": nil} {
		if _, _, err := s.Load(t.Context(), "s"); err == nil {
			t.Errorf("%s: Load: no error", name)
		}
		if swapped, err := s.Swap(t.Context(), issuer.Record{Version: 1}); err == nil || swapped {
			t.Errorf("%s: Swap: no error", name)
		}
		if _, err := s.List(t.Context(), "a"); err == nil {
			t.Errorf("%s: List: no error", name)
		}
		if _, err := s.RemoveExpired(t.Context(), 1); err == nil {
			t.Errorf("%s: RemoveExpired: no error", name)
		}
		if err := s.CreateSchema(t.Context()); err == nil {
			t.Errorf("%s: CreateSchema: no error", name)
		}
		if err := s.Check(t.Context()); err == nil {
			t.Errorf("%s: Check: no error", name)
		}
		if s.Schema() != "" {
			t.Errorf("%s: Schema", name)
		}
	}
}

func TestSchema(t *testing.T) {
	db := sql.OpenDB(&fake{})
	defer db.Close()
	for dialect, only := range map[issuersql.Dialect]string{issuersql.PostgreSQL: "bytea", issuersql.SQLite: "STRICT"} {
		s, err := issuersql.New(db, issuersql.Config{Dialect: dialect, Table: "mine"})
		if err != nil {
			t.Fatal(err)
		}
		if text := s.Schema(); strings.Contains(text, "gatehouse_sessions") || !strings.Contains(text, `"mine_schema"`) || !strings.Contains(text, only) {
			t.Errorf("dialect %d: %s", dialect, text)
		}
	}
}
