package recovery_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/recovery"
	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

var secretOfAll = bytes.Repeat([]byte("k"), 32)

// exampleCodes are codes over a store and a lockout in memory.
func exampleCodes(notify func(context.Context, recovery.Event)) *recovery.Recovery {
	guesses, err := lockout.New(lockout.Config{Name: "recovery"}) // 5 tries, 24 hours
	if err != nil {
		panic(err)
	}
	codes, err := recovery.New(recovery.Config{
		Store:   issuer.NewMemoryStore(),
		Lockout: guesses,
		Secret:  func() []byte { return secretOfAll }, // random, and the same on all machines
		Notify:  notify,
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	return codes
}

func Example() {
	codes := exampleCodes(func(_ context.Context, e recovery.Event) { fmt.Println("blocked:", e.Account, e.Blocked) })
	ctx := context.Background()
	var mailed string
	err := codes.Start(ctx, "ann@example.com", func(_ context.Context, code string) error {
		mailed = code // your queue of mails
		return nil
	})
	fmt.Println(err)
	fmt.Println(codes.Redeem(ctx, "ann@example.com", mailed)) // now set the new password
	fmt.Println(codes.Redeem(ctx, "ann@example.com", mailed))
	for range 5 {
		codes.Redeem(ctx, "ann@example.com", "GVESSEDC")
	}
	_, err = codes.Redeem(ctx, "ann@example.com", mailed)
	var blocked *lockout.BlockedError
	if errors.As(err, &blocked) {
		fmt.Println("for", blocked.RetryAfter.Round(time.Hour))
	}
	// Output:
	// <nil>
	// true <nil>
	// false <nil>
	// blocked: ann@example.com true
	// for 24h0m0s
}

// Mail is sent outside the request: the answer takes as long whether there is an
// account or not, and waits for no mail server. The limit in front bounds the records
// that strangers can make.
func ExampleRecovery_StartHandler() {
	type mail struct{ to, code string }
	queue := make(chan mail, 100)
	sent := make(chan bool)
	go func() { // ends when the queue is closed, as the server stops
		for m := range queue {
			fmt.Println("mail to", m.to, "with a code of", len(m.code)) // with a context and a timeout of its own
		}
		close(sent)
	}()

	codes := exampleCodes(nil)
	accounts := map[string]bool{"ann@example.com": true}
	limit, err := ratelimit.New(ratelimit.Config{Name: "recovery", Limit: ratelimit.Per(40, time.Minute), Key: ratelimit.RemoteIP, Quiet: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	start := limit.Handler(codes.StartHandler(func(_ context.Context, email string) (func(context.Context, string) error, error) {
		if !accounts[email] {
			return nil, nil
		}
		return func(_ context.Context, code string) error {
			select {
			case queue <- mail{email, code}:
				return nil
			default: // never wait: that would tell who has an account
				return errors.New("the queue of mails is full") // is logged, and answered like success
			}
		}, nil
	}))

	for _, email := range []string{"ann@example.com", "nobody@example.com"} {
		r := httptest.NewRequest("POST", "/recover-password", strings.NewReader("email="+url.QueryEscape(email)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		start.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	close(queue)
	<-sent
	// Unordered output:
	// 204
	// 204
	// mail to ann@example.com with a code of 8
}

// A stranger asks for codes of ann's account again and again. Three mails are sent, and
// the newest has a code that is good.
func ExampleRecovery_Start() {
	codes := exampleCodes(nil)
	var mails []string
	send := func(_ context.Context, code string) error { mails = append(mails, code); return nil }
	for range 30 {
		if err := codes.Start(context.Background(), "ann@example.com", send); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(len(mails), "mails")
	fmt.Println(codes.Redeem(context.Background(), "ann@example.com", mails[len(mails)-1]))
	// Output:
	// 3 mails
	// true <nil>
}

// The flow as routes, each behind a limit by address of the peer. It bounds the records
// that strangers can make.
func ExampleRecovery_RedeemHandler() {
	codes := exampleCodes(nil)
	limits, err := ratelimit.NewSet(ratelimit.Config{Name: "DefaultRateLimitAuth", Limit: ratelimit.Per(5, time.Minute), Key: ratelimit.RemoteIP, Quiet: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	accounts := map[string]string{"ann@example.com": "forgotten"}
	var mailed string
	find := func(_ context.Context, email string) (func(context.Context, string) error, error) {
		if _, ok := accounts[email]; !ok {
			return nil, nil
		}
		return func(_ context.Context, code string) error { mailed = code; return nil }, nil
	}
	accept := func(password string) bool { return len(password) >= 8 }
	set := func(_ context.Context, email, password string) error { accounts[email] = password; return nil } // and end its sessions
	auth := limits.Handler("DefaultRateLimitAuth")
	mux := http.NewServeMux()
	mux.Handle("POST /recover-password", auth(codes.StartHandler(find)))
	mux.Handle("PUT /change-password", auth(codes.RedeemHandler(accept, set)))

	send := func(method, path, body string) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	send("POST", "/recover-password", `{"email": "Ann@example.com"}`)
	send("POST", "/recover-password", `{"email": "nobody@example.com"}`)
	send("PUT", "/change-password", `{"email": "ann@example.com", "password": "remembered", "recoveryCode": "`+mailed+`"}`)
	fmt.Println(accounts["ann@example.com"])
	// Output:
	// 204
	// 204
	// 204
	// remembered
}

// Without Redis: the lockout lives where the issuer keeps its sessions, and so outlives
// the process and is shared by all machines. Every address that strangers guess at has
// a record there for 24 hours, so the limit in front of redeem is needed: see the
// example of RedeemHandler.
func ExampleNewLog() {
	store := issuer.NewMemoryStore() // issuersql, really
	log, err := recovery.NewLog(store)
	if err != nil {
		fmt.Println(err)
		return
	}
	guesses, err := lockout.New(lockout.Config{Name: "recovery", Store: log})
	if err != nil {
		fmt.Println(err)
		return
	}
	wrong := func(context.Context) (bool, error) { return false, nil }
	for range 5 {
		guesses.Attempt(context.Background(), "ann@example.com", wrong)
	}
	_, err = guesses.Attempt(context.Background(), "ann@example.com", wrong)
	fmt.Println(errors.Is(err, lockout.ErrBlocked))
	// Output: true
}

// Starting only for accounts that exist: the answers
// tell who has an account. Start does the same work for all: give it nil for send.
func Example_incorrect() {
	codes := exampleCodes(nil)
	accounts := map[string]bool{"ann@example.com": true}
	start := func(email string) string {
		if !accounts[email] {
			return "no such account" // or a faster answer
		}
		err := codes.Start(context.Background(), email, func(context.Context, string) error { return nil })
		return fmt.Sprint("sent, ", err)
	}
	fmt.Println(start("ann@example.com"))
	fmt.Println(start("nobody@example.com"))
	// Output:
	// sent, <nil>
	// no such account
}
