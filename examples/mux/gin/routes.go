// Gin is the API of examples/stdlib on a gin engine:
//
//	cd examples/mux && go run ./gin -addr 127.0.0.1:8080
//
// This file and its tests are what differs from the other three.
package main

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// routes returns the API. Whatever is not behind a guard here is public.
func routes(g *gate) http.Handler {
	gin.SetMode(gin.ReleaseMode) // or gin writes to stdout
	r := gin.New()
	r.GET("/public", public)
	r.POST("/login", Use(g.loginLimit), gin.WrapH(g.login))
	r.GET("/hello", Use(g.guard.Optional), hello)
	r.POST("/orders", Use(g.guard.Scope("orders:write").Handler), order)

	accounts := r.Group("/", Use(g.guard.Handler))
	accounts.GET("/me", me)
	accounts.GET("/events", gin.WrapF(g.events))
	accounts.GET("/socket", gin.WrapF(g.socket))
	accounts.Any("/service/*path", gin.WrapH(g.service))

	managers := r.Group("/buildings", Use(g.guard.Only(Manager).Handler))
	managers.GET("", buildings)
	// A guard within a guard: both must admit.
	managers.GET("/:building", Use(g.guard.Require(owns).Handler), building)
	return r
}

func public(c *gin.Context)    { text(c, http.StatusOK, "come in\n") }
func hello(c *gin.Context)     { text(c, http.StatusOK, greeting(c.Request.Context())) }
func me(c *gin.Context)        { text(c, http.StatusOK, introduction(c.Request.Context())) }
func order(c *gin.Context)     { text(c, http.StatusCreated, "ordered\n") }
func buildings(c *gin.Context) { text(c, http.StatusOK, "2001\n2002\n") }
func building(c *gin.Context)  { text(c, http.StatusOK, "building "+c.Param("building")+"\n") }

func text(c *gin.Context, status int, body string) { c.Data(status, plain, []byte(body)) }
