package jwks_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
	"github.com/golang-jwt/jwt/v5"
)

// TestEachFetchFindsTheServer (law: no fetch goes to who was there last time): the name
// of the key server comes to mean another machine, while the old one still answers on the
// connection that it has. Seen where a provider moves between clusters.
func TestEachFetchFindsTheServer(t *testing.T) {
	old := start(t, false, map[string]http.HandlerFunc{"/jwks": text(setOf(edJWK(1, "old")))})
	moved := start(t, false, map[string]http.HandlerFunc{"/jwks": text(setOf(edJWK(2, "new")))})
	var at atomic.Pointer[string]
	where := old.Listener.Addr().String()
	at.Store(&where)
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, *at.Load())
		},
	}}
	s, err := jwks.New(jwks.Config{URL: "http://localhost/jwks", Client: client, MinInterval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	where2 := moved.Listener.Addr().String()
	at.Store(&where2)
	keys, err := s.Keys(t.Context(), claims.Header{Algorithm: "EdDSA", KeyID: "new"})
	if err != nil || len(keys) != 1 {
		t.Errorf("the key of the machine that has the name now: %v, %v", keys, err)
	}
}

// TestConnections: the caller's client keeps its own connections, and no fetch takes one.
func TestConnections(t *testing.T) {
	var opened atomic.Int32
	s := httptest.NewUnstartedServer(text(setOf(edJWK(1, "one"))))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	client := &http.Client{Transport: new(http.Transport)}
	get := func() {
		resp, err := client.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	get()
	set, err := jwks.New(jwks.Config{URL: s.URL, Client: client, MinInterval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	if _, err := set.Keys(t.Context(), claims.Header{Algorithm: "EdDSA", KeyID: "two"}); err != nil {
		t.Fatal(err)
	}
	if client.Transport.(*http.Transport).DisableKeepAlives {
		t.Error("the caller's transport was changed")
	}
	if n := opened.Load(); n != 3 {
		t.Errorf("%d connections for one request and two fetches, want 3", n)
	}
}

// TestMetadataPlace: the configuration stands before the path of the issuer (RFC 8414
// §3.1), where OpenID Connect Discovery has none. The issuer in it must be the same string.
func TestMetadataPlace(t *testing.T) {
	for _, row := range []struct {
		name, issuer string // of the configuration, behind the server's URL
		first        int    // status at the place of OpenID Connect
		ok           bool
	}{
		{"before the path", "/tenant", 404, true},
		{"405 at the usual place", "/tenant", 405, true},
		{"another issuer's", "/other", 404, false},
		{"the usual place can't say now", "/tenant", 503, false},
		{"the usual place is limited", "/tenant", 429, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			var url string
			s := start(t, false, map[string]http.HandlerFunc{
				"/tenant/.well-known/openid-configuration": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(row.first) },
				"/.well-known/oauth-authorization-server/tenant": func(w http.ResponseWriter, _ *http.Request) {
					fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, url+row.issuer, url+"/keys")
				},
				"/keys": text(setOf(edJWK(1, "one"))),
			})
			url = s.URL
			set, err := jwks.New(jwks.Config{Issuer: url + "/tenant", Logger: slog.New(slog.DiscardHandler)})
			if (err == nil) != row.ok {
				t.Errorf("New: %v", err)
			}
			if err == nil {
				set.Close()
			}
		})
	}
}

// TestRetryAfter: a key server that answers 429 or 503 with Retry-After (RFC 9110
// §10.2.3) is left alone, whoever asks about unknown kids meanwhile. Known keys verify.
func TestRetryAfter(t *testing.T) {
	for _, row := range []struct {
		name, header string
		status       int
		fetches      int // in 4 minutes of one unknown kid a second, without the first
	}{
		{"429, 2 minutes", "120", 429, 2},
		{"503, 2 minutes", "120", 503, 2},
		{"no more than 5 minutes", "86400", 429, 1},
		{"a date", "Sat, 01 Jan 2000 00:02:01 GMT", 429, 2},
		{"500 has no such field", "120", 500, 200},
		{"nonsense", "soon", 429, 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var limited atomic.Bool
				var fetches atomic.Int32
				client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					fetches.Add(1)
					w := httptest.NewRecorder()
					if limited.Load() {
						if row.header != "Sat, 01 Jan 2000 00:02:01 GMT" || fetches.Load() == 2 {
							w.Header().Set("Retry-After", row.header)
						} else {
							w.Header().Set("Retry-After", "120")
						}
						w.WriteHeader(row.status)
					} else {
						fmt.Fprint(w, setOf(edJWK(1, "one")))
					}
					return w.Result(), nil
				})}
				s, err := jwks.New(jwks.Config{URL: "https://id.example/jwks", Client: client, Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				limited.Store(true)
				for i := range 240 {
					time.Sleep(time.Second)
					keys, err := s.Keys(t.Context(), claims.Header{Algorithm: "EdDSA", KeyID: fmt.Sprint("unknown ", i)})
					if len(keys) != 0 || !errors.Is(err, jwks.ErrUnavailable) {
						t.Fatalf("unknown kid: %v, %v", keys, err)
					}
					if keys, err := s.Keys(t.Context(), claims.Header{Algorithm: "EdDSA", KeyID: "one"}); len(keys) != 1 || err != nil {
						t.Fatalf("known kid: %v, %v", keys, err)
					}
				}
				if n := int(fetches.Load()) - 1; row.fetches < 200 && n != row.fetches || row.fetches == 200 && n < 200 {
					t.Errorf("%d fetches, want %d", n, row.fetches)
				}
			})
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestMembersThatSayNothing: null is absence (.NET and Java serialisers write it for what
// is not set). An empty list of operations is not: it is for no operation.
func TestMembersThatSayNothing(t *testing.T) {
	key := func(more object) object { return jwkOf(ed(1).Public(), "k", more) }
	for _, row := range []struct {
		name string
		key  object
		ok   bool
	}{
		{"all null", key(object{"alg": nil, "use": nil, "key_ops": nil, "x5c": nil, "d": nil}), true},
		{"an empty list of certificates", key(object{"x5c": []string{}}), true},
		{"an empty list of operations", key(object{"key_ops": []string{}}), false},
		{"null where a value is needed", key(object{"x": nil}), false},
		{"an empty text is a value", key(object{"use": ""}), true},
		{"operations of another kind", key(object{"key_ops": []string{"encrypt"}}), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			first, _, err := jwks.ReadTwice([]byte(setOf(row.key)), 10)
			if (err == nil && len(first) == 1) != row.ok {
				t.Errorf("%v, %v", first, err)
			}
		})
	}
}

// TestEd25519Name: RFC 9864 names the algorithm Ed25519, in keys and tokens, and
// WebCrypto's exportKey writes that also for keys whose tokens say EdDSA. Both names are
// one, in keys, headers and configurations.
func TestEd25519Name(t *testing.T) {
	for _, name := range []string{"Ed25519", "EdDSA"} {
		for _, algorithms := range [][]string{nil, {"Ed25519"}, {"EdDSA"}} {
			s := start(t, false, map[string]http.HandlerFunc{"/": text(setOf(jwkOf(ed(1).Public(), "k", object{"alg": name})))})
			set, err := jwks.New(jwks.Config{URL: s.URL, Algorithms: algorithms, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Errorf("%s, %v: %v", name, algorithms, err)
				continue
			}
			t.Cleanup(set.Close)
			keys, err := set.Keys(t.Context(), claims.Header{Algorithm: "EdDSA", KeyID: "k"})
			if err != nil || len(keys) != 1 || keys[0].Algorithm() != "EdDSA" {
				t.Errorf("%s, %v: %v, %v", name, algorithms, keys, err)
			}
		}
	}
}

// TestOneKeySeveralAlgorithms: oidc-provider signs RS256 and PS256 with one RSA key that
// has no alg. Where the operator names both, each has a key of its own.
func TestOneKeySeveralAlgorithms(t *testing.T) {
	doc := setOf(jwkOf(rsaKeys()[0].Public().(*rsa.PublicKey), "k", nil))
	s := start(t, false, map[string]http.HandlerFunc{"/": text(doc)})
	for _, row := range []struct{ algorithms, want []string }{
		{nil, []string{"RS256"}},
		{[]string{"PS256"}, []string{"PS256"}},
		{[]string{"RS256", "PS256", "ES256", "RS256"}, []string{"RS256", "PS256"}},
	} {
		set, err := jwks.New(jwks.Config{URL: s.URL, Algorithms: row.algorithms, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(set.Close)
		for _, alg := range []string{"RS256", "PS256", "RS384"} {
			keys, err := set.Keys(t.Context(), claims.Header{Algorithm: alg})
			if want := slices.Contains(row.want, alg); err != nil || (len(keys) == 1) != want || want && keys[0].Algorithm() != alg {
				t.Errorf("%v, %s: %v, %v", row.algorithms, alg, keys, err)
			}
		}
	}
}

// TestByteOrderMark: some editors write one before a file, and a parser may ignore it
// (RFC 8259 §8.1).
func TestByteOrderMark(t *testing.T) {
	if keys, _, err := jwks.ReadTwice([]byte("\ufeff"+setOf(edJWK(1, "one"))), 10); err != nil || len(keys) != 1 {
		t.Errorf("%v, %v", keys, err)
	}
}

// TestChainFile: in a file with a leaf and its CA, only the leaf's key verifies tokens, as
// with claims.ParsePEM, also when the CA has expired.
func TestChainFile(t *testing.T) {
	chain := func(usage x509.KeyUsage, seed byte, life time.Duration) string {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(life), KeyUsage: usage}
		der, err := x509.CreateCertificate(nil, template, template, ed(seed).Public(), ed(seed))
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	for _, life := range []time.Duration{time.Hour, -time.Hour} {
		file := filepath.Join(t.TempDir(), "chain.pem")
		text := chain(x509.KeyUsageDigitalSignature, 1, time.Hour) + chain(x509.KeyUsageCertSign, 2, life)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{file}, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := claims.ParsePEM([]byte(text), "")
		if err != nil {
			t.Fatal(err)
		}
		if keys, err := set.Keys(t.Context(), claims.Header{Algorithm: "EdDSA"}); err != nil || len(keys) != 1 || len(parsed) != 1 {
			t.Errorf("a CA that lives for %v: %v, %v; ParsePEM %v", life, keys, err, parsed)
		}
	}
}

// TestUses: SPIFFE's bundles have keys for tokens with use jwt-svid, and keys for
// certificates with x509-svid (SPIFFE Trust Domain and Bundle §4.2.2).
func TestUses(t *testing.T) {
	s := start(t, false, map[string]http.HandlerFunc{"/": text(setOf(
		jwkOf(ed(1).Public(), "token", object{"use": "jwt-svid"}), jwkOf(ed(2).Public(), "certificate", object{"use": "x509-svid"}),
		jwkOf(ed(3).Public(), "usual", object{"use": "sig"})))})
	for _, row := range []struct{ uses, want []string }{
		{nil, []string{"usual"}}, {[]string{"jwt-svid"}, []string{"token", "usual"}},
	} {
		set, err := jwks.New(jwks.Config{URL: s.URL, Uses: row.uses, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(set.Close)
		for _, kid := range []string{"token", "certificate", "usual"} {
			keys, err := set.Keys(t.Context(), claims.Header{Algorithm: "EdDSA", KeyID: kid})
			if err != nil || (len(keys) == 1) != slices.Contains(row.want, kid) {
				t.Errorf("%v, %s: %v, %v", row.uses, kid, keys, err)
			}
		}
	}
	for _, bad := range []string{"", "enc"} {
		if set, err := jwks.New(jwks.Config{URL: s.URL, Uses: []string{bad}}); err == nil {
			set.Close()
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestSameKid (seen at providers that restart with a new key and the old kid, or that
// name no kids): a signature that no key made has the set looked at once more.
func TestSameKid(t *testing.T) {
	for _, kid := range []string{"one", ""} {
		t.Run("kid "+kid, func(t *testing.T) {
			var fetches atomic.Int32
			var doc atomic.Pointer[string]
			publish := func(seed byte) {
				text := setOf(edJWK(seed, kid))
				doc.Store(&text)
			}
			publish(1)
			server := start(t, false, map[string]http.HandlerFunc{"/jwks": func(w http.ResponseWriter, r *http.Request) {
				fetches.Add(1)
				text(*doc.Load())(w, r)
			}})
			s, err := jwks.New(jwks.Config{URL: server.URL + "/jwks", MinInterval: 100 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			v, err := claims.NewVerifier[struct{}](claims.Config{Issuer: "iss", Audience: []string{"aud"}, Keys: s})
			if err != nil {
				t.Fatal(err)
			}
			verify := func(seed byte) error {
				_, err := v.Verify(t.Context(), edToken(t, seed, kid))
				return err
			}
			if err := verify(1); err != nil {
				t.Fatal(err)
			}
			publish(2)
			if err := verify(2); err != nil {
				t.Errorf("the new key: %v", err)
			}
			if err := verify(1); !errors.Is(err, claims.ErrInvalid) {
				t.Errorf("the old key: %v", err)
			}
			// A flood of forgeries causes no more fetches, and good tokens go on.
			before := fetches.Load()
			publish(3)
			for range 50 {
				if err := verify(9); !errors.Is(err, claims.ErrInvalid) {
					t.Errorf("a forgery: %v", err)
				}
				if err := verify(2); err != nil {
					t.Errorf("a good token among forgeries: %v", err)
				}
			}
			if n := fetches.Load() - before; n != 0 {
				t.Errorf("%d fetches", n)
			}
		})
	}
}

// TestDoubtAfterAWhile: one fetch in ten seconds, however many forgeries there are; and
// with the key server away a forgery is still a forgery.
func TestDoubtAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fetches atomic.Int32
		away := false
		client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			fetches.Add(1)
			if away {
				return nil, errors.New("away")
			}
			w := httptest.NewRecorder()
			text(setOf(edJWK(1, "one")))(w, r)
			return w.Result(), nil
		})}
		s, err := jwks.New(jwks.Config{URL: "http://localhost/jwks", Client: client})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		v, err := claims.NewVerifier[struct{}](claims.Config{Issuer: "iss", Audience: []string{"aud"}, Keys: s})
		if err != nil {
			t.Fatal(err)
		}
		forgery := edToken(t, 9, "one")
		for i := range 60 { // a minute
			away = i >= 30
			for range 20 {
				if _, err := v.Verify(t.Context(), forgery); !errors.Is(err, claims.ErrInvalid) {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
		}
		if n := fetches.Load(); n < 5 || n > 8 {
			t.Errorf("%d fetches in a minute of forgeries", n)
		}
	})
}

// edToken is a token of the key of a seed.
func edToken(t *testing.T, seed byte, kid string) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": "iss", "aud": "aud", "sub": "s", "exp": time.Now().Add(time.Hour).Unix(), "jti": fmt.Sprint(seed),
	})
	token.Header["typ"] = "at+jwt"
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(ed(seed))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSilentDeath: a connection dies without a word, as behind NATs and balancers that
// forget it: what is sent over it vanishes. The next fetch finds the server all the same,
// over HTTP/2 too, where one connection would carry all requests.
func TestSilentDeath(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("HTTP/2 ", http2), func(t *testing.T) {
			var doc atomic.Pointer[string]
			first, second := setOf(edJWK(1, "old")), setOf(edJWK(2, "new"))
			doc.Store(&first)
			var protocol atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				protocol.Store(int32(r.ProtoMajor))
				text(*doc.Load())(w, r)
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			t.Cleanup(server.Close)
			road := forward(t, server.Listener.Addr().String())
			client := server.Client()
			client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, road.address)
			}
			s, err := jwks.New(jwks.Config{URL: "https://example.com/jwks", Client: client, MinInterval: 100 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			road.swallow()
			doc.Store(&second)
			keys, err := s.Keys(t.Context(), claims.Header{Algorithm: "EdDSA", KeyID: "new"})
			if err != nil || len(keys) != 1 {
				t.Errorf("after the connection died: %v, %v", keys, err)
			}
			if http2 != (protocol.Load() == 2) {
				t.Errorf("HTTP/%d was spoken", protocol.Load())
			}
		})
	}
}

// forwarder passes connections on, until it swallows what comes over those that it has.
type forwarder struct {
	address string
	era     atomic.Int32 // connections of an earlier era are dead
}

func (f *forwarder) swallow() { f.era.Add(1) }

func forward(t *testing.T, to string) *forwarder {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{address: l.Addr().String()}
	var open sync.WaitGroup
	t.Cleanup(open.Wait)
	t.Cleanup(func() { l.Close() })
	pass := func(from, to net.Conn, era int32) {
		defer from.Close()
		defer to.Close()
		room := make([]byte, 4096)
		for {
			n, err := from.Read(room)
			if err != nil {
				return
			}
			if f.era.Load() != era {
				continue // read, and lost
			}
			if _, err := to.Write(room[:n]); err != nil {
				return
			}
		}
	}
	open.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			t.Cleanup(func() { near.Close(); far.Close() })
			era := f.era.Load()
			open.Go(func() { pass(near, far, era) })
			open.Go(func() { pass(far, near, era) })
		}
	})
	return f
}
