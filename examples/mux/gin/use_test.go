package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

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

func newGuard() *middleware.Guard[Account] {
	return middleware.New(anyone{}, middleware.Config{Logger: slog.New(slog.DiscardHandler)})
}

func get(h http.Handler, path, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestUse: what a guard refuses, gin goes no further with, and those around it
// see what was written.
func TestUse(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for _, row := range []struct {
		token  string
		status int
		ran    int
	}{{"alice", 204, 2}, {"bad", 401, 0}} {
		ran, seen := 0, 0
		r := gin.New()
		r.Use(func(c *gin.Context) { c.Next(); seen = c.Writer.Status() })
		r.Use(Use(newGuard().Handler))
		r.Use(func(c *gin.Context) { ran++ })
		r.GET("/", func(c *gin.Context) {
			ran++
			caller, _ := claims.FromContext[Account](c.Request.Context())
			if caller.Subject != row.token {
				t.Errorf("the handler sees %q", caller.Subject)
			}
			c.Status(http.StatusNoContent)
		})
		w := get(r, "/", row.token)
		if w.Code != row.status || seen != row.status || ran != row.ran {
			t.Errorf("%s: status %d, seen %d, %d handlers ran", row.token, w.Code, seen, ran)
		}
	}
}

// TestUseKeepsTheWriter: gin's own writer is what streams, flushes and hijacks.
func TestUseKeepsTheWriter(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	var outer, inner gin.ResponseWriter
	r := gin.New()
	r.Use(func(c *gin.Context) { outer = c.Writer }, Use(newGuard().Handler))
	r.GET("/", func(c *gin.Context) { inner = c.Writer })
	get(r, "/", "alice")
	if outer == nil || outer != inner {
		t.Errorf("%T became %T", outer, inner)
	}
}

// TestUseGivesParams: Guard.Require sees gin's parameters as path values.
func TestUseGivesParams(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	seen := ""
	guard := newGuard().Require(func(r *http.Request, _ *claims.Claims[Account]) error {
		seen = r.PathValue("id")
		return nil
	})
	r := gin.New()
	r.GET("/things/:id", Use(guard.Handler), func(c *gin.Context) {})
	if w := get(r, "/things/7", "alice"); w.Code != 200 || seen != "7" {
		t.Errorf("status %d, id %q", w.Code, seen)
	}
}

// TestUseLeavesPanics to those around it, such as gin.Recovery.
func TestUseLeavesPanics(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, _ any) { c.AbortWithStatus(http.StatusInternalServerError) }))
	r.GET("/", Use(newGuard().Handler), func(c *gin.Context) { panic("the handler's") })
	if w := get(r, "/", "alice"); w.Code != http.StatusInternalServerError {
		t.Errorf("status %d", w.Code)
	}
}
