package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// direct is a client's transport without sockets, for time that jumps.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// town is an issuer and a resource server.
type town struct {
	*testing.T
	keys             string // the directory
	issuer, resource http.Handler
	live             []issued // tokens that have not expired, oldest first
	heads            map[string]bool
}

type issued struct {
	token string
	at    time.Time
}

const life = time.Minute

// step is a fifth of a second: a new token, which must open, as must the oldest
// one that is alive.
func (t *town) step() {
	t.Helper()
	w := httptest.NewRecorder()
	t.issuer.ServeHTTP(w, httptest.NewRequest("POST", "/token", nil))
	var pair struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &pair); err != nil || w.Code != http.StatusOK {
		t.Fatalf("no token: %d, %v", w.Code, err)
	}
	head, _, _ := strings.Cut(pair.Access, ".")
	t.heads[head] = true
	t.live = append(t.live, issued{pair.Access, time.Now()})
	for time.Since(t.live[0].at) >= life-time.Second { // times in tokens are whole seconds
		t.live = t.live[1:]
	}
	for _, token := range []string{t.live[0].token, pair.Access} {
		if status := t.me(token); status != http.StatusOK {
			t.Fatalf("%v: a token of %s answers %d", time.Now(), head, status)
		}
	}
	time.Sleep(200 * time.Millisecond)
}

func (t *town) me(token string) int {
	r := httptest.NewRequest("GET", "/me", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	t.resource.ServeHTTP(w, r)
	return w.Code
}

// pass lets time pass while the client goes on.
func (t *town) pass(d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		t.step()
	}
}

func (t *town) published() int {
	w := httptest.NewRecorder()
	t.issuer.ServeHTTP(w, httptest.NewRequest("GET", "/jwks.json", nil))
	return strings.Count(w.Body.String(), `"kty"`)
}

// TestDayOfRotations is the README, in minutes that pass at once.
func TestDayOfRotations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		town := &town{T: t, keys: filepath.Join(t.TempDir(), "keys"), heads: map[string]bool{}}
		var err error
		if town.issuer, _, err = newIssuer(town.keys, 10*time.Second, life); err != nil {
			t.Fatal(err)
		}
		var stop func()
		town.resource, stop, err = newResource(jwks.Config{
			URL: "https://id.example/jwks.json", Refresh: 5 * time.Second, Client: &http.Client{Transport: direct{town.issuer}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		want := func(when string, keys, heads int) {
			t.Helper()
			if got := town.published(); got != keys || len(town.heads) != heads {
				t.Errorf("%s: %d keys published, want %d; %d have signed, want %d", when, got, keys, len(town.heads), heads)
			}
		}

		town.pass(15 * time.Second)
		want("at first", 1, 1)
		for _, next := range [][]string{{"-alg", "ES256", "-in", "30s"}, {"-alg", "EdDSA", "-in", "60s"}} {
			if err := runNext(t.Context(), append(next, "-keys", town.keys)); err != nil {
				t.Fatal(err)
			}
		}
		town.pass(18 * time.Second)
		want("before the next key's lead", 1, 1)
		town.pass(5 * time.Second)
		want("within its lead", 2, 1)
		town.pass(15 * time.Second)
		want("when it signs", 2, 2)
		town.pass(30 * time.Second)
		want("when the third one signs", 3, 3)
		town.pass(life)
		want("for clocks that are five minutes off", 3, 3)
		time.Sleep(6 * time.Minute)
		town.live = nil
		town.pass(time.Second)
		want("when nobody's clock accepts the old ones' tokens", 1, 3)

		// The third key is withdrawn: the second, which is still there, signs again.
		last := town.live[len(town.live)-1].token
		files, err := filepath.Glob(filepath.Join(town.keys, "*.EdDSA.pem"))
		if err != nil || len(files) != 2 {
			t.Fatalf("%v, %v", files, err)
		}
		if err := os.Rename(files[1], files[1]+".withdrawn"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second) // to the issuer's next look
		town.published()
		time.Sleep(5 * time.Second) // to the resource server's next fetch
		if status := town.me(last); status != http.StatusUnauthorized {
			t.Errorf("a withdrawn key's token answers %d", status)
		}
		town.live = nil
		town.pass(5 * time.Second)
		want("when the third is withdrawn", 1, 3)
	})
}
