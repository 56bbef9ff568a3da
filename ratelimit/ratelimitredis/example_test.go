package ratelimitredis_test

import (
	"context"
	"log"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimitredis"
	"github.com/redis/go-redis/v9"
)

// One limit for all machines. While Redis is away, each machine goes on with a fifth of
// it, and a request waits for Redis 30 ms at most.
func Example() {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
	shared, err := ratelimitredis.New(client, ratelimitredis.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if err := shared.Check(context.Background()); err != nil {
		log.Print(err) // such as a policy that evicts keys
	}
	store, err := ratelimit.NewBreaker(ratelimit.BreakerConfig{Store: shared})
	if err != nil {
		log.Fatal(err)
	}
	limit, err := ratelimit.New(ratelimit.Config{
		Name: "DefaultRateLimitAuth", Limit: ratelimit.Per(100, time.Minute), Key: ratelimit.RemoteIP,
		Store: store, LocalShare: 0.2,
	})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", limit.Handler(http.NotFoundHandler())))
}

// One lockout for all machines. It needs no breaker: while Redis is away no guess is
// looked at.
func ExampleStore_Apply() {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
	shared, err := ratelimitredis.New(client, ratelimitredis.Config{})
	if err != nil {
		log.Fatal(err)
	}
	guesses, err := lockout.New(lockout.Config{Name: "recovery", Store: shared})
	if err != nil {
		log.Fatal(err)
	}
	outcome, err := guesses.Attempt(context.Background(), "ann@example.com", func(context.Context) (bool, error) {
		return false, nil // compare the code here
	})
	log.Print(outcome.Right, outcome.Left, err)
}
