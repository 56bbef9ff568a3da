package ratelimit_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// Account is what this application's tokens say beyond the registered claims.
type Account struct{}

// subject is a key: the caller that the guard in front has found out. Without a guard
// it is empty, and the request is refused.
func subject(r *http.Request) (string, error) {
	caller, _ := claims.FromContext[Account](r.Context())
	return caller.Subject, nil
}

// desk stands in for a claims.Verifier, so that the tokens here are readable.
type desk map[string]*claims.Claims[Account]

func (d desk) Verify(_ context.Context, token string) (*claims.Claims[Account], error) {
	if c, ok := d[token]; ok {
		return c, nil
	}
	return nil, claims.ErrInvalid
}

var guard = middleware.New(desk{
	"anns-token": {Subject: "ann", Party: "Admin"},
	"bobs-token": {Subject: "bob", Party: "Guest"},
}, middleware.Config{})

// ask sends a request with a token, and prints the status and what is left.
func ask(h http.Handler, token string) {
	r := httptest.NewRequest("GET", "/search", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("RateLimit"))
}

// Limited by the caller that the guard has found out, from whatever address: the limit
// is mounted behind the guard. If several issuers are trusted, the key is the Issuer
// and the Subject.
func ExampleKeyFunc() {
	limit, err := ratelimit.New(ratelimit.Config{Name: "Search", Limit: ratelimit.Per(1, time.Minute), Key: subject})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := guard.Handler(limit.Handler(http.NotFoundHandler()))
	ask(h, "anns-token")
	ask(h, "anns-token")
	ask(h, "bobs-token")
	ask(h, "nobodys-token")
	// Output:
	// 404 "Search";r=0;t=60
	// 429 "Search";r=0;t=60
	// 404 "Search";r=0;t=60
	// 401
}

// Limits from configuration: every mistake is named, and nothing changes until
// there is none.
func ExampleParsePolicies() {
	keys := map[string]ratelimit.KeyFunc{"subject": subject} // behind a guard
	_, err := ratelimit.ParsePolicies([]byte(`{
		"DefaultRateLimitAuth": {"limit": 5, "key": "remote-ip", "quiet": true},
		"Search": {"limit": 100, "per": "1m", "key": "sbject"}
	}`), ratelimit.Config{}, keys)
	fmt.Println(err)
	configs, err := ratelimit.ParsePolicies([]byte(`{
		"DefaultRateLimitAuth": {"limit": 5, "per": "1m", "key": "remote-ip", "quiet": true},
		"Search": {"limit": 100, "per": "1m", "key": "subject"}
	}`), ratelimit.Config{}, keys)
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := ratelimit.NewSet(configs...) // later: set.Replace(configs...)
	if err != nil {
		fmt.Println(err)
		return
	}
	ask(guard.Handler(set.Handler("Search")(http.NotFoundHandler())), "anns-token")
	// Output:
	// ratelimit: policy "DefaultRateLimitAuth": member "per" is missing
	// ratelimit: policy "Search": member "key" names no key function: "sbject"
	// 404 "Search";r=99;t=1
}

// Different limits for different parties: the policy is chosen for each request,
// behind the guard that knows the caller.
func ExampleSet_Choose() {
	set, err := ratelimit.NewSet(
		ratelimit.Config{Name: "Guest", Limit: ratelimit.Per(10, time.Minute), Key: subject},
		ratelimit.Config{Name: "Admin", Limit: ratelimit.Per(1000, time.Minute), Key: subject},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	party := func(r *http.Request) string {
		if caller, _ := claims.FromContext[Account](r.Context()); caller.Party == "Admin" {
			return "Admin"
		}
		return "Guest" // whatever else there will be
	}
	h := guard.Handler(set.Choose(party)(http.NotFoundHandler()))
	ask(h, "anns-token")
	ask(h, "bobs-token")
	// Output:
	// 404 "Admin";r=999;t=1
	// 404 "Guest";r=9;t=6
}
