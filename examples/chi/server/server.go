// Package server mounts a gate on a chi router.
package server

import (
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/gatehouse-go/gatehouse/examples/stdlib/gate"
)

// New returns the API. Whatever is not behind a guard here is public.
func New(g *gate.Gate) http.Handler {
	r := chi.NewRouter()
	r.Get("/public", public)
	r.With(g.LoginLimit).Method("POST", "/login", g.Login)
	r.With(g.Guard.Optional).Get("/hello", hello)
	r.With(g.Guard.Scope("orders:write").Handler).Post("/orders", order)

	r.Group(func(r chi.Router) {
		r.Use(g.Guard.Handler)
		r.Get("/me", me)
		r.Method("GET", "/events", g.Events)
		r.Method("GET", "/socket", g.Socket)
		r.Handle("/service/*", g.Service)
	})
	r.Group(func(r chi.Router) {
		r.Use(g.Guard.Only(gate.Manager).Handler)
		r.Get("/buildings", buildings)
		// A guard within a guard: both must admit.
		r.With(g.Guard.Require(gate.Owns).Handler).Get("/buildings/{building}", building)
	})
	return r
}

func public(w http.ResponseWriter, r *http.Request) { text(w, http.StatusOK, "come in\n") }
func hello(w http.ResponseWriter, r *http.Request)  { text(w, http.StatusOK, gate.Hello(r.Context())) }
func me(w http.ResponseWriter, r *http.Request)     { text(w, http.StatusOK, gate.Me(r.Context())) }
func order(w http.ResponseWriter, r *http.Request)  { text(w, http.StatusCreated, "ordered\n") }

func buildings(w http.ResponseWriter, r *http.Request) {
	text(w, http.StatusOK, "2001\n2002\n")
}

func building(w http.ResponseWriter, r *http.Request) {
	text(w, http.StatusOK, "building "+chi.URLParam(r, "building")+"\n")
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", gate.Plain)
	w.WriteHeader(status)
	io.WriteString(w, body)
}
