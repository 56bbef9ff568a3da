// Package server mounts a gate on echo.
package server

import (
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/gatehouse-go/gatehouse/examples/stdlib/gate"
)

// New returns the API. Whatever is not behind a guard here is public.
func New(g *gate.Gate) http.Handler {
	use := echo.WrapMiddleware // it is all that is needed
	e := echo.New()
	e.GET("/public", public)
	e.POST("/login", echo.WrapHandler(g.Login), use(g.LoginLimit))
	e.GET("/hello", hello, use(g.Guard.Optional))
	e.POST("/orders", order, use(g.Guard.Scope("orders:write").Handler))

	accounts := e.Group("", use(g.Guard.Handler))
	accounts.GET("/me", me)
	accounts.GET("/events", echo.WrapHandler(g.Events))
	accounts.GET("/socket", echo.WrapHandler(g.Socket))
	accounts.Any("/service/*", echo.WrapHandler(g.Service))

	managers := e.Group("/buildings", use(g.Guard.Only(gate.Manager).Handler))
	managers.GET("", buildings)
	// A guard within a guard: both must admit.
	managers.GET("/:building", building, use(g.Guard.Require(gate.Owns).Handler))
	return e
}

func public(c *echo.Context) error { return text(c, http.StatusOK, "come in\n") }
func hello(c *echo.Context) error {
	return text(c, http.StatusOK, gate.Hello(c.Request().Context()))
}
func me(c *echo.Context) error        { return text(c, http.StatusOK, gate.Me(c.Request().Context())) }
func order(c *echo.Context) error     { return text(c, http.StatusCreated, "ordered\n") }
func buildings(c *echo.Context) error { return text(c, http.StatusOK, "2001\n2002\n") }
func building(c *echo.Context) error {
	return text(c, http.StatusOK, "building "+c.Param("building")+"\n")
}

func text(c *echo.Context, status int, body string) error {
	return c.Blob(status, gate.Plain, []byte(body))
}
