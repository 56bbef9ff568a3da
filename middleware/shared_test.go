package middleware_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// remembering is a verifier that gives every request the same claims.
type remembering struct{ c *claims.Claims[struct{}] }

func (v remembering) Verify(context.Context, string) (*claims.Claims[struct{}], error) {
	return v.c, nil
}

// TestNobodyPromotesTheNextCaller changes the claims wherever the application
// gets hold of them: what a verifier remembers stays what the token said.
func TestNobodyPromotesTheNextCaller(t *testing.T) {
	v := remembering{&claims.Claims[struct{}]{Subject: "a", Party: "User", Use: claims.Access}}
	guard := middleware.New(v, middleware.Config{})
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer x")

	promoting := guard.Require(func(_ *http.Request, c *claims.Claims[struct{}]) error {
		c.Party = "Admin"
		return nil
	})
	promoting.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c, _ := claims.FromContext[struct{}](r.Context())
		if c.Party != "User" {
			t.Errorf("party %q reaches the handler", c.Party)
		}
		c.Party = "Admin"
	})).ServeHTTP(httptest.NewRecorder(), r)
	if c, err := promoting.Check(r); err != nil || c.Party != "User" {
		t.Errorf("%+v, %v", c, err)
	} else {
		c.Party = "Admin"
	}
	if v.c.Party != "User" {
		t.Errorf("the verifier remembers party %q", v.c.Party)
	}
}

func TestBearer(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "bearer  a-token")
	if token, err := middleware.Bearer(r); err != nil || token != "a-token" {
		t.Errorf("%q, %v", token, err)
	}
	r.Header.Add("Authorization", "Bearer another")
	if token, err := middleware.Bearer(r); middleware.Status(err) != http.StatusBadRequest || token != "" {
		t.Errorf("two headers: %q, %v", token, err)
	}
}
