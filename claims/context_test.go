package claims_test

import (
	"context"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims"
)

// TestContext keeps the claims of different App types apart.
func TestContext(t *testing.T) {
	ctx := context.Background()
	if c, ok := claims.FromContext[Account](ctx); ok || c.Subject != "" {
		t.Errorf("out of nothing came %+v", c)
	}
	ctx = claims.NewContext(ctx, &claims.Claims[Account]{Subject: "one"})
	if _, ok := claims.FromContext[struct{}](ctx); ok {
		t.Error("claims of one App were taken for another's")
	}
	ctx = claims.NewContext(ctx, &claims.Claims[struct{}]{Subject: "two"})
	one, ok1 := claims.FromContext[Account](ctx)
	two, ok2 := claims.FromContext[struct{}](ctx)
	if !ok1 || !ok2 || one.Subject != "one" || two.Subject != "two" {
		t.Errorf("%+v %v, %+v %v", one, ok1, two, ok2)
	}
	if _, ok := claims.FromContext[Account](claims.NewContext[Account](ctx, nil)); ok {
		t.Error("nil was taken for claims")
	}
	// What a handler changes, no other sees.
	one.Subject = "changed"
	if again, _ := claims.FromContext[Account](ctx); again.Subject != "one" {
		t.Errorf("changed for all: %+v", again)
	}
}

// TestMustFromContext finds the caller or nobody.
func TestMustFromContext(t *testing.T) {
	ctx := claims.NewContext(context.Background(), &claims.Claims[Account]{Subject: "one"})
	if c := claims.MustFromContext[Account](ctx); c.Subject != "one" {
		t.Errorf("%+v", c)
	}
	defer func() {
		if recover() == nil {
			t.Error("claims of one App were taken for another's")
		}
	}()
	claims.MustFromContext[struct{}](ctx)
}
