// Fib is a server that the clients of FIB, the Fraud Intelligence Blockchain, can
// use without noticing: whoever can sign his e-mail address with the Ed25519 key
// that is registered for it, is in. Copy from here for logins without passwords;
// README.md says what is different from the original.
//
//	cd examples/fib && go run . -account me@example.com:PUBLICKEYHEX:ROLE_PEER
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
)

// settings are what the flags say.
type settings struct {
	addr            string
	access, refresh time.Duration
	authLimit       int
	accounts        accounts
	domain          string
	audience        string
	challengeOnly   bool
	hideUnknown     bool
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
	if err := serve(ctx, s, stdout); err != nil {
		fmt.Fprintln(stderr, "fib:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{
		addr: "127.0.0.1:0", access: 5 * time.Minute, refresh: 24 * time.Hour, authLimit: 60,
		accounts: accounts{}, logger: slog.New(slog.NewTextHandler(stderr, nil)),
	}
	f := flag.NewFlagSet("fib", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Func("addr", "`HOST:PORT` to listen on (default 127.0.0.1:0)", func(text string) error {
		s.addr = text
		_, err := net.ResolveTCPAddr("tcp", text)
		return err
	})
	f.Func("access-ttl", "how long access tokens live, no longer than refresh tokens (default 5m)", between(&s.access, 7*24*time.Hour))
	f.Func("refresh-ttl", "how long refresh tokens live (default 24h)", between(&s.refresh, 366*24*time.Hour))
	f.Func("auth-limit", "requests a minute to the session routes from one address (default 60)", func(text string) error {
		var err error
		if s.authLimit, err = strconv.Atoi(text); err != nil || s.authLimit < 1 || s.authLimit > 1_000_000 {
			return errors.New("must be a number from 1 to 1000000")
		}
		return nil
	})
	f.Func("account", "`EMAIL:PUBLICKEYHEX:ROLE` of an account, repeatable", s.accounts.add)
	f.StringVar(&s.domain, "domain", "wonderland", "`NAME` behind the @ of account ids")
	f.StringVar(&s.audience, "audience", "", "`NAME` of this server in challenges (default the URL that it listens on)")
	f.BoolVar(&s.challengeOnly, "challenge-only", false, "refuse proofs that are the same at every login")
	f.BoolVar(&s.hideUnknown, "hide-unknown", false, "answer 422 and not 404 for accounts that don't exist")
	err := f.Parse(args)
	s.access = min(s.access, s.refresh)
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("%q: there are only flags", f.Arg(0))
		fmt.Fprintln(stderr, err)
	}
	if len(s.accounts) == 0 && err == nil {
		s.logger.Warn("no -account: the demo account's private key is public", "account", demoAccount)
		err = s.accounts.add(demoAccount)
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

func serve(ctx context.Context, s settings, stdout io.Writer) error {
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	if s.audience == "" {
		s.audience = "http://" + listener.Addr().String()
	}
	handler, err := newServer(s)
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
