package gate

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Main is a whole program: it serves what mount makes of a gate until it is told
// to stop, and exits.
func Main(args []string, mount func(*Gate) http.Handler) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, args, os.Stdout, mount)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, args []string, out io.Writer, mount func(*Gate) http.Handler) error {
	var settings Settings
	flags := flag.NewFlagSet("gate", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:0", "address to listen on")
	flags.DurationVar(&settings.AccessLife, "access-ttl", 15*time.Minute, "how long access tokens are valid")
	flags.Func("upstream", "URL of the service behind /service/", func(text string) (err error) {
		settings.Upstream, err = url.Parse(text)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	g, err := New(settings)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listening on http://%s\n", listener.Addr())
	return serve(ctx, listener, g, mount(g))
}

// serve serves until ctx ends, and then ends streams and lets all other requests
// under way finish. There is no WriteTimeout, which would cut streams off.
func serve(ctx context.Context, listener net.Listener, g *Gate, handler http.Handler) error {
	server := &http.Server{
		Handler:           http.MaxBytesHandler(handler, 1<<20),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
	}
	server.RegisterOnShutdown(g.Close)
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
