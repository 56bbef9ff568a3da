package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// guards are the contests of whole requests with a bearer token: the header is
// read, the token checked (signature, issuer, audience, expiry), and a handler
// called that does nothing.
func guards() []contest {
	var all []contest
	for _, alg := range []string{"RS256", "ES256", "EdDSA", "HS256"} {
		c := contest{
			id: "guard/" + alg, title: "A request with a token: " + alg,
			note: "The floor is golang-jwt's `SigningMethod.Verify` alone. All others are whole handler chains. *First sight* is a verifier that remembers nothing; *first sight, kept* one that remembers, and meets tokens that it does not know yet.",
			contenders: []contender{
				{name: "the signature check alone", kind: floor, setup: bareVerify(alg)},
				{name: "gatehouse, first sight", kind: ours, setup: guard(alg, -1, 1)},
				{name: "gatehouse, first sight, kept", kind: ours, setup: guard(alg, 8, 512)},
				{name: "gatehouse, the same token again", kind: ours, setup: guard(alg, 0, 1)},
			},
		}
		for _, p := range guardPeers {
			if !slices.Contains(p.not, alg) {
				c.contenders = append(c.contenders, contender{name: p.name, kind: peer, setup: guarded(alg, p.make, 1)})
			}
		}
		all = append(all, c)
	}
	const many = 100_000
	in := contest{
		id: "guard/100k", title: "100,000 tokens in turn: EdDSA",
		note: "What is remembered does not depend on the algorithm; EdDSA is only the one whose tokens are made fastest. Remembering 262,144 leaves room for all; the default, 16,384, does not.",
		contenders: []contender{
			{name: "the signature check alone", kind: floor, setup: bareVerify("EdDSA")},
			{name: "gatehouse, Remember 262144", kind: ours, setup: guard("EdDSA", 1<<18, many)},
			{name: "gatehouse, Remember 131072", kind: ours, setup: guard("EdDSA", 1<<17, many), long: true},
			{name: "gatehouse, default", kind: ours, setup: guard("EdDSA", 0, many), long: true},
		},
	}
	for _, p := range guardPeers {
		if p.name == "golang-jwt + keyfunc" || p.name == "echo-jwt" {
			in.contenders = append(in.contenders, contender{name: p.name, kind: peer, setup: guarded("EdDSA", p.make, many), long: true})
		}
	}
	return append(all, in, unnamedKeys())
}

// unnamedKeys is the contest of three keys without kid, of which the last one
// signs.
func unnamedKeys() contest {
	c := contest{
		id: "guard/nokid", title: "Three RSA keys without kid, the last one signs",
		note: "*In turn* are tokens of all three keys.",
		contenders: []contender{
			{name: "one signature check alone", kind: floor, setup: bareVerifyOf("RS256", 2)},
			{name: "gatehouse", kind: ours, setup: noKid(gatehouseKeys, 2)},
			{name: "gatehouse, in turn", kind: ours, setup: noKid(gatehouseKeys, 0, 1, 2)},
		},
	}
	for name, make := range map[string]func([]pair) (maker, error){
		"golang-jwt by hand": handKeys, "golang-jwt + keyfunc": keyfuncKeys, "go-oidc": oidcKeys, "jwx": jwxKeys,
	} {
		c.contenders = append(c.contenders, contender{name: name, kind: peer, setup: noKid(make, 2)})
	}
	slices.SortFunc(c.contenders[3:], func(a, b contender) int { return strings.Compare(a.name, b.name) })
	return c
}

// blank is a ResponseWriter that costs nothing.
type blank struct{ h http.Header }

func (b *blank) Header() http.Header         { return b.h }
func (b *blank) Write(p []byte) (int, error) { return len(p), nil }
func (b *blank) WriteHeader(int)             {}

var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// A maker makes the handler that guards next.
type maker func(next http.Handler) (http.Handler, error)

func bareVerify(alg string) func(*world) (op, error) { return bareVerifyOf(alg, 0) }

func bareVerifyOf(alg string, n int) func(*world) (op, error) {
	return func(w *world) (op, error) {
		p, err := w.pair(alg, n)
		if err != nil {
			return nil, err
		}
		token, err := p.sign("k", 0, nil)
		if err != nil {
			return nil, err
		}
		return bareVerifyToken(w, alg, n, token)
	}
}

// bareVerifyToken checks the signature of one token and nothing else.
func bareVerifyToken(w *world, alg string, n int, token string) (op, error) {
	p, err := w.pair(alg, n)
	if err != nil {
		return nil, err
	}
	end := strings.LastIndexByte(token, '.')
	sig, err := base64.RawURLEncoding.DecodeString(token[end+1:])
	if err != nil {
		return nil, err
	}
	method := jwt.GetSigningMethod(alg)
	return func(n int) error {
		for range n {
			if err := method.Verify(token[:end], sig, p.public); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// guard is gatehouse's guard, with so many tokens in turn.
func guard(alg string, remember, tokens int) func(*world) (op, error) {
	return func(w *world) (op, error) {
		v, err := w.verifier(alg, remember)
		if err != nil {
			return nil, err
		}
		all, err := w.tokens(alg, tokens)
		if err != nil {
			return nil, err
		}
		return inTurn(middleware.New(v, middleware.Config{}).Handler(nothing), all)
	}
}

// guarded is a peer's guard.
func guarded(alg string, make func(pair) (maker, error), tokens int) func(*world) (op, error) {
	return func(w *world) (op, error) {
		p, err := w.pair(alg, 0)
		if err != nil {
			return nil, err
		}
		m, err := make(p)
		if err != nil {
			return nil, err
		}
		h, err := m(nothing)
		if err != nil {
			return nil, err
		}
		all, err := w.tokens(alg, tokens)
		if err != nil {
			return nil, err
		}
		return inTurn(h, all)
	}
}

// inTurn has h serve requests with the tokens in turn, after it has proven
// that it guards. Every token was seen once before it begins.
func inTurn(h http.Handler, tokens []string) (op, error) {
	if err := proves(h, tokens[0]); err != nil {
		return nil, err
	}
	requests := make([]*http.Request, len(tokens))
	w := &blank{http.Header{}}
	for i, token := range tokens {
		requests[i] = bearer(token)
		h.ServeHTTP(w, requests[i])
	}
	next := 0
	return func(n int) error {
		for range n {
			h.ServeHTTP(w, requests[next])
			if next++; next == len(requests) {
				next = 0
			}
		}
		return nil
	}, nil
}

func bearer(token string) *http.Request {
	r, _ := http.NewRequestWithContext(context.Background(), "GET", "http://api.example/me", nil)
	r.RemoteAddr, r.RequestURI = "192.0.2.7:4711", "/me"
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// proves checks that a handler lets a good token in and a forged one not.
func proves(h http.Handler, token string) error {
	end := strings.LastIndexByte(token, '.')
	forged := token[:end+1] + strings.Map(func(r rune) rune {
		if r == 'A' {
			return 'B'
		}
		return 'A'
	}, token[end+1:len(token)-1]) + token[len(token)-1:]
	for _, try := range []struct {
		token string
		good  bool
	}{{token, true}, {forged, false}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, bearer(try.token))
		if (w.Code == http.StatusOK) != try.good {
			return fmt.Errorf("status %d where the token is good: %t", w.Code, try.good)
		}
	}
	return nil
}

// noKid guards with three keys without ids, and gets tokens of some of them.
func noKid(make func([]pair) (maker, error), signers ...int) func(*world) (op, error) {
	return func(w *world) (op, error) {
		var pairs []pair
		for i := range 3 {
			p, err := w.pair("RS256", i)
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, p)
		}
		var tokens []string
		for _, i := range signers {
			token, err := pairs[i].sign("", i, nil)
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, token)
		}
		m, err := make(pairs)
		if err != nil {
			return nil, err
		}
		h, err := m(nothing)
		if err != nil {
			return nil, err
		}
		return inTurn(h, tokens)
	}
}

func gatehouseKeys(pairs []pair) (maker, error) {
	var keys []*claims.Key
	for _, p := range pairs {
		key, err := claims.NewKey(p.alg, "", p.public)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	set, err := claims.NewKeySet(keys...)
	if err != nil {
		return nil, err
	}
	v, err := verifierOf(set, -1)
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) (http.Handler, error) {
		return middleware.New(v, middleware.Config{}).Handler(next), nil
	}, nil
}
