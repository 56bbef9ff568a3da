// Package httprate is where who comes from httprate arrives.
package httprate

import (
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// New returns the API.
func New(api, login http.Handler) (http.Handler, error) {
	client, err := ratelimit.TrustedProxies("X-Forwarded-For", "10.0.0.0/8")
	if err != nil {
		return nil, err
	}
	limits, err := ratelimit.NewSet(
		ratelimit.Config{Name: "Default", Limit: ratelimit.Per(100, time.Minute), Key: client, Legacy: "X-RateLimit"},
		ratelimit.Config{Name: "Login", Limit: ratelimit.Per(5, time.Minute), Key: client, Quiet: true},
	)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", limits.Handler("Default")(api))
	mux.Handle("POST /login", limits.Handler("Login")(login))
	return mux, nil
}
