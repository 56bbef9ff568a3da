package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

func ExampleNew() {
	limit, err := ratelimit.New(ratelimit.Config{
		Name:  "DefaultRateLimitAuth",
		Limit: ratelimit.Per(2, time.Minute),
		Key:   ratelimit.RemoteIP,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := limit.Handler(http.NotFoundHandler())
	for range 3 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		fmt.Printf("%d %s %q\n", w.Code, w.Header().Get("RateLimit"), w.Header().Get("Retry-After"))
	}
	// Output:
	// 404 "DefaultRateLimitAuth";r=1;t=30 ""
	// 404 "DefaultRateLimitAuth";r=0;t=30 ""
	// 429 "DefaultRateLimitAuth";r=0;t=30 "30"
}

// A limit in the terms of x/time/rate, and requests of different weight.
func ExampleLimiter_AllowN() {
	limit, err := ratelimit.New(ratelimit.Config{
		Name:  "export",
		Limit: ratelimit.Limit{Rate: rate.Every(time.Hour), Burst: 10},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, cost := range []int{1, 8, 5} {
		d, err := limit.AllowN(context.Background(), "company 7", cost)
		if err != nil || !d.Allowed {
			fmt.Println("refused, in", d.RetryAfter.Round(time.Minute), err)
			continue
		}
		fmt.Println(d.Remaining, "left")
	}
	// Output:
	// 9 left
	// 1 left
	// refused, in 4h0m0s <nil>
}

// An account is limited for all addresses that ask, and an address for all accounts.
// The account is in the path: a key must not read the body (see Limiter.Refuse). A
// malformed e-mail address is the client's mistake, as the error of Email says.
func ExampleAll() {
	store := ratelimit.NewMemoryStore(0)
	account := func(r *http.Request) (string, error) { return ratelimit.Email(r.PathValue("email")) }
	byAddress, err1 := ratelimit.New(ratelimit.Config{Name: "address", Limit: ratelimit.Per(100, time.Minute), Key: ratelimit.RemoteIP, Store: store, Quiet: true})
	byAccount, err2 := ratelimit.New(ratelimit.Config{Name: "account", Limit: ratelimit.Per(1, time.Minute), Key: account, Store: store, Quiet: true})
	if err := errors.Join(err1, err2); err != nil {
		fmt.Println(err)
		return
	}
	both, err := ratelimit.All(byAddress, byAccount)
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("POST /recovery/{email}", both.Handler(http.NotFoundHandler()))
	for _, email := range []string{"ann@example.com", "Ann@Example.com", "bob@example.com", "bob"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("POST", "/recovery/"+email, nil))
		fmt.Println(w.Code)
	}
	// Output:
	// 404
	// 429
	// 404
	// 400
}

// Only the body says which account is meant: the address is limited in front of
// the handler, and the account by the handler, which has read the body.
func ExampleLimiter_Refuse() {
	byAddress, err1 := ratelimit.New(ratelimit.Config{Name: "address", Limit: ratelimit.Per(100, time.Minute), Key: ratelimit.RemoteIP, Quiet: true})
	byAccount, err2 := ratelimit.New(ratelimit.Config{Name: "account", Limit: ratelimit.Per(1, time.Minute), Quiet: true})
	if err := errors.Join(err1, err2); err != nil {
		fmt.Println(err)
		return
	}
	login := func(w http.ResponseWriter, r *http.Request) {
		email, err := ratelimit.Email(r.PostFormValue("email"))
		if err != nil {
			http.Error(w, "not an address", http.StatusBadRequest)
			return
		}
		if d, err := byAccount.Allow(r.Context(), email); err != nil || !d.Allowed {
			byAccount.Refuse(w, r, d, err)
			return
		}
		fmt.Fprint(w, "hello ", email)
	}
	h := byAddress.Handler(http.HandlerFunc(login))
	for _, email := range []string{"ann@example.com", "Ann@Example.com", "bob@example.com"} {
		r := httptest.NewRequest("POST", "/login", strings.NewReader("email="+email))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Printf("%d %q\n", w.Code, w.Header().Get("Retry-After"))
	}
	// Output:
	// 200 ""
	// 429 "60"
	// 200 ""
}

// A key that reads the body: the handler finds none.
func ExampleKeyFunc_incorrect() {
	limit, err := ratelimit.New(ratelimit.Config{
		Name:  "account",
		Limit: ratelimit.Per(1, time.Minute),
		Key:   func(r *http.Request) (string, error) { return ratelimit.Email(r.FormValue("email")) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := limit.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Printf("%q %v\n", body, err)
	}))
	r := httptest.NewRequest("POST", "/login", strings.NewReader("email=ann@example.com"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h.ServeHTTP(httptest.NewRecorder(), r)
	// Output: "" <nil>
}

func ExampleSet() {
	policy := ratelimit.Config{Name: "DefaultRateLimitAuth", Limit: ratelimit.Per(5, time.Minute), Key: ratelimit.RemoteIP}
	set, err := ratelimit.NewSet(policy)
	if err != nil {
		fmt.Println(err)
		return
	}
	login := set.Handler("DefaultRateLimitAuth")(http.NotFoundHandler())
	show := func() {
		w := httptest.NewRecorder()
		login.ServeHTTP(w, httptest.NewRequest("POST", "/login", nil))
		fmt.Println(w.Header().Get("RateLimit-Policy"))
	}
	show()
	policy.Limit = ratelimit.Per(100, time.Minute)
	if err := set.Replace(policy); err != nil { // while serving
		fmt.Println(err)
	}
	show()
	// Output:
	// "DefaultRateLimitAuth";q=5;w=60
	// "DefaultRateLimitAuth";q=100;w=60
}

func ExampleTrustedProxies() {
	client, err := ratelimit.TrustedProxies("X-Forwarded-For", "10.0.0.0/8")
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:443"                                   // our load balancer
	r.Header.Set("X-Forwarded-For", "1.1.1.1, 192.0.2.7, 10.0.0.2") // 1.1.1.1 is what the client claims
	fmt.Println(client(r))
	// Output: 192.0.2.7 <nil>
}

// Trusting the left end of X-Forwarded-For, or any such header that the client may have
// written: every client chooses its own key, and a new one for each request.
func ExampleTrustedProxies_incorrect() {
	limit, err := ratelimit.New(ratelimit.Config{
		Name:  "address",
		Limit: ratelimit.Per(1, time.Hour),
		Key:   func(r *http.Request) (string, error) { return r.Header.Get("X-Forwarded-For"), nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	admitted := 0
	for i := range 100 {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Forwarded-For", fmt.Sprint("10.0.0.", i))
		if d, err := limit.Check(r); err == nil && d.Allowed {
			admitted++
		}
	}
	fmt.Println(admitted, "admitted of a limit of 1")
	// Output: 100 admitted of a limit of 1
}

func ExampleEmail() {
	fmt.Println(ratelimit.Email("  Ann@Example.COM"))
	_, err := ratelimit.Email("ann@example\u200b.com")
	fmt.Println(err)
	// Output:
	// ann@example.com <nil>
	// ratelimit: domain of e-mail address has a character that is not allowed
}

// Limits that all machines share, and what happens when their store fails: login
// is refused, search goes on with a quarter of the limit on each of four machines.
func ExampleBreaker() {
	shared := ratelimit.NewMemoryStore(0) // a ratelimitredis.Store, if there are several machines
	store, err := ratelimit.NewBreaker(ratelimit.BreakerConfig{Store: shared})
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := ratelimit.NewSet(
		ratelimit.Config{Name: "login", Limit: ratelimit.Per(5, time.Minute), Key: ratelimit.RemoteIP, Store: store, Quiet: true},
		ratelimit.Config{Name: "search", Limit: ratelimit.Per(100, time.Minute), Key: ratelimit.RemoteIP, Store: store, LocalShare: 0.25},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	w := httptest.NewRecorder()
	set.Handler("search")(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/search", nil))
	fmt.Println(w.Code, w.Header().Get("RateLimit"))
	// Output: 404 "search";r=99;t=1
}
