package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	var s settings
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on")
	flag.Func("access-ttl", "how long access tokens are valid, such as 15m (the default)", func(text string) (err error) {
		if s.accessLife, err = time.ParseDuration(text); err == nil && s.accessLife < time.Second {
			err = errors.New("want at least a second")
		}
		return err
	})
	flag.Func("upstream", "URL of the service behind /service/", func(text string) (err error) {
		s.upstream, err = upstreamURL(text)
		return err
	})
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *addr, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func upstreamURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("want a URL such as http://127.0.0.1:9000")
	}
	return u, nil
}

func run(ctx context.Context, addr string, s settings) error {
	g, err := newGate(s)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	return serve(ctx, listener, g)
}

// serve serves until ctx ends, and then ends streams and lets all other requests
// under way finish. There is no WriteTimeout, which would cut streams off.
func serve(ctx context.Context, listener net.Listener, g *gate) error {
	server := &http.Server{
		Handler:           http.MaxBytesHandler(routes(g), 1<<20),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
	}
	server.RegisterOnShutdown(g.close)
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
