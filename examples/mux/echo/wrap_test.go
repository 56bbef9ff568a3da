package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v5"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// anyone verifies every token but "bad".
type anyone struct{}

func (anyone) Verify(_ context.Context, token string) (*claims.Claims[Account], error) {
	if token == "bad" {
		return nil, claims.ErrInvalid
	}
	return &claims.Claims[Account]{Subject: token, Use: claims.Access}, nil
}

// TestWrapMiddleware: middleware around a guard sees what was written, whether by
// the guard, the handler, or echo's error handler; and each answers once.
func TestWrapMiddleware(t *testing.T) {
	guard := middleware.New(anyone{}, middleware.Config{Logger: slog.New(slog.DiscardHandler)})
	for _, row := range []struct {
		path, token string
		status      int
		failed      bool // the middleware around it got an error
		body        string
	}{
		{"/ok", "alice", 200, false, "hello, alice\n"},
		{"/ok", "bad", 401, false, `"status":401`},
		{"/error", "alice", 409, true, `{"message":"Conflict"}` + "\n"},
		{"/error", "bad", 401, false, `"status":401`},
		{"/late", "alice", 200, true, "written\n"},
	} {
		var around echo.Response
		var failure error
		e := echo.New()
		e.Logger = slog.New(slog.DiscardHandler)
		e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c *echo.Context) error {
				response, err := echo.UnwrapResponse(c.Response())
				if err != nil {
					t.Fatal(err)
				}
				failure = next(c)
				around = *response
				return failure
			}
		})
		e.Use(echo.WrapMiddleware(guard.Handler))
		e.GET("/ok", func(c *echo.Context) error {
			return c.Blob(200, plain, []byte(greeting(c.Request().Context())))
		})
		e.GET("/error", func(c *echo.Context) error { return echo.NewHTTPError(http.StatusConflict, "Conflict") })
		e.GET("/late", func(c *echo.Context) error {
			c.Blob(200, plain, []byte("written\n"))
			return echo.NewHTTPError(http.StatusConflict, "too late")
		})
		r := httptest.NewRequest("GET", row.path, nil)
		r.Header.Set("Authorization", "Bearer "+row.token)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != row.status || !strings.Contains(w.Body.String(), row.body) || strings.Count(w.Body.String(), "\n") != 1 {
			t.Errorf("%s %s: %d %q", row.path, row.token, w.Code, w.Body)
		}
		if written := row.path != "/error" || row.token == "bad"; (failure != nil) != row.failed || around.Committed != written || written && around.Status != row.status {
			t.Errorf("%s %s: around it: error %v, committed %v, status %d", row.path, row.token, failure, around.Committed, around.Status)
		}
	}
}
