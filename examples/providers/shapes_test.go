package providers_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-go/gatehouse/examples/providers"
)

// documented are the providers that can't run here. testdata/shapes has, for each,
// tokens of the shape that public documentation shows, with other values, and
// where that was seen. They are all signed with the key that the provider
// publishes, also where the provider would not do that, so that each is refused
// for what it says.
var documented = map[string]providers.Provider{
	"firebase":   providers.Firebase("shop-4711"),
	"kubernetes": providers.Kubernetes("https://kubernetes.default.svc.cluster.local", "https://10.0.0.1:6443", "orders"),
}

// shape is a file of testdata/shapes.
type shape struct {
	Sources  []string
	Metadata string // where the metadata is, or if it is JWKSURI, there is none
	JWKSURI  string `json:"jwks_uri"`
	JWK      json.RawMessage
	Tokens   []struct {
		What    string
		Want    int
		Header  map[string]any
		Payload json.RawMessage
	}
}

func TestDocumentedShapes(t *testing.T) {
	files, err := filepath.Glob("testdata/shapes/*.json")
	if err != nil || len(files) != len(documented) {
		t.Fatalf("%d files for %d providers, %v", len(files), len(documented), err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile("testdata/shapes/" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var s shape
			decoder := json.NewDecoder(bytes.NewReader(text))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&s); err != nil || len(s.Sources) == 0 {
				t.Fatalf("%v, sources %q", err, s.Sources)
			}
			synctest.Test(t, func(t *testing.T) {
				// The dates are the documentation's: it is a second after they were written.
				time.Sleep(time.Until(time.Unix(1_790_000_001, 0)))
				p := documented[name]
				p.Keys.Client = &http.Client{Transport: s.publish(t, rsaKey, ecKey)}
				server := newServer(t, p)
				for _, token := range s.Tokens {
					var key any = rsaKey
					if token.Header["alg"] == "ES256" {
						key = ecKey
					}
					token.Header["kid"] = "of " + name
					server.must(t, token.What, sign(t, token.Header, token.Payload, key), token.Want)
				}
			})
		})
	}
}

// publish is the provider's web server: its metadata and its key, with the
// members that it writes.
func (s shape) publish(t *testing.T, rsaKey *rsa.PrivateKey, ecKey *ecdsa.PrivateKey) http.RoundTripper {
	t.Helper()
	key := jose.JSONWebKey{Key: &rsaKey.PublicKey}
	if s.Tokens[0].Header["alg"] == "ES256" {
		key.Key = &ecKey.PublicKey
	}
	jwk := map[string]any{}
	text, err := key.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(text, &jwk)
	}
	if err == nil {
		err = json.Unmarshal(s.JWK, &jwk)
	}
	if err != nil {
		t.Fatal(err)
	}
	jwk["kid"] = "of " + strings.TrimPrefix(t.Name(), "TestDocumentedShapes/")
	return transport(func(r *http.Request) any {
		switch r.URL.String() {
		case s.JWKSURI:
			return map[string]any{"keys": []any{jwk}}
		case s.Metadata:
			return map[string]any{"issuer": s.issuer(t), "jwks_uri": s.JWKSURI}
		}
		return nil
	})
}

// issuer is the iss of the first token.
func (s shape) issuer(t *testing.T) string {
	t.Helper()
	var first struct{ Iss string }
	if err := json.Unmarshal(s.Tokens[0].Payload, &first); err != nil {
		t.Fatal(err)
	}
	return first.Iss
}

// transport answers with JSON, without a network.
type transport func(*http.Request) any

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, status := f(r), http.StatusOK
	if answer == nil {
		status = http.StatusNotFound
	}
	body, err := json.Marshal(answer)
	return &http.Response{StatusCode: status, Request: r, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}, err
}

// sign signs a payload as it stands.
func sign(t *testing.T, header map[string]any, payload json.RawMessage, key any) string {
	t.Helper()
	head, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	method := jwt.GetSigningMethod(header["alg"].(string))
	var compact bytes.Buffer
	if err := json.Compact(&compact, payload); err != nil {
		t.Fatal(err)
	}
	text := encode(head) + "." + encode(compact.Bytes())
	signature, err := method.Sign(text, key)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + encode(signature)
}
