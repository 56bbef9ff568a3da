package issuerredis_test

import (
	"context"
	"log"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuerredis"
)

func Example() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	store, err := issuerredis.New(client, issuerredis.Config{})
	if err != nil {
		log.Fatal(err)
	}
	warnings, err := store.Check(context.Background())
	if err != nil {
		log.Fatal(err) // a server that forgets sessions is found before users find it
	}
	for _, w := range warnings {
		log.Print(w)
	}
	_ = issuer.Config[struct{}]{Store: store}
}

func Example_cluster() {
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:                 []string{"10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379"},
		ContextTimeoutEnabled: true,
	})
	defer client.Close()
	store, err := issuerredis.New(client, issuerredis.Config{Prefix: "id:"})
	if err != nil {
		log.Fatal(err)
	}
	_ = issuer.Config[struct{}]{Store: store}
}
