// Package echojwt is where who comes from echo-jwt arrives.
package echojwt

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// Account is what tokens say besides the registered claims.
type Account struct {
	Company int `json:"company"`
}

// New returns the API.
func New(keys claims.KeySet) (http.Handler, error) {
	verify, err := claims.NewVerifier[Account](claims.Config{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: keys,
		Dialect: claims.Dialect{AccessType: "JWT"},
	})
	if err != nil {
		return nil, err
	}
	guard := middleware.New(verify, middleware.Config{})
	e := echo.New()
	api := e.Group("/api", echo.WrapMiddleware(guard.Handler))
	api.GET("/me", func(c echo.Context) error {
		caller := claims.MustFromContext[Account](c.Request().Context())
		return c.String(http.StatusOK, caller.Subject+"\n")
	})
	return e, nil
}
