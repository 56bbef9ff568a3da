// Cors is an API that pages of another origin may call, and such a page:
//
//	cd examples/cors && go run .
//
// It prints two addresses. Open the second in a browser: it shows what a script
// can read of the answers of guards and limits.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address of the API")
	app := flag.String("app", "127.0.0.1:0", "address of the page")
	var origins []string
	flag.Func("origin", "further `ORIGIN` whose pages may call the API, such as https://app.example; may be repeated", func(origin string) error {
		origins = append(origins, origin)
		_, err := newCORS(origins)
		return err
	})
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *addr, *app, origins)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cors:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr, app string, origins []string) error {
	apiListener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	defer apiListener.Close()
	appListener, err := net.Listen("tcp", app)
	if err != nil {
		return fmt.Errorf("-app: %w", err)
	}
	defer appListener.Close()
	api, page := "http://"+apiListener.Addr().String(), "http://"+appListener.Addr().String()
	handler, err := newAPI(append(origins, page))
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\nopen %s in a browser\n", api, page)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 2)
	go func() { ended <- serve(ctx, apiListener, handler) }()
	go func() { ended <- serve(ctx, appListener, pageFor(api)) }()
	err = <-ended
	cancel() // one without the other is of no use
	return errors.Join(err, <-ended)
}

// serve serves until ctx ends, and then lets requests under way finish.
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

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pageFor is the page, which calls the API at a URL.
func pageFor(api string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		pageTemplate.Execute(w, api) // an error means that the browser has gone
	})
}
