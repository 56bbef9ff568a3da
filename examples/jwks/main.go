// Jwks is an issuer and a resource server in processes of their own, and the
// command that rotates the issuer's keys while both serve:
//
//	go run ./examples/jwks issuer   -keys /tmp/keys
//	go run ./examples/jwks resource -jwks http://127.0.0.1:8081/jwks.json
//	go run ./examples/jwks next     -keys /tmp/keys -in 30s
//
// See README.md beside it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `usage: jwks issuer|resource|next [flags]

  issuer    hands out tokens, publishes its keys
  resource  lets in whom they name
  next      writes the key that the issuer signs with next

jwks COMMAND -h lists the flags`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	commands := map[string]func(context.Context, []string) error{"issuer": runIssuer, "resource": runResource, "next": runNext}
	command, ok := commands[os.Args[1]]
	if !ok {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "jwks:", err)
		os.Exit(1)
	}
}

// flags is a flag set that ends the program on what it can't read.
func flags(command string) *flag.FlagSet { return flag.NewFlagSet("jwks "+command, flag.ExitOnError) }

// serve serves until ctx ends, and then lets requests under way finish.
func serve(ctx context.Context, addr string, handler http.Handler) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return err
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
