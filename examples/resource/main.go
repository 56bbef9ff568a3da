// Resource is a server that lets in whom somebody else's tokens name: the
// program on the README's first screen.
//
//	go run ./examples/resource -issuer https://id.example -audience api
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

type Account struct {
	Company int `json:"companyId"`
}

func main() {
	issuer := flag.String("issuer", "https://id.example", "whose tokens to accept")
	audience := flag.String("audience", "api", "the name by which they mean us")
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	log.Fatal(run(*issuer, *audience, *addr))
}

func run(issuer, audience, addr string) error {
	keys, err := jwks.New(jwks.Config{Issuer: issuer}) // follows key rotation
	if err != nil {
		return err
	}
	verify, err := claims.NewVerifier[Account](claims.Config{Issuer: issuer, Audience: []string{audience}, Keys: keys})
	if err != nil {
		return err
	}
	limit, err := ratelimit.New(ratelimit.Config{Name: "Default", Limit: ratelimit.Per(100, time.Minute), Key: ratelimit.RemoteIP})
	if err != nil {
		return err
	}
	guard, mux := middleware.New(verify, middleware.Config{}), http.NewServeMux()
	mux.Handle("GET /me", guard.Handler(http.HandlerFunc(me)))
	mux.Handle("GET /buildings", guard.Only("Admin", "PropertyManager").Handler(http.HandlerFunc(me)))
	return http.ListenAndServe(addr, limit.Handler(mux))
}

func me(w http.ResponseWriter, r *http.Request) {
	caller := claims.MustFromContext[Account](r.Context())
	fmt.Fprintln(w, caller.Subject, caller.Party, caller.App.Company)
}
