// Package server mounts a gate on a gin engine.
package server

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/gatehouse-go/gatehouse/examples/stdlib/gate"
)

// New returns the API. Whatever is not behind a guard here is public.
func New(g *gate.Gate) http.Handler {
	gin.SetMode(gin.ReleaseMode) // or gin writes to stdout
	r := gin.New()
	r.GET("/public", public)
	r.POST("/login", Use(g.LoginLimit), gin.WrapH(g.Login))
	r.GET("/hello", Use(g.Guard.Optional), hello)
	r.POST("/orders", Use(g.Guard.Scope("orders:write").Handler), order)

	accounts := r.Group("/", Use(g.Guard.Handler))
	accounts.GET("/me", me)
	accounts.GET("/events", gin.WrapH(g.Events))
	accounts.GET("/socket", gin.WrapH(g.Socket))
	accounts.Any("/service/*path", gin.WrapH(g.Service))

	managers := r.Group("/buildings", Use(g.Guard.Only(gate.Manager).Handler))
	managers.GET("", buildings)
	// A guard within a guard: both must admit.
	managers.GET("/:building", Use(g.Guard.Require(gate.Owns).Handler), building)
	return r
}

func public(c *gin.Context)    { text(c, http.StatusOK, "come in\n") }
func hello(c *gin.Context)     { text(c, http.StatusOK, gate.Hello(c.Request.Context())) }
func me(c *gin.Context)        { text(c, http.StatusOK, gate.Me(c.Request.Context())) }
func order(c *gin.Context)     { text(c, http.StatusCreated, "ordered\n") }
func buildings(c *gin.Context) { text(c, http.StatusOK, "2001\n2002\n") }
func building(c *gin.Context)  { text(c, http.StatusOK, "building "+c.Param("building")+"\n") }

func text(c *gin.Context, status int, body string) { c.Data(status, gate.Plain, []byte(body)) }
