// Enableiot is a server that the clients of EnableIoT and of its successor, the
// Open IoT Service Platform, can use without noticing: a single long-lived token
// that says what its user may do, and is fetched again when that changes. Copy
// from here for that style; README.md says what is different from the original.
//
//	go run ./examples/enableiot -user me@example.com:secret-word:admin
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// settings are what the flags say.
type settings struct {
	addr                   string
	access, refresh        time.Duration
	authLimit, hourlyLimit int
	users                  []credentials
	locked                 []string
	refreshable            bool // there are refresh tokens
	time                   claims.TimeFormat
	logger                 *slog.Logger
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run serves until ctx ends, and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil { // package flag has already written which and why
		return 2
	}
	server, err := newServer(s)
	if err != nil {
		fmt.Fprintln(stderr, "enableiot:", err)
		return 2
	}
	if err := listen(ctx, s.addr, server, stdout); err != nil {
		fmt.Fprintln(stderr, "enableiot:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{
		addr: "127.0.0.1:0", access: 24 * time.Hour, refresh: 30 * 24 * time.Hour, authLimit: 60, hourlyLimit: 1000,
		logger: slog.New(slog.NewTextHandler(stderr, nil)),
	}
	f := flag.NewFlagSet("enableiot", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Func("addr", "`HOST:PORT` to listen on (default 127.0.0.1:0)", func(text string) error {
		s.addr = text
		_, err := net.ResolveTCPAddr("tcp", text)
		return err
	})
	f.Func("access-ttl", "how long tokens live, no longer than refresh tokens (default 24h)", between(&s.access, 7*24*time.Hour))
	f.Func("refresh-ttl", "how long refresh tokens live (default 720h)", between(&s.refresh, 366*24*time.Hour))
	f.Func("auth-limit", "logins and refreshes a minute from one address (default 60)", count(&s.authLimit))
	f.Func("hourly-limit", "requests an hour by one user to one route (default 1000)", count(&s.hourlyLimit))
	var badUser error
	f.Func("user", "`EMAIL:PASSWORD:ROLE` of a user, repeatable; ROLE is a word such as admin or user", func(text string) error {
		u, err := parseUser(text)
		s.users, badUser = append(s.users, u), errors.Join(badUser, err)
		return nil // package flag would print the password
	})
	f.Func("locked", "`EMAIL` of a user who is locked, repeatable", func(text string) error {
		s.locked = append(s.locked, text)
		return nil
	})
	generations := map[string]settings{
		"a": {time: claims.RFC3339}, "b": {time: claims.Milliseconds},
		"c": {time: claims.RFC3339, refreshable: true}, "d": {time: claims.Milliseconds, refreshable: true},
	}
	generation, exp := "a", ""
	f.Func("generation", "`a|b|c|d`: with refresh tokens from c on, exp a number in b and d (default a)", func(text string) error {
		generation = text
		return oneOf(generations, text)
	})
	formats := map[string]claims.TimeFormat{"iso": claims.RFC3339, "ms": claims.Milliseconds}
	f.Func("exp", "`iso|ms`: how exp is written, whatever the generation", func(text string) error {
		exp = text
		return oneOf(formats, text)
	})
	err := f.Parse(args)
	switch {
	case err != nil:
		return s, err
	case badUser != nil:
		err = fmt.Errorf("-user: %w", badUser)
	case f.NArg() > 0:
		err = fmt.Errorf("%q: there are only flags", f.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(stderr, "enableiot:", err)
	}
	s.time, s.refreshable = generations[generation].time, generations[generation].refreshable
	if exp != "" {
		s.time = formats[exp]
	}
	if s.users == nil {
		s.users = []credentials{{"demo@example.com", "demo-password", "admin"}}
	}
	return s, err
}

func oneOf[V any](known map[string]V, text string) error {
	if _, ok := known[text]; !ok {
		return errors.New("there is no such one")
	}
	return nil
}

func count(n *int) func(string) error {
	return func(text string) (err error) {
		if *n, err = strconv.Atoi(text); err != nil || *n < 1 || *n > 1_000_000 {
			return errors.New("must be a number from 1 to 1000000")
		}
		return nil
	}
}

func between(d *time.Duration, most time.Duration) func(string) error {
	return func(text string) (err error) {
		if *d, err = time.ParseDuration(text); err != nil || *d < time.Second || *d > most {
			return fmt.Errorf("must be a duration from 1s to %v", most)
		}
		return nil
	}
}

func listen(ctx context.Context, addr string, handler http.Handler, stdout io.Writer) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "listening on http://%s\n", listener.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return server.Close()
	}
	return nil
}
