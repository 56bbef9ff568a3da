#!/usr/bin/env bash
# github.com/zitadel/oidc/v3 v3.52.0 (its package op, with the storage of its example provider)
#
# Behaviour: The ID token of a login has the `acr` that the storage's auth request tells. The ID
# token that a refresh of that login gives has none, while `amr`, `auth_time`, `sub` and `at_hash`
# are there again. A method GetACR on the storage's refresh request, as the auth request has one,
# is never asked: op.RefreshTokenRequest lists GetAMR and GetAuthTime, but no GetACR.
#
# Why it matters: `acr` tells how strong the login was. Somebody who asks for a level by `acr`
# accepts a person at the login and refuses the same session at its first refresh; somebody who
# reads a missing `acr` as "unchanged" keeps a level that no token states. In OpenID Connect Core
# 1.0 §12.2 the rules of the first ID token hold at a refresh too, except for what is listed there,
# and `acr` is not listed. (`nonce` is gone too, and that is what §12.2 recommends.)
#
# Output seen (Go 1.26.8):
#   login: acr="urn:example:two-factors" amr=[pwd] auth_time=true at_hash=true sub="id2" nonce=true
#   refresh: acr=none amr=[pwd] auth_time=true at_hash=true sub="id2" nonce=false
#   auth_time is the same: true
#   GetACR of the refresh request was asked: false
#   as stated
#
# Exit status: 0 as stated, 1 changed, 2 the run itself failed. Needs Go 1.26 or newer.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off GOMODCACHE="$dir/modules" GOFLAGS='-mod=mod -modcacherw -trimpath'

cat >go.mod <<'EOF'
module acr

go 1.26.0

require github.com/zitadel/oidc/v3 v3.52.0
EOF
cat >main.go <<'EOF'
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	level    = "urn:example:two-factors"
	redirect = "http://127.0.0.1/callback"
)

// store is the example's storage for a provider that knows how strong a login was.
type store struct {
	*storage.Storage
	asked atomic.Bool // GetACR of a refresh request
}

type authRequest struct{ *storage.AuthRequest }

func (authRequest) GetACR() string { return level }

type refreshRequest struct {
	*storage.RefreshTokenRequest
	asked *atomic.Bool
}

func (r refreshRequest) GetACR() string {
	r.asked.Store(true)
	return level
}

func (s *store) AuthRequestByID(ctx context.Context, id string) (op.AuthRequest, error) {
	r, err := s.Storage.AuthRequestByID(ctx, id)
	if err != nil {
		return nil, err
	}
	return authRequest{r.(*storage.AuthRequest)}, nil
}

func (s *store) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	r, err := s.Storage.AuthRequestByCode(ctx, code)
	if err != nil {
		return nil, err
	}
	return authRequest{r.(*storage.AuthRequest)}, nil
}

func (s *store) TokenRequestByRefreshToken(ctx context.Context, token string) (op.RefreshTokenRequest, error) {
	r, err := s.Storage.TokenRequestByRefreshToken(ctx, token)
	if err != nil {
		return nil, err
	}
	return refreshRequest{r.(*storage.RefreshTokenRequest), &s.asked}, nil
}

// The example's storage knows only its own types.
func (s *store) CreateAccessAndRefreshTokens(ctx context.Context, r op.TokenRequest, current string) (string, string, time.Time, error) {
	switch own := r.(type) {
	case authRequest:
		r = own.AuthRequest
	case refreshRequest:
		r = own.RefreshTokenRequest
	}
	return s.Storage.CreateAccessAndRefreshTokens(ctx, r, current)
}

func main() {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	var handler http.Handler
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	s := &store{Storage: storage.NewStorageWithClients(storage.NewUserStore(web.URL+"/"), map[string]*storage.Client{
		"one": storage.WebClient("one", "secret", redirect),
	})}
	handler = exampleop.SetupServer(web.URL, s, nil, false)

	first := token(web.URL, url.Values{"grant_type": {"authorization_code"}, "code": {login(web.URL)}, "redirect_uri": {redirect}})
	before := show("login", first.ID)
	again := token(web.URL, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Refresh}})
	after := show("refresh", again.ID)
	web.Close()

	when, ok := before["auth_time"]
	sameTime := ok && when == after["auth_time"]
	fmt.Println("auth_time is the same:", sameTime)
	fmt.Println("GetACR of the refresh request was asked:", s.asked.Load())
	_, has := after["acr"]
	same := before["acr"] == level && !has && sameTime && !s.asked.Load() &&
		fmt.Sprint(before["amr"]) == "[pwd]" && fmt.Sprint(after["amr"]) == "[pwd]" &&
		before["at_hash"] != nil && after["at_hash"] != nil && before["sub"] != nil && before["sub"] == after["sub"]
	if !same {
		fmt.Println("CHANGED")
		return
	}
	fmt.Println("as stated")
}

type tokens struct {
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
}

// login is a browser that signs in and brings back the code.
func login(issuer string) string {
	jar, err := cookiejar.New(nil)
	must(err)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	next, err := url.Parse(endpoint(issuer, "authorization_endpoint") + "?" + url.Values{"client_id": {"one"}, "response_type": {"code"},
		"redirect_uri": {redirect}, "scope": {"openid offline_access"}, "prompt": {"consent"},
		"state": {"s"}, "nonce": {"n"}}.Encode())
	must(err)
	for range 8 {
		if strings.HasPrefix(next.String(), redirect+"?") {
			return next.Query().Get("code")
		}
		resp, err := browser.Get(next.String())
		must(err)
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK { // the page that asks for name and password
			resp, err = browser.PostForm(next.String(), url.Values{"id": {next.Query().Get("authRequestID")},
				"username": {"test-user2"}, "password": {"verysecure"}})
			must(err)
			resp.Body.Close()
		}
		next, err = resp.Location()
		must(err)
	}
	must(fmt.Errorf("the login doesn't end"))
	return ""
}

// endpoint reads the provider's metadata.
func endpoint(issuer, name string) string {
	resp, err := http.Get(issuer + "/.well-known/openid-configuration")
	must(err)
	defer resp.Body.Close()
	var metadata map[string]any
	must(json.NewDecoder(resp.Body).Decode(&metadata))
	where, _ := metadata[name].(string)
	return where
}

func token(issuer string, form url.Values) tokens {
	r, err := http.NewRequest("POST", endpoint(issuer, "token_endpoint"), strings.NewReader(form.Encode()))
	must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("one", "secret")
	resp, err := http.DefaultClient.Do(r)
	must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(err)
	var got tokens
	must(json.Unmarshal(body, &got))
	if got.ID == "" || got.Refresh == "" {
		must(fmt.Errorf("token answer %s: %s", resp.Status, body))
	}
	return got
}

// show prints the claims of an ID token.
func show(what, token string) map[string]any {
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	must(err)
	var claims map[string]any
	must(json.Unmarshal(payload, &claims))
	acr := "none"
	if v, ok := claims["acr"]; ok {
		acr = fmt.Sprintf("%q", v)
	}
	fmt.Printf("%s: acr=%s amr=%v auth_time=%t at_hash=%t sub=%q nonce=%t\n", what, acr, claims["amr"],
		claims["auth_time"] != nil, claims["at_hash"] != nil, claims["sub"], claims["nonce"] != nil)
	return claims
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
EOF
go run . | tee said || exit 2
case $(tail -n 1 said) in
'as stated') exit 0 ;;
CHANGED) exit 1 ;;
esac
exit 2
