// Package server mounts a gate on a net/http mux.
package server

import (
	"io"
	"net/http"

	"github.com/gatehouse-go/gatehouse/examples/stdlib/gate"
)

// New returns the API. Whatever is not behind a guard here is public.
func New(g *gate.Gate) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /public", public)
	mux.Handle("POST /login", g.LoginLimit(g.Login))
	mux.Handle("GET /hello", g.Guard.Optional(http.HandlerFunc(hello)))
	mux.Handle("GET /me", g.Guard.Handler(http.HandlerFunc(me)))
	mux.Handle("POST /orders", g.Guard.Scope("orders:write").Handler(http.HandlerFunc(order)))

	// A group is a guard in a variable.
	managers := g.Guard.Only(gate.Manager)
	mux.Handle("GET /buildings", managers.Handler(http.HandlerFunc(buildings)))
	mux.Handle("GET /buildings/{building}", managers.Require(gate.Owns).Handler(http.HandlerFunc(building)))

	mux.Handle("GET /events", g.Guard.Handler(g.Events))
	mux.Handle("GET /socket", g.Guard.Handler(g.Socket))
	mux.Handle("/service/", g.Guard.Handler(g.Service))
	return mux
}

func public(w http.ResponseWriter, r *http.Request) { text(w, http.StatusOK, "come in\n") }
func hello(w http.ResponseWriter, r *http.Request)  { text(w, http.StatusOK, gate.Hello(r.Context())) }
func me(w http.ResponseWriter, r *http.Request)     { text(w, http.StatusOK, gate.Me(r.Context())) }
func order(w http.ResponseWriter, r *http.Request)  { text(w, http.StatusCreated, "ordered\n") }

func buildings(w http.ResponseWriter, r *http.Request) {
	text(w, http.StatusOK, "2001\n2002\n")
}

func building(w http.ResponseWriter, r *http.Request) {
	text(w, http.StatusOK, "building "+r.PathValue("building")+"\n")
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", gate.Plain)
	w.WriteHeader(status)
	io.WriteString(w, body)
}
