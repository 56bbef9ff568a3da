package main

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// Use makes gin middleware of net/http middleware that passes the ResponseWriter
// on as it is, as guards and limits do. Copy it.
func Use(m func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		for _, p := range c.Params {
			c.Request.SetPathValue(p.Key, p.Value) // for Guard.Require
		}
		passed := false
		m(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request = r // its context has the claims
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort() // or gin would run the rest of the chain
		}
	}
}
