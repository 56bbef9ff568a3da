package jwks_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// Whatever a document says, what is offered is well-formed and asymmetric, no
// two keys have the same name, and reading it again gives the same objects.
func FuzzSet(f *testing.F) {
	f.Add(setOf(edJWK(1, "one"), edJWK(1, "one"), edJWK(2, "one"), edJWK(3, "")))
	f.Add(setOf(jwkOf(rsaKeys()[0].Public(), "r", object{"use": "sig", "key_ops": []string{"verify"}, "alg": "PS256"})))
	f.Add(`{"keys":[{"kty":"EC","crv":"P-256","kid":"kid-ec-sign","x":"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY","y":"UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw"}]}`)
	f.Add(`{"keys":[{"kty":"oct","k":"AAAA"},null,7,{"kty":"RSA","n":"AA","e":"AQAB"}],"x":[[[[]]]]}`)
	f.Fuzz(func(t *testing.T, doc string) {
		first, second, err := jwks.ReadTwice([]byte(doc), 100)
		if err != nil {
			if len(first) > 0 {
				t.Error("keys in spite of", err)
			}
			return
		}
		if len(first) == 0 || len(first) > 100 || !slices.Equal(first, second) {
			t.Errorf("%v, then %v", first, second)
		}
		seen := make(map[string]bool)
		for _, k := range first {
			if len(k.ID()) > 256 || strings.HasPrefix(k.Algorithm(), "HS") {
				t.Error(k)
			}
			if name := k.Algorithm() + " " + k.ID(); k.ID() != "" && seen[name] {
				t.Errorf("two keys are %q", name)
			} else {
				seen[name] = true
			}
		}
	})
}

// transport answers requests without a network.
type transport func(*http.Request) (int, string)

func (a transport) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := a(r)
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// Whatever a configuration says, keys come from the issuer's own origin, and only if it
// is the issuer's: another reader of JSON finds the same issuer in it.
func FuzzMetadata(f *testing.F) {
	for _, doc := range []string{
		`{"issuer":"https://id.example/a","jwks_uri":"https://id.example/keys"}`,
		`{"issuer":"https://id.example/a","jwks_uri":"https://id.example:443/keys"}`,
		`{"issuer":"https://id.example/a","jwks_uri":"https://id.example@other.example/keys"}`,
		`{"issuer":"https://id.example/a/","jwks_uri":"https://id.example/keys"}`,
		`{"issuer":"https://id.example/{tenantid}","jwks_uri":"https://id.example/keys"}`,
		`{"issuer":"https://id.example/a","Issuer":"x","jwks_uri":"//other.example/keys"}`,
		`{"issuer":null,"jwks_uri":[]}`, `[]`, ``,
	} {
		f.Add(doc, true)
		f.Add(doc, false)
	}
	keys := setOf(edJWK(1, "one"))
	f.Fuzz(func(t *testing.T, doc string, inserted bool) {
		const issuer = "https://id.example/a"
		place := issuer + "/.well-known/openid-configuration"
		if inserted {
			place = "https://id.example/.well-known/oauth-authorization-server/a"
		}
		client := &http.Client{Transport: transport(func(r *http.Request) (int, string) {
			switch where := r.URL.String(); {
			case r.URL.Scheme != "https" || !strings.EqualFold(r.URL.Hostname(), "id.example") || r.URL.Port() != "" && r.URL.Port() != "443" || r.URL.User != nil:
				t.Errorf("asked %s", where)
			case where == place:
				return http.StatusOK, doc
			case !strings.Contains(where, "/.well-known/"):
				return http.StatusOK, keys
			}
			return http.StatusNotFound, ""
		})}
		_, err := jwks.New(jwks.Config{Issuer: issuer, Client: client, OnDemand: true, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return
		}
		var said map[string]any
		if err := json.Unmarshal([]byte(doc), &said); err != nil || said["issuer"] != issuer {
			t.Errorf("keys by the configuration of %v, %v", said["issuer"], err)
		}
	})
}

// Whatever a key server asks for, the pause is not negative, and only an answer that is
// about its load asks for one.
func FuzzRetryAfter(f *testing.F) {
	for _, text := range []string{"", "0", "120", "-1", "+1", "1.5", "1e9", "2147483647", "2147483648", "18446744073709551616",
		"Tue, 01 Dec 2026 08:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "Sat Jan  1 00:00:00 0000"} {
		for _, status := range []int{429, 503, 500} {
			f.Add(status, text)
		}
	}
	f.Fuzz(func(t *testing.T, status int, text string) {
		pause := jwks.RetryAfter(&http.Response{StatusCode: status, Header: http.Header{"Retry-After": {text}}})
		if pause < 0 || pause > 0 && status != 429 && status != 503 {
			t.Errorf("%d %q: %v", status, text, pause)
		}
		if digits := strings.Trim(text, "0123456789") == ""; digits && pause%time.Second != 0 {
			t.Errorf("%q: %v", text, pause)
		}
	})
}
