package providers_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
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
	"auth0":   providers.Auth0("https://example.eu.auth0.com/", "https://api.example"),
	"cognito": providers.Cognito("eu-west-1", "eu-west-1_EXAMPLE", "1example23456789"),
	"entra":   providers.Entra("4b1fa0f3-0000-4000-8000-df1c72935c79", "8ebbea06-0000-4000-8000-32da2e94c240"),
	"entra-tenants": providers.EntraTenants(func(tenant string) bool {
		return slices.Contains([]string{"4b1fa0f3-0000-4000-8000-df1c72935c79", "5c2fb1f4-0000-4000-8000-df1c72935c79"}, tenant)
	}, "8ebbea06-0000-4000-8000-32da2e94c240"),
	"firebase":   providers.Firebase("shop-4711"),
	"github":     providers.GitHubActions("https://orders.example", "65"),
	"google":     providers.Google("https://orders-abcdefghij-ew.a.run.app"),
	"keycloak":   providers.Keycloak("https://id.example/realms/shop", "orders"),
	"kubernetes": providers.Kubernetes("https://kubernetes.default.svc.cluster.local", "https://10.0.0.1:6443", "orders"),
	"okta":       providers.Okta("https://example.okta.com/oauth2/default", "api://default"),
	"spiffe":     providers.SPIFFE("https://spire.example/bundle", "orders"),
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
	signer := newSigner(t)
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		t.Run(name, func(t *testing.T) {
			s := readShape(t, name)
			synctest.Test(t, func(t *testing.T) {
				server := newServer(t, s.published(t, signer, documented[name]))
				for _, token := range s.Tokens {
					server.must(t, token.What, signer.sign(t, token.Header, token.Payload), token.Want)
				}
			})
		})
	}
}

// TestNoFieldIsIdle takes each field out of each configuration and looks whether
// anything changes: a row of the table says what is needed, and nothing else.
func TestNoFieldIsIdle(t *testing.T) {
	signer := newSigner(t)
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		t.Run(name, func(t *testing.T) {
			s := readShape(t, name)
			synctest.Test(t, func(t *testing.T) {
				var texts []string
				for _, token := range s.Tokens {
					texts = append(texts, signer.sign(t, token.Header, token.Payload))
				}
				answers := func(p providers.Provider) (all []string) {
					server, err := tryServer(t, s.published(t, signer, p))
					if err != nil {
						return []string{"a mistake, as New says"}
					}
					for _, text := range texts {
						status, body := server.ask(text)
						all = append(all, fmt.Sprint(status, body))
					}
					return all
				}
				want := answers(documented[name])
				p := documented[name]
				for _, part := range []reflect.Value{reflect.ValueOf(&p.Keys).Elem(), reflect.ValueOf(&p.Tokens).Elem(),
					reflect.ValueOf(&p.Tokens.Dialect).Elem()} {
					for i := range part.NumField() {
						field, what := part.Field(i), part.Type().Field(i).Name
						if field.IsZero() || what == "Dialect" {
							continue
						}
						old := reflect.New(field.Type()).Elem()
						old.Set(field)
						field.SetZero()
						if slices.Equal(answers(p), want) {
							t.Errorf("%s.%s is idle", part.Type(), what)
						}
						field.Set(old)
					}
				}
			})
		})
	}
}

func readShape(t *testing.T, name string) (s shape) {
	t.Helper()
	text, err := os.ReadFile("testdata/shapes/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil || len(s.Sources) == 0 {
		t.Fatalf("%v, sources %q", err, s.Sources)
	}
	return s
}

// published returns p with a client that finds the provider's web server, which has
// its metadata and its key with the members that it writes. It moves the clock of
// the bubble to a second after the documented tokens were made.
func (s shape) published(t *testing.T, k *signer, p providers.Provider) providers.Provider {
	t.Helper()
	time.Sleep(time.Until(time.Unix(1_790_000_001, 0)))
	jwk := map[string]any{}
	text, err := jose.JSONWebKey{Key: k.public(s.Tokens[0].Header), KeyID: kid}.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(text, &jwk)
	}
	if err == nil {
		err = json.Unmarshal(s.JWK, &jwk)
	}
	var first struct{ Iss string }
	if err == nil {
		err = json.Unmarshal(s.Tokens[0].Payload, &first)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.Keys.Client = &http.Client{Transport: transport(func(r *http.Request) any {
		switch r.URL.String() {
		case s.JWKSURI:
			return map[string]any{"keys": []any{jwk}}
		case s.Metadata:
			return map[string]any{"issuer": first.Iss, "jwks_uri": s.JWKSURI}
		}
		return nil
	})}
	return p
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

const kid = "a key"

// signer has a key of each type.
type signer struct {
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{r, e}
}

func (k *signer) public(header map[string]any) any {
	if header["alg"] == "ES256" {
		return &k.ec.PublicKey
	}
	return &k.rsa.PublicKey
}

// sign signs a payload as it stands.
func (k *signer) sign(t *testing.T, header map[string]any, payload json.RawMessage) string {
	t.Helper()
	header = maps.Clone(header)
	header["kid"] = kid
	head, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, payload); err != nil {
		t.Fatal(err)
	}
	var key any = k.rsa
	if header["alg"] == "ES256" {
		key = k.ec
	}
	text := encode(head) + "." + encode(compact.Bytes())
	signature, err := jwt.GetSigningMethod(header["alg"].(string)).Sign(text, key)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + encode(signature)
}
