package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// events sends one event at once and one a second after that. It ends when the
// token expires, since a guard looks at it only once, at the start. The client
// then comes back with a new one.
func (g *gate) events(w http.ResponseWriter, r *http.Request) {
	caller := claims.MustFromContext[Account](r.Context())
	ctx, cancel := context.WithDeadline(r.Context(), caller.Expiry)
	defer cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		if _, err := fmt.Fprintf(w, "id: %d\ndata: news for %s\n\n", n, caller.Subject); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		case <-g.closing:
			return
		}
	}
}
