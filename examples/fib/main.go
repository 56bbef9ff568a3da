// Fib is a server that the clients of FIB, the Fraud Intelligence Blockchain, can
// use without noticing: a client signs an e-mail address with the Ed25519 key that
// is registered for it, and is in. Copy from here for logins without passwords;
// README.md says what is different from the original.
//
// The server is what New returns, a handler for any program. This file has only
// flags and a listener: leave it behind.
//
//	cd examples/fib && go run . -account me@example.com:PUBLICKEYHEX:ROLE_PEER
package main

import (
	"context"
	"encoding/hex"
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

	"github.com/gatehouse-go/gatehouse/claims"
)

// demoAccount is the one of a public test vector.
const demoAccount = "alice@wonderland.space:7fbedb314a9b0c00caef967ac5cabb982ec45da828a0c58a9aafc854f32422ac:ROLE_PEER"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run serves until ctx ends, and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	addr, c, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil: // package flag has already written which and why
		return 2
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(stderr, "fib:", err)
		return 1
	}
	defer listener.Close()
	if c.Audience == "" {
		c.Audience = "http://" + listener.Addr().String()
	}
	handler, err := New(c)
	if err != nil {
		fmt.Fprintln(stderr, "fib:", asFlags.Replace(err.Error()))
		return 2
	}
	if err := serve(ctx, listener, handler, stdout); err != nil {
		fmt.Fprintln(stderr, "fib:", err)
		return 1
	}
	return 0
}

// asFlags names the flags where New names the fields of a Config.
var asFlags = strings.NewReplacer("Accounts:", "-account:", "Domain:", "-domain:", "Audience:", "-audience:")

func parse(args []string, stderr io.Writer) (addr string, c Config, err error) {
	addr, c.Logger = "127.0.0.1:0", slog.New(slog.NewTextHandler(stderr, nil))
	f := flag.NewFlagSet("fib", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Func("addr", "`HOST:PORT` to listen on (default 127.0.0.1:0)", func(text string) error {
		addr = text
		_, err := net.ResolveTCPAddr("tcp", text)
		return err
	})
	f.Func("access-ttl", "how long access tokens live, no longer than refresh tokens (default 5m)", between(&c.AccessLife, 7*24*time.Hour))
	f.Func("refresh-ttl", "how long refresh tokens live (default 24h)", between(&c.RefreshLife, 366*24*time.Hour))
	f.Func("auth-limit", "requests a minute to the session routes from one address (default 60)", func(text string) error {
		var err error
		if c.AuthLimit, err = strconv.Atoi(text); err != nil || c.AuthLimit < 1 || c.AuthLimit > 1_000_000 {
			return errors.New("must be a number from 1 to 1000000")
		}
		return nil
	})
	f.Func("account", "`EMAIL:PUBLICKEYHEX:ROLE[:ACCOUNT]`, repeatable; ACCOUNT is NAME@DOMAIN", func(text string) error {
		a, err := readAccount(text)
		c.Accounts = append(c.Accounts, a)
		return err
	})
	f.StringVar(&c.Domain, "domain", "wonderland", "`NAME` behind the @ of accounts that are given without ACCOUNT")
	f.StringVar(&c.Audience, "audience", "", "`NAME` of this server in challenges (default the URL that it listens on)")
	f.BoolVar(&c.ChallengeOnly, "challenge-only", false, "refuse proofs that are the same at every login")
	f.BoolVar(&c.HideUnknown, "hide-unknown", false, "answer 422 and not 404 for accounts that don't exist")
	err = f.Parse(args)
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("%q: there are only flags", f.Arg(0))
		fmt.Fprintln(stderr, "fib:", err)
	}
	if len(c.Accounts) == 0 && err == nil {
		c.Logger.Warn("fib: no -account: the demo account's private key is public", "account", demoAccount)
		var demo Account
		demo, err = readAccount(demoAccount)
		c.Accounts = []Account{demo}
	}
	return addr, c, err
}

// readAccount reads an account as a flag gives it. New judges what it says.
func readAccount(text string) (a Account, err error) {
	part := strings.Split(text, ":")
	if len(part) == 4 && part[3] != "" {
		a.ID = part[3]
	} else if len(part) != 3 {
		return a, errors.New("must be EMAIL:PUBLICKEYHEX:ROLE or EMAIL:PUBLICKEYHEX:ROLE:ACCOUNT")
	}
	a.Email, a.Role = part[0], claims.Party(part[2])
	if a.Key, err = hex.DecodeString(part[1]); err != nil {
		return a, fmt.Errorf("PUBLICKEYHEX: %w", err)
	}
	return a, nil
}

func between(d *time.Duration, most time.Duration) func(string) error {
	return func(text string) (err error) {
		if *d, err = time.ParseDuration(text); err != nil || *d < time.Second || *d > most {
			return fmt.Errorf("must be a duration from 1s to %v", most)
		}
		return nil
	}
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler, stdout io.Writer) error {
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
