// Quickstart is a server with everything that gatehouse does, in one process
// and without set-up:
//
//	go run ./examples/quickstart
//
// It prints curl commands to paste. With -tour it tries them all by itself and
// says what each answer proves.
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
	"syscall"
	"time"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	tour := flag.Bool("tour", false, "start on a free port, try everything, and exit")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *tour {
		err = runTour(ctx, os.Stdout)
	} else {
		err = run(ctx, *addr, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and then lets requests under way finish.
func run(ctx context.Context, addr string, out io.Writer) error {
	app, err := newApp(Settings{AccessLife: 15 * time.Minute, Mail: printMail(out), Logger: slog.Default()})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	base := "http://" + listener.Addr().String()
	fmt.Fprintf(out, "listening on %s\n\n%s", base, commands(base))
	return serve(ctx, listener, app)
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
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

// printMail stands in for sending one.
func printMail(out io.Writer) func(to, text string) {
	return func(to, text string) { fmt.Fprintf(out, "mail to %s: %s\n", to, text) }
}

// commands are the curl commands for a start. Each can be pasted as it is.
func commands(base string) string {
	const login = `curl -s -X POST %[1]s/login -d email=%[2]s -d password=%[3]s`
	return fmt.Sprintf(`# log in (accounts: admin@, manager@ and contractor@example.com, password demo-password)
PAIR=$(`+login+`); echo "$PAIR"
ACCESS=$(echo "$PAIR" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
REFRESH=$(echo "$PAIR" | sed 's/.*"refresh_token":"\([^"]*\)".*/\1/')

# any account: who am I?
curl -s %[1]s/me -H "Authorization: Bearer $ACCESS"

# admins and property management companies only
curl -s %[1]s/buildings -H "Authorization: Bearer $ACCESS"

# a new pair for the old one; a second time the session ends
PAIR=$(curl -s -X POST %[1]s/refresh -d grant_type=refresh_token -d refresh_token="$REFRESH"); echo "$PAIR"
REFRESH=$(echo "$PAIR" | sed 's/.*"refresh_token":"\([^"]*\)".*/\1/')

# log out
curl -s -i -X POST %[1]s/logout -d token="$REFRESH"

# password lost: the code is printed below, where a mail would be sent
curl -s -i -X POST %[1]s/recovery -d email=contractor@example.com
curl -s -i -X PUT  %[1]s/recovery -d email=contractor@example.com -d recoveryCode=CODE -d password=another-password

# five wrong codes block recovery for 24 hours; these may end that
curl -s -i -X POST %[1]s/recovery/unblock -d email=contractor@example.com -H "Authorization: Bearer $ACCESS"

`, base, "manager@example.com", "demo-password")
}
