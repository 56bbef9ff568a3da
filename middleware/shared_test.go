package middleware_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// remembering is a verifier that gives every request the same claims.
type remembering struct{ c *claims.Claims[struct{}] }

func (v remembering) Verify(context.Context, string) (*claims.Claims[struct{}], error) {
	return v.c, nil
}

// TestNobodyPromotesTheNextCaller changes the claims wherever the application
// gets hold of them: what a verifier remembers stays what the token said.
func TestNobodyPromotesTheNextCaller(t *testing.T) {
	v := remembering{&claims.Claims[struct{}]{Subject: "a", Party: "User", Use: claims.Access}}
	guard := middleware.New(v, middleware.Config{})
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer x")

	promoting := guard.Require(func(_ *http.Request, c *claims.Claims[struct{}]) error {
		c.Party = "Admin"
		return nil
	})
	promoting.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c, _ := claims.FromContext[struct{}](r.Context())
		if c.Party != "User" {
			t.Errorf("party %q reaches the handler", c.Party)
		}
		c.Party = "Admin"
	})).ServeHTTP(httptest.NewRecorder(), r)
	if c, err := promoting.Check(r); err != nil || c.Party != "User" {
		t.Errorf("%+v, %v", c, err)
	} else {
		c.Party = "Admin"
	}
	if v.c.Party != "User" {
		t.Errorf("the verifier remembers party %q", v.c.Party)
	}
}

// roles is an App whose parts an assignment shares.
type roles struct {
	Tenant string              `json:"tenant"`
	Roles  []string            `json:"roles"`
	Extra  map[string]any      `json:"extra"`
	Boss   *struct{ Of []int } `json:"boss"`
	Either either              `json:"either"`
	Raw    json.RawMessage     `json:"raw"`
	IP     net.IP              `json:"ip"`
	Loaded *loaded             `json:"-"`
}

// either is a list that reads itself, from one string too.
type either []string

func (e *either) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*e = either{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(e))
}

// loaded is what a wrapper of a verifier may put beside what a token says.
type loaded struct{ Self *loaded }

// TestNobodyWritesIntoTheNextCaller writes into every part of the claims
// wherever an application gets hold of them, with a real verifier that remembers
// them; afterwards they are what they were.
func TestNobodyWritesIntoTheNextCaller(t *testing.T) {
	key, err := claims.NewKey("RS256", "k1", &signingKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := claims.NewKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	config := claims.Config{Issuer: "https://id.example", Audience: []string{"api"}, Keys: keys}
	v, err := claims.NewVerifier[roles](config)
	if err != nil {
		t.Fatal(err)
	}
	config.Remember = -1
	forgetful, err := claims.NewVerifier[roles](config)
	if err != nil {
		t.Fatal(err)
	}
	value := token(t, goodHeader, goodPayload(`,"scope":"read write","roles":["user"],"extra":{"a":[[1]],"b":{"c":1}},"boss":{"Of":[1,2]},"either":"user","raw":{"a":1},"ip":"10.0.0.1"`))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+value)
	spoil := func(c *claims.Claims[roles]) {
		c.Party, c.Scope[0], c.Audience[0] = "Admin", "all", "other"
		c.App.Roles = append(c.App.Roles, "admin")
		c.App.Roles[0] = "admin"
		c.App.Extra["a"].([]any)[0].([]any)[0] = "spoilt"
		c.App.Extra["b"].(map[string]any)["c"] = "spoilt"
		c.App.Extra["d"] = "spoilt"
		c.App.Boss.Of[0] = 99
		c.App.Either[0], c.App.Raw[2], c.App.IP[15] = "admin", 'z', 99
	}
	guard := middleware.New(v, middleware.Config{}).Require(func(_ *http.Request, c *claims.Claims[roles]) error { spoil(c); return nil })
	said := func(c claims.Claims[roles]) string {
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	c, err := forgetful.Verify(t.Context(), value)
	if err != nil {
		t.Fatal(err)
	}
	want := said(*c)
	for i := range 3 {
		guard.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			for range 2 {
				c := claims.MustFromContext[roles](r.Context())
				if got := said(c); got != want {
					t.Errorf("request %d: %s, want %s", i, got, want)
				}
				spoil(&c)
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
		for name, get := range map[string]func() (*claims.Claims[roles], error){
			"Check":  func() (*claims.Claims[roles], error) { return guard.Check(r) },
			"Verify": func() (*claims.Claims[roles], error) { return v.Verify(t.Context(), value) },
		} {
			c, err := get()
			if err != nil || said(*c) != want {
				t.Fatalf("%s: %+v, %v, want %s", name, c, err, want)
			}
			spoil(c)
		}
	}
}

// TestCloneLeavesLoadedAlone clones claims beside which somebody put what no token
// says, a cycle here.
func TestCloneLeavesLoadedAlone(t *testing.T) {
	self := new(loaded)
	self.Self = self
	c := claims.Claims[roles]{App: roles{Loaded: self}}
	if clone := c.Clone(); clone.App.Loaded != self {
		t.Error("a copy of what was loaded")
	}
}

func TestBearer(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "bearer  a-token")
	if token, err := middleware.Bearer(r); err != nil || token != "a-token" {
		t.Errorf("%q, %v", token, err)
	}
	r.Header.Add("Authorization", "Bearer another")
	if token, err := middleware.Bearer(r); middleware.Status(err) != http.StatusBadRequest || token != "" {
		t.Errorf("two headers: %q, %v", token, err)
	}
}
