package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

type anyone struct{}

func (anyone) Verify(_ context.Context, token string) (*claims.Claims[Account], error) {
	return &claims.Claims[Account]{Subject: token, Use: claims.Access}, nil
}

// TestWhereParametersAreKnown: Guard.Require sees the path's parameters in Group
// and With, which run behind the router that matched, and not in Route with Use,
// which runs before it. A check that needs them refuses there.
func TestWhereParametersAreKnown(t *testing.T) {
	own := middleware.New(anyone{}, middleware.Config{Logger: slog.New(slog.DiscardHandler)}).
		Require(func(r *http.Request, _ *claims.Claims[Account]) error {
			if r.PathValue("id") != "7" {
				return middleware.ErrForbidden
			}
			return nil
		})
	ok := func(w http.ResponseWriter, r *http.Request) {}
	r := chi.NewRouter()
	r.With(own.Handler).Get("/with/{id}", ok)
	r.Group(func(r chi.Router) {
		r.Use(own.Handler)
		r.Get("/group/{id}", ok)
	})
	r.Route("/route", func(r chi.Router) {
		r.Use(own.Handler)
		r.Get("/{id}", ok)
	})
	for path, want := range map[string]int{"/with/7": 200, "/with/8": 403, "/group/7": 200, "/group/8": 403, "/route/7": 403, "/route/unknown/path": 403} {
		request := httptest.NewRequest("GET", path, nil)
		request.Header.Set("Authorization", "Bearer alice")
		w := httptest.NewRecorder()
		r.ServeHTTP(w, request)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
