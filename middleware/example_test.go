package middleware_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// Account is what this application's tokens say beyond the registered claims.
type Account struct {
	CompanyID int `json:"company"`
}

const (
	PropertyManager claims.Party = "PropertyManager"
	Contractor      claims.Party = "Contractor"
)

// desk stands in for a claims.Verifier, so that the tokens here are readable.
type desk map[string]*claims.Claims[Account]

func (d desk) Verify(_ context.Context, token string) (*claims.Claims[Account], error) {
	if c, ok := d[token]; ok {
		return c, nil
	}
	return nil, claims.ErrInvalid
}

var verify = desk{
	"anns-token": {Subject: "ann", Party: PropertyManager, Scope: []string{"orders:write"}, App: Account{CompanyID: 7}},
	"bobs-token": {Subject: "bob", Party: Contractor, Scope: []string{"orders:write:own"}},
}

// greet is a handler behind a guard.
func greet(w http.ResponseWriter, r *http.Request) {
	if caller, ok := claims.FromContext[Account](r.Context()); ok {
		fmt.Fprintf(w, "hello %s of company %d", caller.Subject, caller.App.CompanyID)
		return
	}
	io.WriteString(w, "hello stranger")
}

// ask sends a request, and prints what comes back.
func ask(h http.Handler, method, path string, header ...string) {
	r := httptest.NewRequest(method, path, nil)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if challenge := w.Header().Get("WWW-Authenticate"); challenge != "" {
		fmt.Println(w.Code, challenge)
		return
	}
	fmt.Println(w.Code, w.Body)
}

// One mount authenticates; the handler finds out who is there.
func Example() {
	guard := middleware.New(verify, middleware.Config{Realm: "houses"})
	mux := http.NewServeMux()
	mux.Handle("GET /me", guard.Handler(http.HandlerFunc(greet)))

	ask(mux, "GET", "/me", "Authorization: Bearer anns-token")
	ask(mux, "GET", "/me")
	ask(mux, "GET", "/me", "Authorization: Bearer forged")
	// Output:
	// 200 hello ann of company 7
	// 401 Bearer realm="houses"
	// 401 Bearer realm="houses", error="invalid_token", error_description="The access token is not valid."
}

// A guard by party type: the token is good, but not everybody may come in.
func ExampleGuard_Only() {
	guard := middleware.New(verify, middleware.Config{})
	mux := http.NewServeMux()
	mux.Handle("GET /buildings", guard.Only(PropertyManager).Handler(http.HandlerFunc(greet)))

	ask(mux, "GET", "/buildings", "Authorization: Bearer anns-token")
	ask(mux, "GET", "/buildings", "Authorization: Bearer bobs-token")
	// Output:
	// 200 hello ann of company 7
	// 403 Bearer realm="api", error="insufficient_scope", error_description="The access token does not allow this."
}

// Two issuers may call different people by one word: a partner's Admin is not ours.
func ExampleGuard_From() {
	const our, partner = "https://id.example", "https://partner.example"
	joined := desk{ // a verifier of claims.Join
		"anns-token": {Issuer: our, Subject: "ann", Party: "Admin"},
		"zoes-token": {Issuer: partner, Subject: "zoe", Party: "Admin"},
		"maxs-token": {Issuer: partner, Subject: "max", Party: "Auditor"},
	}
	guard := middleware.New(joined, middleware.Config{})
	mux := http.NewServeMux()
	mux.Handle("DELETE /buildings", guard.From(our).Only("Admin").Handler(http.HandlerFunc(greet)))
	// Where each issuer has a word of its own, a function compares both.
	readers := guard.Require(func(_ *http.Request, c *claims.Claims[Account]) error {
		switch {
		case c.Issuer == our && c.Party == "Admin", c.Issuer == partner && c.Party == "Auditor":
			return nil
		}
		return middleware.ErrForbidden
	})
	mux.Handle("GET /buildings", readers.Handler(http.HandlerFunc(greet)))

	for _, name := range []string{"ann", "zoe", "max"} {
		ask(mux, "DELETE", "/buildings", "Authorization: Bearer "+name+"s-token")
		ask(mux, "GET", "/buildings", "Authorization: Bearer "+name+"s-token")
	}
	// Output:
	// 200 hello ann of company 0
	// 200 hello ann of company 0
	// 403 Bearer realm="api", error="insufficient_scope", error_description="The access token does not allow this."
	// 403 Bearer realm="api", error="insufficient_scope", error_description="The access token does not allow this."
	// 403 Bearer realm="api", error="insufficient_scope", error_description="The access token does not allow this."
	// 200 hello max of company 0
}

// Scopes are names, compared whole: orders:write:own is not orders:write.
func ExampleGuard_Scope() {
	guard := middleware.New(verify, middleware.Config{})
	mux := http.NewServeMux()
	mux.Handle("POST /orders", guard.Scope("orders:write").Handler(http.HandlerFunc(greet)))

	ask(mux, "POST", "/orders", "Authorization: Bearer anns-token")
	ask(mux, "POST", "/orders", "Authorization: Bearer bobs-token")
	// Output:
	// 200 hello ann of company 7
	// 403 Bearer realm="api", error="insufficient_scope", error_description="The access token does not allow this.", scope="orders:write"
}

// What depends on the request is decided by a function.
func ExampleGuard_Require() {
	guard := middleware.New(verify, middleware.Config{})
	own := guard.Require(func(r *http.Request, c *claims.Claims[Account]) error {
		if r.PathValue("company") != fmt.Sprint(c.App.CompanyID) {
			return fmt.Errorf("%w: company %d asks for another's", middleware.ErrForbidden, c.App.CompanyID) // the text is for the log
		}
		return nil
	})
	mux := http.NewServeMux()
	mux.Handle("GET /companies/{company}/buildings", own.Handler(http.HandlerFunc(greet)))

	ask(mux, "GET", "/companies/7/buildings", "Authorization: Bearer anns-token")
	ask(mux, "GET", "/companies/8/buildings", "Authorization: Bearer anns-token")
	// Output:
	// 200 hello ann of company 7
	// 403 Bearer realm="api", error="insufficient_scope", error_description="The access token does not allow this."
}

// Strangers are welcome, forged tokens are not.
func ExampleGuard_Optional() {
	guard := middleware.New(verify, middleware.Config{})
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", guard.Optional(http.HandlerFunc(greet)))

	ask(mux, "GET", "/")
	ask(mux, "GET", "/", "Authorization: Bearer anns-token")
	ask(mux, "GET", "/", "Authorization: Bearer forged")
	// Output:
	// 200 hello stranger
	// 200 hello ann of company 7
	// 401 Bearer realm="api", error="invalid_token", error_description="The access token is not valid."
}

// Where Handler does not fit, Check decides and the caller answers.
func ExampleGuard_Check() {
	guard := middleware.New(verify, middleware.Config{}).Only(PropertyManager)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer bobs-token")

	c, err := guard.Check(r)
	fmt.Println(c == nil, middleware.Status(err))
	// Output: true 403
}

// Deny writes refusals in a system's own shape; the headers of the protocol
// are set already.
func ExampleConfig_deny() {
	deny := func(w http.ResponseWriter, r *http.Request, err error) {
		status := middleware.Status(err)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"code": status, "message": http.StatusText(status)})
	}
	guard := middleware.New(verify, middleware.Config{Deny: deny})

	w := httptest.NewRecorder()
	guard.Handler(http.HandlerFunc(greet)).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Header().Get("WWW-Authenticate"))
	fmt.Print(w.Body)
	// Output:
	// Bearer realm="api"
	// {"code":401,"message":"Unauthorized"}
}

// The party that a client writes into a header is a wish. Bob has read the
// documentation of another system, and comes in.
func ExampleGuard_Only_incorrect() {
	guard := middleware.New(verify, middleware.Config{})
	wrong := guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Party-Type") != string(PropertyManager) { // anybody can write this
			w.WriteHeader(http.StatusForbidden)
			return
		}
		greet(w, r)
	}))
	ask(wrong, "GET", "/buildings", "Authorization: Bearer bobs-token", "X-Party-Type: PropertyManager")

	right := guard.Only(PropertyManager).Handler(http.HandlerFunc(greet))
	ask(right, "GET", "/buildings", "Authorization: Bearer bobs-token", "X-Party-Type: PropertyManager")
	// Output:
	// 200 hello bob of company 0
	// 403 Bearer realm="api", error="insufficient_scope", error_description="The access token does not allow this."
}

// A guard that is mounted for one method guards that method. Guard the handler,
// then mount it wherever it goes.
func ExampleGuard_Handler_incorrect() {
	guard := middleware.New(verify, middleware.Config{})
	buildings := http.HandlerFunc(greet)

	wrong := http.NewServeMux()
	wrong.Handle("GET /buildings", guard.Handler(buildings))
	wrong.Handle("/buildings", buildings) // meant for HEAD and OPTIONS
	ask(wrong, "DELETE", "/buildings")

	right := http.NewServeMux()
	right.Handle("/buildings", guard.Handler(buildings))
	ask(right, "DELETE", "/buildings")
	// Output:
	// 200 hello stranger
	// 401 Bearer realm="api"
}

// A scope is not a text to search in: "orders:write" is found in
// "orders:write:own".
func ExampleGuard_Scope_incorrect() {
	guard := middleware.New(verify, middleware.Config{})
	wrong := guard.Require(func(_ *http.Request, c *claims.Claims[Account]) error {
		if !strings.Contains(strings.Join(c.Scope, " "), "orders:write") {
			return middleware.ErrForbidden
		}
		return nil
	})
	ask(wrong.Handler(http.HandlerFunc(greet)), "POST", "/orders", "Authorization: Bearer bobs-token")

	right := guard.Scope("orders:write")
	ask(right.Handler(http.HandlerFunc(greet)), "POST", "/orders", "Authorization: Bearer bobs-token")
	// Output:
	// 200 hello bob of company 0
	// 403 Bearer realm="api", error="insufficient_scope", error_description="The access token does not allow this.", scope="orders:write"
}
