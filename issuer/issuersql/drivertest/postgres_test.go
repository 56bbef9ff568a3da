package drivertest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
)

// postgres starts one PostgreSQL for all tests that only use it.
func postgres(t testing.TB) *process {
	t.Helper()
	onePostgres.Do(func() { thePostgres = newPostgres(t) })
	if thePostgres == nil {
		missing(t, "PostgreSQL", getPostgres)
	}
	return thePostgres
}

var (
	onePostgres sync.Once
	thePostgres *process
)

const getPostgres = "install a postgresql package (apt-get install postgresql), or put initdb and postgres in PATH"

// newPostgres starts a PostgreSQL for a test that kills or fills it.
func newPostgres(t testing.TB) *process {
	t.Helper()
	bin := postgresBin()
	if bin == "" {
		missing(t, "PostgreSQL", getPostgres)
	}
	p := newProcess(t, filepath.Join(bin, "postgres"))
	p.user = unprivileged(t)
	if p.user != nil {
		if err := os.Chown(p.dir, int(p.user.Uid), int(p.user.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(p.dir, "data")
	c := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "gatehouse", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
	c.Dir = p.dir
	c.SysProcAttr = &syscall.SysProcAttr{Credential: p.user}
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p.arguments = []string{"-D", data, "-p", strconv.Itoa(p.port), "-h", "127.0.0.1", "-k", p.dir, "-c", "shared_buffers=64MB"}
	p.start(t, func() error { return pingPostgres(p) })
	return p
}

func postgresBin() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(slices.Max(found))
}

// unprivileged is who runs PostgreSQL, which refuses to be run by root.
func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(u.Uid)
			gid, _ := strconv.Atoi(u.Gid)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	missing(t, "a user to run PostgreSQL", "add the user postgres, or don't run the tests as root")
	return nil
}

func dsn(address string) string {
	return fmt.Sprintf("postgres://gatehouse@%s/postgres?sslmode=disable&connect_timeout=5", address)
}

func pingPostgres(p *process) error {
	db, err := sql.Open("pgx", dsn(p.address()))
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return db.PingContext(ctx)
}

// openPostgres opens sessions at an address, which may be a proxy's.
func openPostgres(t testing.TB, address string, c issuersql.Config) (*issuersql.Store, *sql.DB) {
	t.Helper()
	db, err := sql.Open("pgx", dsn(address))
	if err != nil {
		t.Fatal(err)
	}
	c.Dialect = issuersql.PostgreSQL
	return opened(t, db, c), db
}

func opened(t testing.TB, db *sql.DB, c issuersql.Config) *issuersql.Store {
	t.Helper()
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	t.Cleanup(func() { db.Close() })
	s, err := issuersql.New(db, c)
	if err != nil {
		t.Fatal(err)
	}
	c.Timeout = patience // for the schema, however short it is for the test
	creator, err := issuersql.New(db, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := creator.CreateSchema(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}
