// Package ginjwt is where who comes from gin-jwt arrives.
package ginjwt

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// None: tokens say no more than whom and of which party.
type None struct{}

// New returns the API.
func New(secret []byte, find func(name, password string) (party claims.Party, ok bool)) (http.Handler, error) {
	key, err := signing.NewSecret("HS256", "", secret, time.Time{})
	if err != nil {
		return nil, err
	}
	keys, err := signing.NewSchedule(key)
	if err != nil {
		return nil, err
	}
	tokens, err := issuer.New(issuer.Config[None]{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: keys,
		RefreshKeys: signing.NewEphemeral(), Store: issuer.NewMemoryStore(),
	})
	if err != nil {
		return nil, err
	}
	verify, err := claims.NewVerifier[None](claims.Config{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: tokens.KeySet(),
	})
	if err != nil {
		return nil, err
	}
	guard, r := middleware.New(verify, middleware.Config{}), gin.New()
	r.POST("/login", gin.WrapH(tokens.LoginHandler(func(r *http.Request) (claims.Claims[None], error) {
		name := r.PostFormValue("username")
		party, ok := find(name, r.PostFormValue("password"))
		if !ok {
			return claims.Claims[None]{}, issuer.ErrRefused
		}
		return claims.Claims[None]{Subject: name, Party: party}, nil
	})))
	r.POST("/refresh", gin.WrapH(tokens.RefreshHandler()))
	r.POST("/logout", gin.WrapH(tokens.RevokeHandler()))
	admin := r.Group("/admin", Use(guard.Only("admin").Handler))
	admin.GET("/me", func(c *gin.Context) {
		caller := claims.MustFromContext[None](c.Request.Context())
		c.String(http.StatusOK, "%s\n", caller.Subject)
	})
	return r, nil
}
