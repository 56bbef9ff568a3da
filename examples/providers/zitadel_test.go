package providers_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/gatehouse-go/gatehouse/examples/providers"
)

// zitadelStore is the storage of zitadel/oidc's example provider with two things
// that its operators write themselves: clients whose access tokens are JWTs, and
// keys that change.
type zitadelStore struct {
	*storage.Storage
	mu   sync.Mutex
	keys []zitadelKey // published; the last one signs
}

func (s *zitadelStore) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return zitadelClient{c}, nil
}

func (s *zitadelStore) SigningKey(context.Context) (op.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[len(s.keys)-1], nil
}

func (s *zitadelStore) KeySet(context.Context) ([]op.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var set []op.Key
	for _, k := range s.keys {
		set = append(set, zitadelPublicKey{k})
	}
	return set, nil
}

func (s *zitadelStore) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

// rotate makes a new key sign and keeps so many of the old ones published.
func (s *zitadelStore) rotate(t *testing.T, old int) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys[len(s.keys)-min(old, len(s.keys)):], zitadelKey{rand.Text(), key})
}

type zitadelClient struct{ op.Client }

func (zitadelClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

type zitadelKey struct {
	id  string
	key *rsa.PrivateKey
}

func (k zitadelKey) ID() string                                  { return k.id }
func (k zitadelKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k zitadelKey) Key() any                                    { return k.key }

type zitadelPublicKey struct{ zitadelKey }

func (k zitadelPublicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k zitadelPublicKey) Use() string                        { return "sig" }
func (k zitadelPublicKey) Key() any                           { return &k.key.PublicKey }

func TestZitadel(t *testing.T) {
	t.Parallel()
	var handler http.Handler
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(web.Close)
	const redirect = "http://127.0.0.1/callback"
	store := &zitadelStore{Storage: storage.NewStorageWithClients(storage.NewUserStore(web.URL+"/"), map[string]*storage.Client{
		"one": storage.WebClient("one", "secret", redirect),
		"two": storage.WebClient("two", "secret", redirect),
	})}
	store.rotate(t, 0)
	handler = exampleop.SetupServer(web.URL, store, nil, false)
	c := func(id string) *client {
		return &client{issuer: web.URL, id: id, secret: "secret", redirect: redirect, scope: "openid profile offline_access",
			fill: map[string]string{"username": "test-user2", "password": "verysecure"}}
	}

	s := newServer(t, quick(providers.Zitadel(web.URL, "one")))
	got := c("one").login(t)
	s.must(t, "access token", got.Access, 200)
	s.must(t, "ID token", got.ID, 401)
	s.must(t, "refresh token", got.Refresh, 401)
	again := c("one").refresh(t, got.Refresh)
	s.must(t, "access token after a refresh", again.Access, 200)
	s.must(t, "ID token after a refresh", again.ID, 401)
	s.must(t, "another client's access token", c("two").login(t).Access, 401)

	store.rotate(t, 1)
	s.must(t, "new key", c("one").login(t).Access, 200)
	s.must(t, "old key, while both are published", got.Access, 200)
	store.rotate(t, 1)
	s.must(t, "the key after it", c("one").login(t).Access, 200)
	s.must(t, "withdrawn key", got.Access, 401)
}
