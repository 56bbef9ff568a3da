// Chi is the API of examples/stdlib on a chi router:
//
//	cd examples/mux && go run ./chi -addr 127.0.0.1:8080
//
// This file and its tests are what differs from the other three.
package main

import (
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"
)

// routes returns the API. Whatever is not behind a guard here is public.
func routes(g *gate) http.Handler {
	r := chi.NewRouter()
	r.Get("/public", public)
	r.With(g.loginLimit).Method("POST", "/login", g.login)
	r.With(g.guard.Optional).Get("/hello", hello)
	r.With(g.guard.Scope("orders:write").Handler).Post("/orders", order)

	r.Group(func(r chi.Router) {
		r.Use(g.guard.Handler)
		r.Get("/me", me)
		r.Get("/events", g.events)
		r.Get("/socket", g.socket)
		r.Handle("/service/*", g.service)
	})
	r.Group(func(r chi.Router) {
		r.Use(g.guard.Only(Manager).Handler)
		r.Get("/buildings", buildings)
		// A guard within a guard: both must admit.
		r.With(g.guard.Require(owns).Handler).Get("/buildings/{building}", building)
	})
	return r
}

func public(w http.ResponseWriter, r *http.Request) { text(w, http.StatusOK, "come in\n") }
func hello(w http.ResponseWriter, r *http.Request)  { text(w, http.StatusOK, greeting(r.Context())) }
func me(w http.ResponseWriter, r *http.Request)     { text(w, http.StatusOK, introduction(r.Context())) }
func order(w http.ResponseWriter, r *http.Request)  { text(w, http.StatusCreated, "ordered\n") }

func buildings(w http.ResponseWriter, r *http.Request) {
	text(w, http.StatusOK, "2001\n2002\n")
}

func building(w http.ResponseWriter, r *http.Request) {
	text(w, http.StatusOK, "building "+chi.URLParam(r, "building")+"\n")
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", plain)
	w.WriteHeader(status)
	io.WriteString(w, body)
}
