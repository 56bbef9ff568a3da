package jwks_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// An issuer's keys are found by its URL and followed as they change.
func ExampleNew() {
	mux := http.NewServeMux() // stands for https://id.example
	id := httptest.NewServer(mux)
	defer id.Close()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, id.URL, id.URL+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"2026-11","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	})

	keys, err := jwks.New(jwks.Config{Issuer: id.URL})
	if err != nil {
		log.Fatal(err)
	}
	defer keys.Close()
	verify, err := claims.NewVerifier[struct{}](claims.Config{Issuer: id.URL, Audience: []string{"api"}, Keys: keys})
	if err != nil {
		log.Fatal(err)
	}
	_, err = verify.Verify(context.Background(), "not a token")
	fmt.Println("refused:", errors.Is(err, claims.ErrInvalid))
	fmt.Println("keys:", keys.Stats().Keys, "ready:", keys.Ready(context.Background()) == nil)
	// Output:
	// refused: true
	// keys: 1 ready: true
}

// An error of Keys is not about the token. To answer it with 401 would log
// everybody out whenever the key server is down.
func ExampleNew_incorrect() {
	down := httptest.NewServer(http.NotFoundHandler())
	defer down.Close()
	keys, err := jwks.New(jwks.Config{URL: down.URL, StartEmpty: true, OnDemand: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer keys.Close()

	_, err = keys.Keys(context.Background(), claims.Header{Algorithm: "EdDSA", KeyID: "2026-11"})
	if err != nil {
		fmt.Println("wrong:", http.StatusUnauthorized)
	}
	if errors.Is(err, jwks.ErrUnavailable) {
		fmt.Println("right:", http.StatusServiceUnavailable)
	}
	// Output:
	// wrong: 401
	// right: 503
}

// A directory of public keys, such as a mounted Kubernetes ConfigMap.
func ExampleNewFiles() {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	bundle := "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n"
	if err := os.WriteFile(filepath.Join(dir, "issuer.pem"), []byte(bundle), 0o600); err != nil {
		log.Fatal(err)
	}

	keys, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{dir}, Interval: 30 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	found, err := keys.Keys(context.Background(), claims.Header{Algorithm: "EdDSA"})
	fmt.Println(found, err)
	// Output:
	// [EdDSA key ""] <nil>
}
