package main

import (
	"context"
	"crypto"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimitredis"
)

// place is what a replica is told.
type place struct {
	Name, Listen         string
	Postgres, Redis, Key string
}

const placeVariable = "GATEHOUSE_CLUSTER_REPLICA"

func (p place) environment() string {
	text, _ := json.Marshal(p) // strings can be written
	return placeVariable + "=" + string(text)
}

func placeFromEnvironment() (p place, isReplica bool) {
	text := os.Getenv(placeVariable)
	isReplica = text != "" && json.Unmarshal([]byte(text), &p) == nil
	return p, isReplica
}

// Account is what our tokens say besides the registered claims: nothing.
type Account struct{}

// serveReplica is one replica. All that it keeps is in the two servers.
func serveReplica(ctx context.Context, p place) error {
	db, err := sql.Open("pgx", p.Postgres)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(20)
	store, err := issuersql.New(db, issuersql.Config{Dialect: issuersql.PostgreSQL})
	if err != nil {
		return err
	}
	if err := errors.Join(store.CreateSchema(ctx), store.Check(ctx)); err != nil {
		return err
	}
	go removeExpired(ctx, store)
	client := redis.NewClient(&redis.Options{Addr: p.Redis, ContextTimeoutEnabled: true, DialTimeout: 250 * time.Millisecond})
	defer client.Close()
	handler, err := newHandler(p, store, client)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", p.Listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func removeExpired(ctx context.Context, store *issuersql.Store) {
	for ctx.Err() == nil {
		select {
		case <-time.After(time.Minute):
			store.RemoveExpired(ctx, 500) // if it fails, the next one may not
		case <-ctx.Done():
		}
	}
}

func newHandler(p place, store issuer.Store, client *redis.Client) (http.Handler, error) {
	key, secret, err := readKey(p.Key)
	if err != nil {
		return nil, err
	}
	keys, err := signing.NewSchedule(key)
	if err != nil {
		return nil, err
	}
	refreshKeys, err := signing.NewSchedule(secret)
	if err != nil {
		return nil, err
	}
	tokens, err := issuer.New(issuer.Config[Account]{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: keys, RefreshKeys: refreshKeys, Store: store,
		// A replica that dies may take an answer with it: the client asks again,
		// and gets what it would have got.
		Grace: 30 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	verify, err := claims.NewVerifier[Account](claims.Config{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: tokens.KeySet(),
	})
	if err != nil {
		return nil, err
	}
	auth, err := newLimit(client)
	if err != nil {
		return nil, err
	}
	guard := middleware.New(verify, middleware.Config{})
	mux := http.NewServeMux()
	mux.Handle("POST /login", auth.Handler(tokens.LoginHandler(login)))
	mux.Handle("POST /refresh", auth.Handler(tokens.RefreshHandler()))
	mux.Handle("GET /me", guard.Handler(http.HandlerFunc(me)))
	return named(p.Name, http.MaxBytesHandler(mux, 64<<10)), nil
}

// newLimit counts the requests of an address to all replicas together.
func newLimit(client *redis.Client) (*ratelimit.Limiter, error) {
	shared, err := ratelimitredis.New(client, ratelimitredis.Config{})
	if err != nil {
		return nil, err
	}
	guarded, err := ratelimit.NewBreaker(ratelimit.BreakerConfig{Store: shared, Timeout: 250 * time.Millisecond})
	if err != nil {
		return nil, err
	}
	byAddress, err := ratelimit.TrustedProxies("X-Forwarded-For", "127.0.0.1")
	if err != nil {
		return nil, err
	}
	return ratelimit.New(ratelimit.Config{
		Name: "Auth", Limit: ratelimit.Per(limitPerMinute, time.Minute), Key: byAddress, Store: guarded, Quiet: true,
	})
}

// limitPerMinute is generous, since on the tour all users have one address.
const limitPerMinute = 600

// readKey returns the key that signs access tokens, and the secret for refresh tokens.
// The secret follows from the key, so that all replicas have it from one file.
func readKey(file string) (key, secret *signing.Key, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, nil, errors.New(file + " holds no PEM")
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, err
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, nil, errors.New(file + " holds no key that signs")
	}
	if key, err = signing.NewKey("EdDSA", signer, time.Time{}); err != nil {
		return nil, nil, err
	}
	derived, err := hkdf.Key(sha256.New, block.Bytes, nil, "refresh tokens", 32)
	if err != nil {
		return nil, nil, err
	}
	secret, err = signing.NewSecret("HS256", "", derived, time.Time{})
	return key, secret, err
}

// login believes everybody; examples/quickstart has passwords.
func login(r *http.Request) (claims.Claims[Account], error) {
	in, err := issuer.ReadBody(r, "user")
	if err == nil && in["user"] == "" {
		err = issuer.ErrRefused
	}
	return claims.Claims[Account]{Subject: in["user"]}, err
}

func me(w http.ResponseWriter, r *http.Request) {
	caller := claims.MustFromContext[Account](r.Context())
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]string{"user": caller.Subject})
}

// named says in each answer which replica gave it.
func named(name string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Replica", name)
		next.ServeHTTP(w, r)
	})
}
