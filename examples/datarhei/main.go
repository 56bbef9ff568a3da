// Datarhei is a server that the clients of datarhei Core, a video processor, can
// use without noticing: one user with a password, tokens that are signed with one
// secret, and beside them the users of a foreign identity provider. Copy from
// here for either; README.md says what is different from the original.
//
// The server is what New returns, a handler for any program. This file has only
// flags and a listener: leave it behind.
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
	if c.Auth0.Issuer != "" {
		keys, err := TenantKeys(c.Auth0.Issuer, c.Logger)
		if err != nil {
			fmt.Fprintln(stderr, "datarhei: -auth0-issuer:", err)
			return 2
		}
		defer keys.Close()
		c.Auth0.Keys = keys
	}
	handler, err := New(c)
	if err != nil {
		fmt.Fprintln(stderr, "datarhei:", asFlags.Replace(err.Error()))
		return 2
	}
	if err := listen(ctx, addr, handler, stdout); err != nil {
		fmt.Fprintln(stderr, "datarhei:", err)
		return 1
	}
	return 0
}

// asFlags names the flags where New names the fields of a Config.
var asFlags = strings.NewReplacer(
	"Username:", "-username:", "Password:", "-password:", "FirstAuth:", "-first-auth:",
	"Auth0.Issuer:", "-auth0-issuer:", "Auth0.Audience:", "-auth0-audience:",
	"Auth0.ClientID:", "-auth0-client-id:", "Auth0.Users:", "-auth0-users:",
)

func parse(args []string, stderr io.Writer) (addr string, c Config, err error) {
	addr, c.Logger = "127.0.0.1:0", slog.New(slog.NewTextHandler(stderr, nil))
	f := flag.NewFlagSet("datarhei", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Func("addr", "`HOST:PORT` to listen on (default 127.0.0.1:0)", func(text string) error {
		addr = text
		_, err := net.ResolveTCPAddr("tcp", text)
		return err
	})
	f.Func("access-ttl", "how long access tokens live, no longer than refresh tokens (default 10m)", between(&c.AccessLife, 7*24*time.Hour))
	f.Func("refresh-ttl", "how long refresh tokens live (default 24h)", between(&c.RefreshLife, 366*24*time.Hour))
	f.Func("auth-limit", "logins and refreshes a minute from one address (default 60)", func(text string) error {
		var err error
		if c.AuthLimit, err = strconv.Atoi(text); err != nil || c.AuthLimit < 1 || c.AuthLimit > 1_000_000 {
			return errors.New("must be a number from 1 to 1000000")
		}
		return nil
	})
	f.StringVar(&c.Username, "username", "admin", "`NAME` of the one user")
	f.StringVar(&c.Password, "password", "datarhei", "`PASSWORD` of the one user")
	f.BoolVar(&c.Rotate, "rotate", false, "spend refresh tokens and answer a new one; clients must take it")
	f.Func("auth0-issuer", "`URL` of the Auth0 tenant, exactly as in its tokens' iss", func(text string) error {
		c.Auth0.Issuer = text
		u, err := url.Parse(text)
		if err == nil && (u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			err = errors.New("must be an http or https URL")
		}
		return err
	})
	f.StringVar(&c.Auth0.Audience, "auth0-audience", "", "`AUD` that the tenant's tokens must be for")
	f.StringVar(&c.Auth0.ClientID, "auth0-client-id", "", "`ID` that clients are told to log in with")
	f.Func("auth0-users", "`A,B`: the subjects that may log in", func(text string) error {
		c.Auth0.Users = strings.Split(text, ",")
		return nil
	})
	f.Func("first-auth", "`METHOD` that GET /api names first to strangers, localjwt or auth0 (default: as chance has it)", func(text string) error {
		c.FirstAuth = text
		if text != localJWT && text != auth0 {
			return errors.New("must be localjwt or auth0")
		}
		return nil
	})
	err = f.Parse(args)
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("%q: there are only flags", f.Arg(0))
		fmt.Fprintln(stderr, "datarhei:", err)
	}
	return addr, c, err
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
