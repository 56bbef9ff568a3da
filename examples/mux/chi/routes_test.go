package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestRoutes: what is public, what is guarded, and by what. Add a row for each
// route of yours, since the guard that nobody tests is the one that is missing.
func TestRoutes(t *testing.T) {
	g, err := newGate(settings{logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	api := routes(g)
	send := func(line, token, form string) *httptest.ResponseRecorder {
		method, path, _ := strings.Cut(line, " ")
		r := httptest.NewRequest(method, path, strings.NewReader(form))
		if form != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		return w
	}
	login := func(email, password string) (status int, token string) {
		w := send("POST /login", "", "email="+email+"&password="+password)
		var pair struct {
			Access string `json:"access_token"`
		}
		if w.Code == http.StatusOK && json.Unmarshal(w.Body.Bytes(), &pair) != nil {
			t.Errorf("login says %s", w.Body)
		}
		return w.Code, pair.Access
	}
	_, manager := login("manager@example.com", demoPassword)
	_, contractor := login("contractor@example.com", demoPassword)
	for _, row := range []struct {
		line, token string
		status      int
	}{
		{"GET /public", "", 200},
		{"GET /hello", "", 200},
		{"GET /hello", "forged", 401},
		{"GET /me", "", 401},
		{"GET /me", contractor, 200},
		{"POST /orders", "", 401},
		{"POST /orders", contractor, 403},
		{"POST /orders", manager, 201},
		{"GET /buildings", contractor, 403},
		{"GET /buildings", manager, 200},
		{"GET /buildings/2001", manager, 200},
		{"GET /buildings/3001", manager, 403},
		{"GET /events", "", 401},
		{"GET /socket", "", 401},
		{"GET /service/", "", 401},
		{"GET /service/", manager, 502}, // there is no upstream
	} {
		if w := send(row.line, row.token, ""); w.Code != row.status {
			t.Errorf("%s: %d, want %d", row.line, w.Code, row.status)
		}
	}
	for range 3 {
		if status, _ := login("manager@example.com", "guess"); status != 400 {
			t.Errorf("a wrong password: %d, want 400", status)
		}
	}
	for range 100 { // the limit refills while hashes are computed
		if status, _ := login("manager@example.com", "guess"); status == 429 {
			return
		}
	}
	t.Error("a hundred guesses were looked at")
}

// TestUpstreamFlag: what can't be the service behind the gate is refused at the start.
func TestUpstreamFlag(t *testing.T) {
	for text, good := range map[string]bool{
		"http://127.0.0.1:9000": true, "https://service.example/api": true,
		"": false, "127.0.0.1:9000": false, "localhost:9000": false, "http://": false, "ftp://service.example": false, "http://a b": false,
	} {
		if _, err := upstreamURL(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}
