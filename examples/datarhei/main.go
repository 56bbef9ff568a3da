// Datarhei is a server that the clients of datarhei Core, a video processor, can
// use without noticing: one shared secret, one user, and beside him the users of
// a foreign identity provider. Copy from here for either; README.md says what is
// different from the original.
//
//	go run ./examples/datarhei -username me -password secret-word
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
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// settings are what the flags say.
type settings struct {
	addr               string
	access, refresh    time.Duration
	authLimit          int
	username, password string
	rotate             bool
	auth0              tenant
	logger             *slog.Logger
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
		fmt.Fprintln(stderr, "datarhei:", err)
		return 2
	}
	defer server.close()
	if err := listen(ctx, s.addr, server, stdout); err != nil {
		fmt.Fprintln(stderr, "datarhei:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{
		addr: "127.0.0.1:0", access: 10 * time.Minute, refresh: 24 * time.Hour, authLimit: 60,
		logger: slog.New(slog.NewTextHandler(stderr, nil)),
	}
	f := flag.NewFlagSet("datarhei", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Func("addr", "`HOST:PORT` to listen on (default 127.0.0.1:0)", func(text string) error {
		s.addr = text
		_, err := net.ResolveTCPAddr("tcp", text)
		return err
	})
	f.Func("access-ttl", "how long access tokens live, no longer than refresh tokens (default 10m)", between(&s.access, 7*24*time.Hour))
	f.Func("refresh-ttl", "how long refresh tokens live (default 24h)", between(&s.refresh, 366*24*time.Hour))
	f.Func("auth-limit", "logins and refreshes a minute from one address (default 60)", func(text string) error {
		var err error
		if s.authLimit, err = strconv.Atoi(text); err != nil || s.authLimit < 1 || s.authLimit > 1_000_000 {
			return errors.New("must be a number from 1 to 1000000")
		}
		return nil
	})
	f.StringVar(&s.username, "username", "admin", "`NAME` of the one user")
	f.StringVar(&s.password, "password", "datarhei", "`PASSWORD` of the one user")
	f.BoolVar(&s.rotate, "rotate", false, "spend refresh tokens and answer a new one; clients must take it")
	f.Func("auth0-issuer", "`URL` of the Auth0 tenant, exactly as in its tokens' iss", func(text string) error {
		s.auth0.issuer = text
		u, err := url.Parse(text)
		if err == nil && (u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			err = errors.New("must be an http or https URL")
		}
		return err
	})
	f.StringVar(&s.auth0.audience, "auth0-audience", "", "`AUD` that the tenant's tokens must be for")
	f.StringVar(&s.auth0.clientID, "auth0-client-id", "", "`ID` that clients are told to log in with")
	f.Func("auth0-users", "`A,B`: the subjects that may log in", func(text string) error {
		s.auth0.users = strings.Split(text, ",")
		return nil
	})
	err := f.Parse(args)
	s.access = min(s.access, s.refresh)
	switch {
	case err != nil:
		return s, err
	case f.NArg() > 0:
		err = fmt.Errorf("%q: there are only flags", f.Arg(0))
	case s.username == "":
		err = errors.New("-username: must not be empty")
	case s.password == "":
		err = errors.New("-password: must not be empty")
	default:
		err = s.auth0.check()
	}
	if err != nil {
		fmt.Fprintln(stderr, "datarhei:", err)
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
