// Stdlib is a guarded API on a net/http mux:
//
//	go run ./examples/stdlib -addr 127.0.0.1:8080
//
// This file says which route is open to whom. It is what differs from the same API
// on chi, gin and echo, in examples/mux.
package main

import (
	"io"
	"net/http"
)

// routes returns the API. Whatever is not behind a guard here is public.
func routes(g *gate) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /public", public)
	mux.Handle("POST /login", g.loginLimit(g.login))
	mux.Handle("GET /hello", g.guard.Optional(http.HandlerFunc(hello)))
	mux.Handle("GET /me", g.guard.Handler(http.HandlerFunc(me)))
	mux.Handle("POST /orders", g.guard.Scope("orders:write").Handler(http.HandlerFunc(order)))

	// A group is a guard in a variable.
	managers := g.guard.Only(Manager)
	mux.Handle("GET /buildings", managers.Handler(http.HandlerFunc(buildings)))
	mux.Handle("GET /buildings/{building}", managers.Require(owns).Handler(http.HandlerFunc(building)))

	mux.Handle("GET /events", g.guard.Handler(http.HandlerFunc(g.events)))
	mux.Handle("GET /socket", g.guard.Handler(http.HandlerFunc(g.socket)))
	mux.Handle("/service/", g.guard.Handler(g.service))
	return mux
}

func public(w http.ResponseWriter, r *http.Request) { text(w, http.StatusOK, "come in\n") }
func hello(w http.ResponseWriter, r *http.Request)  { text(w, http.StatusOK, greeting(r.Context())) }
func me(w http.ResponseWriter, r *http.Request)     { text(w, http.StatusOK, introduction(r.Context())) }
func order(w http.ResponseWriter, r *http.Request)  { text(w, http.StatusCreated, "ordered\n") }

func buildings(w http.ResponseWriter, r *http.Request) {
	text(w, http.StatusOK, "2001\n2002\n")
}

func building(w http.ResponseWriter, r *http.Request) {
	text(w, http.StatusOK, "building "+r.PathValue("building")+"\n")
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", plain)
	w.WriteHeader(status)
	io.WriteString(w, body)
}
