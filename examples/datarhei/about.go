package main

import (
	"math/rand/v2"
	"net/http"
	"time"
)

// about is what the server says of itself. The last members are for callers with
// an access token.
type about struct {
	App       string   `json:"app"`
	Auths     []string `json:"auths"`
	Name      string   `json:"name,omitempty"`
	ID        string   `json:"id,omitempty"`
	CreatedAt string   `json:"created_at,omitempty"`
	Uptime    *uint64  `json:"uptime_seconds,omitempty"`
	Version   version  `json:"version"`
}

type version struct {
	Number string `json:"number"`
}

// greet answers everybody, and tells callers with an access token more. Here a
// bad token is as good as none, so it asks the guard and refuses nobody.
func (s *server) greet(w http.ResponseWriter, r *http.Request) {
	a := about{App: "datarhei-core", Version: version{"16.0.0"}}
	if caller, err := s.guard.Check(r); err == nil {
		uptime := uint64(time.Since(s.started).Seconds())
		a.Name, a.ID, a.Version.Number = "core", s.id, "16.16.0"
		a.CreatedAt, a.Uptime = s.started.UTC().Format(time.RFC3339), &uptime
		// This list is the one by which a client logs in again when its refresh
		// token has expired, so the way that it came by is first.
		a.Auths = s.auths(caller.Subject != s.config.Username)
	} else {
		a.Auths = s.auths(s.tenantFirst())
	}
	answer(w, http.StatusOK, a)
}

// tenantFirst decides the order for strangers. A client with both kinds of
// credentials reads the whole list. One that reads only its beginning comes in by
// asking again: always the same order would shut one kind out for ever.
func (s *server) tenantFirst() bool {
	if s.config.FirstAuth == "" {
		return rand.N(2) == 0
	}
	return s.config.FirstAuth == auth0
}

func (s *server) auths(tenantFirst bool) []string {
	switch {
	case s.tenant == nil:
		return []string{localJWT}
	case tenantFirst:
		return []string{s.config.Auth0.announcement(), localJWT}
	}
	return []string{localJWT, s.config.Auth0.announcement()}
}
