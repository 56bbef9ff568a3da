package drivertest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
)

// newTable is the name of a table that nobody else has on the shared server.
func newTable() string { return fmt.Sprintf("sessions_%d", tables.Add(1)) }

var tables atomic.Int64

// onBoth runs a test on a new table of each database.
func onBoth(t *testing.T, run func(t *testing.T, s *issuersql.Store, db *sql.DB, table string)) {
	t.Parallel()
	table := newTable()
	t.Run("PostgreSQL", func(t *testing.T) {
		s, db := openPostgres(t, postgres(t).address(), issuersql.Config{Table: table})
		run(t, s, db, table)
	})
	t.Run("SQLite", func(t *testing.T) {
		s, db := openSQLite(t, newFile(t), issuersql.Config{Table: table})
		run(t, s, db, table)
	})
}

func do(t *testing.T, db *sql.DB, statement string, parameters ...any) {
	t.Helper()
	if _, err := db.Exec(statement, parameters...); err != nil {
		t.Fatal(err)
	}
}

func clock(t *testing.T, s issuer.Store) time.Time {
	t.Helper()
	_, now, err := s.Load(t.Context(), "nobody's")
	if err != nil {
		t.Fatal(err)
	}
	return now
}

func swap(t *testing.T, s issuer.Store, r issuer.Record) {
	t.Helper()
	if swapped, err := s.Swap(t.Context(), r); err != nil || !swapped {
		t.Fatalf("Swap: %v, %v", swapped, err)
	}
}

func TestSchemaVersion(t *testing.T) {
	onBoth(t, func(t *testing.T, s *issuersql.Store, db *sql.DB, table string) {
		for name, damage := range map[string]string{
			"later":   `UPDATE "` + table + `_schema" SET version = 2`,
			"empty":   `DELETE FROM "` + table + `_schema"`,
			"missing": `DROP TABLE "` + table + `_schema"`,
		} {
			t.Run(name, func(t *testing.T) {
				if err := s.CreateSchema(t.Context()); err != nil {
					t.Fatal(err)
				}
				do(t, db, damage)
				fresh, err := issuersql.New(db, configOf(t, table))
				if err != nil {
					t.Fatal(err)
				}
				if _, _, err := fresh.Load(t.Context(), "s"); !errors.Is(err, issuersql.ErrSchema) {
					t.Errorf("Load: %v", err)
				}
				if _, err := fresh.Swap(t.Context(), issuer.Record{Session: "s", Version: 1}); !errors.Is(err, issuersql.ErrSchema) {
					t.Errorf("Swap: %v", err)
				}
				if err := fresh.Check(t.Context()); !errors.Is(err, issuersql.ErrSchema) {
					t.Errorf("Check: %v", err)
				}
				if name == "later" {
					if err := fresh.CreateSchema(t.Context()); !errors.Is(err, issuersql.ErrSchema) {
						t.Errorf("CreateSchema: %v", err)
					}
					do(t, db, `UPDATE "`+table+`_schema" SET version = 1`)
				}
			})
		}
	})
}

func configOf(t *testing.T, table string) issuersql.Config {
	c := issuersql.Config{Dialect: issuersql.PostgreSQL, Table: table}
	if strings.Contains(t.Name(), "SQLite") {
		c.Dialect = issuersql.SQLite
	}
	return c
}

// TestCreateSchemaAtOnce is many machines that start at once.
func TestCreateSchemaAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *issuersql.Store, db *sql.DB, table string) {
		for _, other := range []string{"order", "sessions_of_another", "a"} {
			c := configOf(t, other)
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					s, err := issuersql.New(db, c)
					if err == nil {
						err = s.CreateSchema(t.Context())
					}
					if err != nil {
						t.Errorf("table %q: %v", other, err)
					}
				})
			}
			all.Wait()
			mine, _ := issuersql.New(db, c)
			swap(t, mine, issuer.Record{Session: table + "s", Subject: other, Version: 1, Expiry: clock(t, mine).Add(time.Hour)})
		}
		if r, _, err := s.Load(t.Context(), table+"s"); err != nil || r.Version != 0 {
			t.Errorf("another table's session: %v, %v", r, err)
		}
	})
}

func TestRemoveExpired(t *testing.T) {
	onBoth(t, func(t *testing.T, s *issuersql.Store, db *sql.DB, table string) {
		now := clock(t, s)
		for i := range 25 {
			swap(t, s, issuer.Record{Session: fmt.Sprint("old", i), Subject: "alice", Version: 1, Expiry: now.Add(-time.Hour)})
		}
		for i := range 3 {
			swap(t, s, issuer.Record{Session: fmt.Sprint("live", i), Subject: "alice", Version: 1, Expiry: now.Add(time.Hour)})
		}
		if removed, err := s.RemoveExpired(t.Context(), 0); err == nil || removed != 0 {
			t.Errorf("batches of 0: %d, %v", removed, err)
		}
		if removed, err := s.RemoveExpired(t.Context(), 10); err != nil || removed != 25 {
			t.Errorf("removed %d, %v", removed, err)
		}
		var left int
		if err := db.QueryRow(`SELECT count(*) FROM "` + table + `"`).Scan(&left); err != nil || left != 3 {
			t.Errorf("%d rows are left, %v", left, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.RemoveExpired(ctx, 10); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
	})
}

// TestRemoveExpiredWaitsForNobody has a row that another transaction holds.
func TestRemoveExpiredWaitsForNobody(t *testing.T) {
	t.Parallel()
	table := newTable()
	s, db := openPostgres(t, postgres(t).address(), issuersql.Config{Table: table})
	for _, session := range []string{"held", "free"} {
		swap(t, s, issuer.Record{Session: session, Subject: "alice", Version: 1, Expiry: clock(t, s).Add(-time.Hour)})
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`SELECT 1 FROM ` + table + ` WHERE session = 'held' FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	if removed, err := s.RemoveExpired(t.Context(), 10); err != nil || removed != 1 {
		t.Errorf("removed %d, %v", removed, err)
	}
}

// TestSerialisationFailures has a server on which every transaction is
// serialisable, so that most who lose a race fail.
func TestSerialisationFailures(t *testing.T) {
	t.Parallel()
	server, table := postgres(t), newTable()
	openPostgres(t, server.address(), issuersql.Config{Table: table})
	db, err := sql.Open("pgx", dsn(server.address())+"&default_transaction_isolation=serializable")
	if err != nil {
		t.Fatal(err)
	}
	s := opened(t, db, issuersql.Config{Dialect: issuersql.PostgreSQL, Table: table})
	r := issuer.Record{Session: "s", Subject: "alice", Expiry: clock(t, s).Add(time.Hour)}
	for r.Version = 1; r.Version < 20; r.Version++ {
		var all sync.WaitGroup
		var won atomic.Int64
		for range 16 {
			all.Go(func() {
				swapped, err := s.Swap(t.Context(), r)
				if err != nil {
					t.Errorf("Swap: %v", err)
				}
				if swapped {
					won.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("version %d: %d won", r.Version, won.Load())
		}
	}
}

// TestLocked has a file that another process writes.
func TestLocked(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	s, _ := openSQLite(t, file, issuersql.Config{})
	_, other := openSQLite(t, file, issuersql.Config{})
	r := issuer.Record{Session: "s", Subject: "alice", Version: 1, Expiry: clock(t, s).Add(time.Hour)}
	c, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if swapped, err := s.Swap(ctx, r); swapped || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Swap while it is locked: %v, %v", swapped, err)
	}
	time.AfterFunc(100*time.Millisecond, func() { c.ExecContext(context.Background(), `ROLLBACK`) })
	swap(t, s, r)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	server := postgres(t)
	file := newFile(t)
	openPostgres(t, server.address(), issuersql.Config{Table: "checked"})
	openSQLite(t, file, issuersql.Config{Table: "checked"})
	for name, row := range map[string]struct {
		dialect        issuersql.Dialect
		driver, source string
		good           bool
	}{
		"PostgreSQL":         {issuersql.PostgreSQL, "pgx", dsn(server.address()), true},
		"asynchronous":       {issuersql.PostgreSQL, "pgx", dsn(server.address()) + "&synchronous_commit=off", false},
		"SQLite":             {issuersql.SQLite, "sqlite", "file:" + file + durable, true},
		"without a log":      {issuersql.SQLite, "sqlite", "file:" + newFile(t) + "?_pragma=journal_mode(OFF)", false},
		"not written though": {issuersql.SQLite, "sqlite", "file:" + file + "?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)", false},
	} {
		db, err := sql.Open(row.driver, row.source)
		if err != nil {
			t.Fatal(err)
		}
		s := opened(t, db, issuersql.Config{Dialect: row.dialect, Table: "checked"})
		if err := s.Check(t.Context()); (err == nil) != row.good || errors.Is(err, issuersql.ErrSchema) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDamagedByHand: an error that is not about the token, and nobody's session
// ends for it.
func TestDamagedByHand(t *testing.T) {
	onBoth(t, func(t *testing.T, s *issuersql.Store, db *sql.DB, table string) {
		node := newNode(t, s, 0, secret)
		for name, damage := range map[string]string{
			"data":                  `UPDATE "` + table + `" SET data = substr(data, 1, 20)`,
			"subject":               `UPDATE "` + table + `" SET subject = (SELECT data FROM "` + table + `")`,
			"an older version back": `UPDATE "` + table + `" SET version = version + 5`,
		} {
			t.Run(name, func(t *testing.T) {
				do(t, db, `DELETE FROM "`+table+`"`)
				pair, err := node.Issue(t.Context(), claims.Claims[struct{}]{Subject: "alice"})
				if err != nil {
					t.Fatal(err)
				}
				var version int64
				var subject, data []byte
				row := db.QueryRow(`SELECT version, subject, data FROM "` + table + `"`)
				if err := row.Scan(&version, &subject, &data); err != nil {
					t.Fatal(err)
				}
				do(t, db, damage)
				if next, err := node.Refresh(t.Context(), pair.RefreshToken); err == nil || errors.Is(err, issuer.ErrGrant) && name != "subject" {
					t.Errorf("damaged: %v, %v", next, err)
				}
				repair := `UPDATE "` + table + `" SET version = $1, subject = $2, data = $3`
				do(t, db, repair, version, subject, data)
				if _, err := node.Refresh(t.Context(), pair.RefreshToken); err != nil {
					t.Errorf("repaired: %v", err)
				}
			})
		}
	})
}

// TestAnotherDeployment presents tokens of one that has other keys.
func TestAnotherDeployment(t *testing.T) {
	onBoth(t, func(t *testing.T, s *issuersql.Store, db *sql.DB, table string) {
		ours := newNode(t, s, 0, secret)
		theirs := newNode(t, s, 0, strings.ToUpper(secret))
		pair, err := ours.Issue(t.Context(), claims.Claims[struct{}]{Subject: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := theirs.Refresh(t.Context(), pair.RefreshToken); !errors.Is(err, issuer.ErrGrant) {
			t.Errorf("theirs: %v", err)
		}
		if _, err := ours.Refresh(t.Context(), pair.RefreshToken); err != nil {
			t.Errorf("ours: %v", err)
		}
	})
}

// TestDiskFullSQLite gives a file no more room.
func TestDiskFullSQLite(t *testing.T) {
	t.Parallel()
	s, db := openSQLite(t, newFile(t), issuersql.Config{})
	db.SetMaxOpenConns(1) // the bound is the connection's
	full(t, s,
		func() { do(t, db, `PRAGMA max_page_count = 100`) },
		func() { do(t, db, `PRAGMA max_page_count = 1000000`) })
}

// TestDiskFullPostgreSQL has its table on a disk of 8 MiB, which only root can make.
func TestDiskFullPostgreSQL(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	disk := filepath.Join(p.dir, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	options := "size=8m,mode=700"
	if p.user != nil {
		options += fmt.Sprintf(",uid=%d,gid=%d", p.user.Uid, p.user.Gid)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("no small disk can be mounted, run as root: %v %s", err, out)
	}
	t.Cleanup(func() {
		p.stop()
		if out, err := exec.Command("umount", disk).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	s, db := openPostgres(t, p.address(), issuersql.Config{})
	do(t, db, `CREATE TABLESPACE small LOCATION '`+disk+`'`)
	do(t, db, `ALTER TABLE gatehouse_sessions SET TABLESPACE small`)
	full(t, s, func() {}, func() {
		if out, err := exec.Command("mount", "-o", "remount,size=64m", disk).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	})
}

// full issues sessions until there is no room, and then makes room.
func full(t *testing.T, s issuer.Store, bound, free func()) {
	t.Helper()
	node := newNode(t, s, 0, secret)
	pair, err := node.Issue(t.Context(), claims.Claims[struct{}]{Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	bound()
	r := issuer.Record{Subject: "bob", Version: 1, Expiry: clock(t, s).Add(time.Hour), Data: random(60 << 10)}
	for i := 0; err == nil; i++ {
		if i == 2000 {
			t.Fatal("it is never full")
		}
		r.Session = fmt.Sprint("fill", i)
		_, err = s.Swap(t.Context(), r)
	}
	t.Logf("full: %v", err)
	for len(r.Data) > 0 { // to the brim
		r.Session, r.Data = fmt.Sprint("brim", len(r.Data)), r.Data[:len(r.Data)/2]
		s.Swap(t.Context(), r)
	}
	token, refused := pair.RefreshToken, 0
	for range 5 {
		next, err := (local{node}).refresh(t.Context(), token)
		switch {
		case err == nil:
			token = next // there was room for so little
		case errors.Is(err, issuer.ErrGrant):
			t.Fatalf("a full disk ended a session: %v", err)
		default:
			refused++
		}
	}
	t.Logf("%d of 5 refreshes found no room", refused)
	free()
	if _, err := (local{node}).refresh(t.Context(), token); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
