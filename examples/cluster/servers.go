package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// cluster is everything that runs.
type cluster struct {
	base      string // what users know
	dir       string
	processes []*process // in the order in which they were started
	replicas  []*process
	place     place // where replicas find what they share
}

// programs are those of others that we need.
type programs struct{ redis, postgres, initdb string }

// find says everything that is missing at once.
func find() (programs, error) {
	var p programs
	var mistakes []error
	var err error
	if p.redis, err = exec.LookPath("redis-server"); err != nil {
		mistakes = append(mistakes, errors.New("redis-server is missing: install a redis package (Debian: apt-get install redis-server)"))
	}
	if p.initdb, err = exec.LookPath("initdb"); err != nil {
		// Where Debian has it, outside of PATH.
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
		if len(found) == 0 {
			mistakes = append(mistakes, errors.New("PostgreSQL is missing: install a postgresql package (Debian: apt-get install postgresql), or put initdb and postgres in PATH"))
		} else {
			p.initdb = slices.Max(found)
		}
	}
	p.postgres = filepath.Join(filepath.Dir(p.initdb), "postgres")
	return p, errors.Join(mistakes...)
}

// start starts the servers and two replicas. What it returns must be stopped, also
// with an error.
func start(ctx context.Context) (*cluster, error) {
	found, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "gatehouse-cluster-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir}
	for _, step := range []func() error{
		func() error { return os.Chmod(dir, 0o755) }, // PostgreSQL may be another user
		c.makeKey,
		func() error { return c.startRedis(ctx, found) },
		func() error { return c.startPostgres(ctx, found) },
		func() error { return c.startReplica(ctx, "one") },
		func() error { return c.startReplica(ctx, "two") },
	} {
		if err := step(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// stop ends what runs, last started first.
func (c *cluster) stop() {
	for _, p := range slices.Backward(c.processes) {
		p.signal(syscall.SIGINT)
	}
	os.RemoveAll(c.dir)
}

// makeKey makes the key that all replicas sign with. A real one comes from where
// you keep secrets.
func (c *cluster) makeKey() error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	c.place.Key = filepath.Join(c.dir, "key.pem")
	return os.WriteFile(c.place.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// run starts a server on a free port.
func (c *cluster) run(ctx context.Context, name string, command func(port int) *exec.Cmd) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := launch(ctx, c.dir, name, port, command(port))
	if err != nil {
		return nil, err
	}
	c.processes = append(c.processes, p)
	return p, nil
}

func (c *cluster) startRedis(ctx context.Context, found programs) error {
	p, err := c.run(ctx, "redis", func(port int) *exec.Cmd {
		return exec.Command(found.redis, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "")
	})
	if err == nil {
		c.place.Redis = p.address()
	}
	return err
}

func (c *cluster) startPostgres(ctx context.Context, found programs) error {
	who, err := unprivileged()
	if err != nil {
		return err
	}
	data := filepath.Join(c.dir, "postgres")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if who != nil {
		if err := os.Chown(data, int(who.Uid), int(who.Gid)); err != nil {
			return err
		}
	}
	as := &syscall.SysProcAttr{Credential: who}
	initdb := exec.Command(found.initdb, "-D", data, "-U", "gatehouse", "-A", "trust", "-E", "UTF8", "--no-locale")
	initdb.Dir, initdb.SysProcAttr = data, as
	if said, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, said)
	}
	p, err := c.run(ctx, "postgresql", func(port int) *exec.Cmd {
		command := exec.Command(found.postgres, "-D", data, "-p", strconv.Itoa(port), "-h", "127.0.0.1", "-k", data)
		command.SysProcAttr = as
		return command
	})
	if err != nil {
		return err
	}
	c.place.Postgres = fmt.Sprintf("postgres://gatehouse@%s/postgres?sslmode=disable", p.address())
	return untilReady(ctx, c.place.Postgres)
}

// untilReady waits for PostgreSQL, which takes connections before it can be asked
// anything.
func untilReady(ctx context.Context, address string) error {
	db, err := sql.Open("pgx", address)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		err := db.PingContext(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// unprivileged is who runs PostgreSQL, which refuses to be run by root; nil if we
// are not root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(u.Uid, 10, 32)
			gid, _ := strconv.ParseUint(u.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL refuses to be run by root: add the user postgres, or don't be root")
}

// startReplica starts this program again, as a replica.
func (c *cluster) startReplica(ctx context.Context, name string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p, err := c.run(ctx, "replica-"+name, func(port int) *exec.Cmd {
		command := exec.Command(self)
		place := c.place
		place.Name, place.Listen = name, fmt.Sprintf("127.0.0.1:%d", port)
		command.Env = append(os.Environ(), place.environment())
		return command
	})
	if err == nil {
		c.replicas = append(c.replicas, p)
	}
	return err
}
