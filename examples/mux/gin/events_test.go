package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// TestEventsEndWithTheToken: after two and a half seconds there is no more to be said.
func TestEventsEndWithTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := newGate(settings{logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		caller := &claims.Claims[Account]{Subject: "alice", Expiry: start.Add(2500 * time.Millisecond)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, "GET", "/events", nil)
		w := httptest.NewRecorder()
		g.events(w, r.WithContext(claims.NewContext(r.Context(), caller)))
		if !time.Now().Equal(caller.Expiry) || strings.Count(w.Body.String(), "data: news for alice\n\n") != 3 || !w.Flushed {
			t.Errorf("after %v: %q", time.Since(start), w.Body)
		}
	})
}

// TestServiceWithoutUpstream: what is not there answers 502.
func TestServiceWithoutUpstream(t *testing.T) {
	g, err := newGate(settings{logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	g.service.ServeHTTP(w, httptest.NewRequest("GET", "/service/", nil))
	if w.Code != http.StatusBadGateway {
		t.Errorf("got %d", w.Code)
	}
}
