package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// plain is the content type of all texts below.
const plain = "text/plain; charset=utf-8"

// greeting is for callers known and unknown.
func greeting(ctx context.Context) string {
	caller, known := claims.FromContext[Account](ctx)
	if !known {
		return "hello, stranger\n"
	}
	return "hello, " + caller.Subject + "\n"
}

// introduction says whom the guard let in.
func introduction(ctx context.Context) string {
	caller := claims.MustFromContext[Account](ctx)
	return fmt.Sprintf("%s is a %s of company %d\n", caller.Subject, caller.Party, caller.App.Company)
}

var errNotYours = fmt.Errorf("%w: the building belongs to another company", middleware.ErrForbidden)

// owns is for Guard.Require: it admits callers whose company has the building in
// the path. Buildings here are numbered by company: 2001 is one of company 2.
func owns(r *http.Request, c *claims.Claims[Account]) error {
	building, err := strconv.Atoi(r.PathValue("building"))
	if err != nil || building/1000 != c.App.Company {
		return errNotYours
	}
	return nil
}
