// Cluster is two replicas of a server behind one address. They share nothing but
// PostgreSQL, which keeps the sessions, and Redis, which counts requests:
//
//	cd examples/cluster && go run .
//
// It starts PostgreSQL, Redis, both replicas and a small balancer, all on the
// loopback interface and in a temporary directory, and stops them at Ctrl-C. With
// -tour it lets users work, kills a replica under them, and counts who noticed.
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

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "the one address that users know")
	tour := flag.Bool("tour", false, "start on a free port, kill a replica while users work, and exit")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch place, isReplica := placeFromEnvironment(); {
	case isReplica:
		err = serveReplica(ctx, place)
	case *tour:
		err = runCluster(ctx, "127.0.0.1:0", travel)
	default:
		err = runCluster(ctx, *addr, wait)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// runCluster starts everything, uses it, and stops everything.
func runCluster(ctx context.Context, addr string, use func(context.Context, *cluster) error) error {
	c, err := start(ctx)
	if c != nil {
		defer c.stop()
	}
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	c.base = "http://" + listener.Addr().String()
	server := &http.Server{Handler: newBalancer(c.replicas[0].address(), c.replicas[1].address()), ReadHeaderTimeout: 5 * time.Second}
	defer server.Close()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	done := make(chan error, 1)
	go func() { done <- use(ctx, c) }()
	select {
	case err := <-done:
		return err
	case err := <-failed:
		return err
	}
}

// wait says how to try it by hand, and waits to be stopped.
func wait(ctx context.Context, c *cluster) error {
	fmt.Printf(`two replicas behind %[1]s, processes %[2]d and %[3]d

PAIR=$(curl -s -X POST %[1]s/login -d user=alice); echo "$PAIR"
ACCESS=$(echo "$PAIR" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
REFRESH=$(echo "$PAIR" | sed 's/.*"refresh_token":"\([^"]*\)".*/\1/')
curl -s %[1]s/me -H "Authorization: Bearer $ACCESS"      # a few times: the replicas take turns
kill -9 %[2]d                                             # and again: nobody notices
curl -s -X POST %[1]s/refresh -d grant_type=refresh_token -d refresh_token="$REFRESH"

Ctrl-C stops everything.
`, c.base, c.replicas[0].command.Process.Pid, c.replicas[1].command.Process.Pid)
	<-ctx.Done()
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}
	return ctx.Err()
}
