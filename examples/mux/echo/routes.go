// Echo is the API of examples/stdlib on echo:
//
//	cd examples/mux && go run ./echo -addr 127.0.0.1:8080
//
// This file and its tests are what differs from the other three.
package main

import (
	"net/http"

	"github.com/labstack/echo/v5"
)

// routes returns the API. Whatever is not behind a guard here is public.
func routes(g *gate) http.Handler {
	use := echo.WrapMiddleware // it is all that is needed
	e := echo.New()
	e.GET("/public", public)
	e.POST("/login", echo.WrapHandler(g.login), use(g.loginLimit))
	e.GET("/hello", hello, use(g.guard.Optional))
	e.POST("/orders", order, use(g.guard.Scope("orders:write").Handler))

	accounts := e.Group("", use(g.guard.Handler))
	accounts.GET("/me", me)
	accounts.GET("/events", echo.WrapHandler(http.HandlerFunc(g.events)))
	accounts.GET("/socket", echo.WrapHandler(http.HandlerFunc(g.socket)))
	accounts.Any("/service/*", echo.WrapHandler(g.service))

	managers := e.Group("/buildings", use(g.guard.Only(Manager).Handler))
	managers.GET("", buildings)
	// A guard within a guard: both must admit.
	managers.GET("/:building", building, use(g.guard.Require(owns).Handler))
	return e
}

func public(c *echo.Context) error { return text(c, http.StatusOK, "come in\n") }
func hello(c *echo.Context) error {
	return text(c, http.StatusOK, greeting(c.Request().Context()))
}
func me(c *echo.Context) error        { return text(c, http.StatusOK, introduction(c.Request().Context())) }
func order(c *echo.Context) error     { return text(c, http.StatusCreated, "ordered\n") }
func buildings(c *echo.Context) error { return text(c, http.StatusOK, "2001\n2002\n") }
func building(c *echo.Context) error {
	return text(c, http.StatusOK, "building "+c.Param("building")+"\n")
}

func text(c *echo.Context, status int, body string) error {
	return c.Blob(status, plain, []byte(body))
}
