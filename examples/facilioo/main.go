// Facilioo is a server that the clients of facilioo, a property management
// system, can use without noticing: password plus party type, RS256, one-time
// refresh tokens, password recovery with six-digit codes. Copy from here for a
// login of that style; README.md says what is different from the original.
//
//	go run ./examples/facilioo -user me@example.com:secret-word:PropertyManagementCompany
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
	"strings"
	"syscall"
	"time"
)

// settings are what the flags say.
type settings struct {
	addr            string
	access, refresh time.Duration
	authLimit       int
	users           []user
	second          map[string]secondFactor // by e-mail
	partyMember     string
	objectToken     bool
	mails           outbox
	logger          *slog.Logger
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
		fmt.Fprintln(stderr, "facilioo:", err)
		return 2
	}
	if err := listen(ctx, s.addr, server, stdout); err != nil {
		fmt.Fprintln(stderr, "facilioo:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{
		addr: "127.0.0.1:0", access: time.Hour, refresh: 30 * 24 * time.Hour, authLimit: 60,
		partyMember: "partyType", second: map[string]secondFactor{},
		mails: printed{stderr}, logger: slog.New(slog.NewTextHandler(stderr, nil)),
	}
	f := flag.NewFlagSet("facilioo", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Func("addr", "`HOST:PORT` to listen on (default 127.0.0.1:0)", func(text string) error {
		s.addr = text
		_, err := net.ResolveTCPAddr("tcp", text)
		return err
	})
	f.Func("access-ttl", "how long access tokens live, no longer than refresh tokens (default 1h)", between(&s.access, 7*24*time.Hour))
	f.Func("refresh-ttl", "how long refresh tokens live (default 720h)", between(&s.refresh, 366*24*time.Hour))
	f.Func("auth-limit", "requests a minute to /api/auth from one address (default 60)", func(text string) error {
		var err error
		if s.authLimit, err = strconv.Atoi(text); err != nil || s.authLimit < 1 || s.authLimit > 1_000_000 {
			return errors.New("must be a number from 1 to 1000000")
		}
		return nil
	})
	var badUser error
	f.Func("user", "`EMAIL:PASSWORD:PARTY[@COMPANY]` of an account, repeatable; PARTY is a name or number, COMPANY a number (default 2)", func(text string) error {
		u, err := parseUser(text)
		s.users, badUser = append(s.users, u), errors.Join(badUser, err)
		return nil // package flag would print the password
	})
	f.Func("two-factor", "`EMAIL[:skippable]` of an account with a second factor, repeatable; skippable lets its client skip it", func(text string) error {
		email, skippable, _ := strings.Cut(text, ":")
		if skippable != "" && skippable != "skippable" {
			return errors.New("after the colon can only be: skippable")
		}
		s.second[email] = secondFactor{skippable: skippable != ""}
		return nil
	})
	f.Func("party-member", "`NAME` of the token's member that holds the party type (default partyType)", func(text string) error {
		s.partyMember = text
		return checkDialect(text)
	})
	f.BoolVar(&s.objectToken, "refresh-token-object", false, `answer {"refreshToken":{"token":"..."}} instead of a string`)
	f.Func("outbox", "`DIR` for mails, a file each (default: mails are written to stderr)", func(text string) error {
		s.mails = spool{text}
		return os.MkdirAll(text, 0o700)
	})
	err := f.Parse(args)
	s.access = min(s.access, s.refresh)
	switch {
	case err != nil:
		return s, err
	case badUser != nil:
		err = fmt.Errorf("-user: %w", badUser)
	case f.NArg() > 0:
		err = fmt.Errorf("%q: there are only flags", f.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(stderr, "facilioo:", err)
	}
	if s.users == nil {
		demo, _ := parseUser("demo@example.com:demo-password:PropertyManagementCompany")
		s.users = append(s.users, demo)
	}
	return s, err
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
