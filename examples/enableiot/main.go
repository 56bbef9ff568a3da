// Enableiot is a server that the clients of EnableIoT and of its successor, the
// Open IoT Service Platform, can use without noticing: a single long-lived token
// that says what its user may do, and is fetched again when that changes. Copy
// from here for that style; README.md says what is different from the original.
//
// The server is what New returns, a handler for any program. This file has only
// flags and a listener: leave it behind.
//
//	go run ./examples/enableiot -user me@example.com:secret-word:admin
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer/signing"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run serves until ctx ends, and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return runWith(ctx, newKey, args, stdout, stderr)
}

// runWith is run with keys from elsewhere: making one takes a tenth of a second.
func runWith(ctx context.Context, keys func() (*signing.Schedule, error), args []string, stdout, stderr io.Writer) int {
	addr, c, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil: // package flag has already written which and why
		return 2
	}
	var handler http.Handler
	if c.Keys, err = keys(); err == nil {
		handler, err = New(c)
	}
	if err != nil {
		fmt.Fprintln(stderr, "enableiot:", asFlags.Replace(err.Error()))
		return 2
	}
	if err := listen(ctx, addr, handler, stdout); err != nil {
		fmt.Fprintln(stderr, "enableiot:", err)
		return 1
	}
	return 0
}

// asFlags names the flags where New names the fields of a Config.
var asFlags = strings.NewReplacer("Users:", "-user:")

// newKey makes a key that ends with the process. A real server loads its keys:
// see signing.LoadSchedule.
func newKey() (*signing.Schedule, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	key, err := signing.NewKey("RS256", private, time.Time{})
	if err != nil {
		return nil, err
	}
	return signing.NewSchedule(key)
}

func parse(args []string, stderr io.Writer) (addr string, c Config, err error) {
	addr, c.Logger = "127.0.0.1:0", slog.New(slog.NewTextHandler(stderr, nil))
	f := flag.NewFlagSet("enableiot", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Func("addr", "`HOST:PORT` to listen on (default 127.0.0.1:0)", func(text string) error {
		addr = text
		_, err := net.ResolveTCPAddr("tcp", text)
		return err
	})
	f.Func("access-ttl", "how long tokens live, no longer than refresh tokens (default 24h)", between(&c.AccessLife, 7*24*time.Hour))
	f.Func("refresh-ttl", "how long refresh tokens live (default 720h)", between(&c.RefreshLife, 366*24*time.Hour))
	f.Func("auth-limit", "logins and refreshes a minute from one address (default 60)", count(&c.AuthLimit))
	f.Func("hourly-limit", "requests an hour by one user to one route (default 1000)", count(&c.HourlyLimit))
	var mistake error
	f.Func("user", "`EMAIL:PASSWORD:ROLE` of a user, repeatable; ROLE is admin or user in an account named demo, or empty", func(text string) error {
		u, err := parseUser(text)
		c.Users, mistake = append(c.Users, u), errors.Join(mistake, err)
		return nil // package flag would print the password
	})
	var locked []string
	f.Func("locked", "`EMAIL` of a user who is locked, repeatable", func(text string) error {
		locked = append(locked, text)
		return nil
	})
	generations := map[string]Config{"a": {}, "b": {MillisecondExpiry: true}, "c": {RefreshTokens: true}, "d": {MillisecondExpiry: true, RefreshTokens: true}}
	generation, exp := "a", ""
	f.Func("generation", "`a|b|c|d`: with refresh tokens from c on, exp a number in b and d (default a)", func(text string) error {
		generation = text
		return oneOf(generations, text)
	})
	formats := map[string]bool{"iso": false, "ms": true}
	f.Func("exp", "`iso|ms`: how exp is written, whatever the generation", func(text string) error {
		exp = text
		return oneOf(formats, text)
	})
	if err := f.Parse(args); err != nil {
		return addr, c, err
	}
	if c.Users == nil {
		c.Users = []User{{Email: "demo@example.com", Password: "demo-password", Role: "admin"}}
	}
	c.MillisecondExpiry, c.RefreshTokens = generations[generation].MillisecondExpiry, generations[generation].RefreshTokens
	if exp != "" {
		c.MillisecondExpiry = formats[exp]
	}
	switch {
	case mistake != nil:
		err = fmt.Errorf("-user: %w", mistake)
	case f.NArg() > 0:
		err = fmt.Errorf("%q: there are only flags", f.Arg(0))
	default:
		err = lock(c.Users, locked)
	}
	if err != nil {
		fmt.Fprintln(stderr, "enableiot:", err)
	}
	return addr, c, err
}

func parseUser(text string) (u User, err error) {
	address, rest, _ := strings.Cut(text, ":")
	end := strings.LastIndexByte(rest, ':')
	if end < 1 {
		return u, errors.New("must be EMAIL:PASSWORD:ROLE")
	}
	if u.Email, err = ratelimit.Email(address); err != nil {
		return u, fmt.Errorf("EMAIL: %w", err)
	}
	if u.Password, u.Role = rest[:end], rest[end+1:]; !roles.MatchString(u.Role) {
		return u, errors.New("ROLE is not a word")
	}
	return u, nil
}

// lock locks the users with some addresses.
func lock(users []User, emails []string) error {
	for _, address := range emails {
		email, _ := ratelimit.Email(address)
		i := slices.IndexFunc(users, func(u User) bool { return u.Email == email })
		if i < 0 {
			return fmt.Errorf("-locked: there is no user %s", address)
		}
		users[i].Locked = true
	}
	return nil
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
