package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// garbage are the contests of what is not let in: what each kind of it costs,
// and a flood of the dearest kind.
func garbage() []contest {
	c := contest{id: "garbage/kinds", title: "What garbage costs the guard (RS256)",
		note:       "Whole requests, with their 401 or 400 written. Only what looks in every way like a good token costs a signature check.",
		contenders: []contender{{name: "the signature check alone", kind: floor, setup: bareVerify("RS256")}}}
	for _, k := range garbageKinds {
		c.contenders = append(c.contenders, contender{name: k.name, kind: ours, setup: func(w *world) (op, error) {
			h, err := guardRS256(w)
			if err != nil {
				return nil, err
			}
			good, err := w.tokens("RS256", 1)
			if err != nil {
				return nil, err
			}
			p, err := w.pair("RS256", 0)
			if err != nil {
				return nil, err
			}
			field, err := k.make(p, good[0])
			if err != nil {
				return nil, err
			}
			return refusing(h, []string{field})
		}})
	}
	return []contest{c, {
		id: "garbage/flood", title: "A flood of forged tokens (RS256)",
		note: "1,000 different tokens, each right in all but its signature, from one address. In front of the guard is a limit of 100 a minute for an address, which is used up.",
		contenders: []contender{
			{name: "the signature check alone", kind: floor, setup: bareVerify("RS256")},
			{name: "guard alone", kind: ours, setup: flood(false)},
			{name: "limit in front of the guard", kind: ours, setup: flood(true)},
		},
	}}
}

func guardRS256(w *world) (http.Handler, error) {
	v, err := w.verifier("RS256", 0)
	if err != nil {
		return nil, err
	}
	return middleware.New(v, middleware.Config{}).Handler(nothing), nil
}

// garbageKinds make an Authorization field.
var garbageKinds = []struct {
	name string
	make func(p pair, good string) (string, error)
}{
	{"no token", func(pair, string) (string, error) { return "", nil }},
	{"not of the alphabet", func(_ pair, good string) (string, error) { return "Bearer " + good[:40] + "€" + good[40:], nil }},
	{"no JWT", func(pair, string) (string, error) { return "Bearer " + strings.Repeat("x", 600), nil }},
	{"longer than 16 KiB", func(_ pair, good string) (string, error) { return "Bearer " + good + strings.Repeat("A", 16<<10), nil }},
	{"signature not in base64url", func(_ pair, good string) (string, error) { return "Bearer " + good + "+", nil }},
	{"signature cut short", func(_ pair, good string) (string, error) { return "Bearer " + good[:len(good)-8], nil }},
	{"alg none", func(_ pair, good string) (string, error) {
		return replaced(good, `{"alg":"none","typ":"at+jwt"}`, ""), nil
	}},
	{"alg HS256 for an RSA key", func(_ pair, good string) (string, error) {
		return replaced(good, `{"alg":"HS256","kid":"k","typ":"at+jwt"}`, ""), nil
	}},
	{"unknown kid", func(_ pair, good string) (string, error) {
		return replaced(good, `{"alg":"RS256","kid":"other","typ":"at+jwt"}`, ""), nil
	}},
	{"header with crit", func(_ pair, good string) (string, error) {
		return replaced(good, `{"alg":"RS256","kid":"k","typ":"at+jwt","crit":["b64"],"b64":false}`, ""), nil
	}},
	{"payload is no JSON", func(_ pair, good string) (string, error) { return replaced(good, "", strings.Repeat("x", 200)), nil }},
	{"member twice", func(_ pair, good string) (string, error) {
		return replaced(good, "", `{"iss":"`+issuerName+`","sub":"a","sub":"b"}`), nil
	}},
	{"200 members", withMembers(200)},
	{"1,300 members, 14 KiB", withMembers(1300)},
	{"another issuer's", resigned(jwt.MapClaims{"iss": "https://other.example/"})},
	{"for another audience", resigned(jwt.MapClaims{"aud": "other"})},
	{"expired, and genuine", resigned(jwt.MapClaims{"exp": time.Now().Add(-time.Hour).Unix(), "iat": 1})},
	{"forged in nothing but its signature", func(_ pair, good string) (string, error) { return "Bearer " + forged(good), nil }},
}

// withMembers makes a payload of many short members.
func withMembers(n int) func(pair, string) (string, error) {
	return func(_ pair, good string) (string, error) {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%03x":0`, i)
		}
		return replaced(good, "", `{"iss":"`+issuerName+`"`+b.String()+`}`), nil
	}
}

// replaced is a token with another header or payload.
func replaced(token, header, payload string) string {
	parts := strings.Split(token, ".")
	for i, text := range []string{header, payload} {
		if text != "" {
			parts[i] = base64.RawURLEncoding.EncodeToString([]byte(text))
		}
	}
	return "Bearer " + strings.Join(parts, ".")
}

func resigned(more jwt.MapClaims) func(pair, string) (string, error) {
	return func(p pair, _ string) (string, error) {
		token, err := p.sign("k", 0, more)
		return "Bearer " + token, err
	}
}

// forged is a token with a signature out of thin air.
func forged(token string) string {
	end := strings.LastIndexByte(token, '.')
	sig := make([]byte, base64.RawURLEncoding.DecodedLen(len(token)-end-1))
	rand.Read(sig)
	sig[0] = 0 // below any modulus, or it would be refused for its size
	return token[:end+1] + base64.RawURLEncoding.EncodeToString(sig)
}

// refusing has a handler refuse requests in turn.
func refusing(h http.Handler, fields []string) (op, error) {
	var requests []*http.Request
	for _, field := range fields {
		r := bearer("")
		if r.Header["Authorization"] = []string{field}; field == "" {
			r.Header.Del("Authorization")
		}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code < 400 || w.Code >= 500 {
			return nil, fmt.Errorf("garbage got status %d", w.Code)
		}
		requests = append(requests, r)
	}
	w := &blank{http.Header{}}
	next := 0
	return func(n int) error {
		for range n {
			clear(w.h)
			h.ServeHTTP(w, requests[next])
			if next++; next == len(requests) {
				next = 0
			}
		}
		return nil
	}, nil
}

func flood(limited bool) func(*world) (op, error) {
	return func(w *world) (op, error) {
		h, err := guardRS256(w)
		if err != nil {
			return nil, err
		}
		if limited {
			l, err := ratelimit.New(ratelimit.Config{Name: "address", Limit: ratelimit.Per(100, time.Minute), Key: ratelimit.RemoteIP})
			if err != nil {
				return nil, err
			}
			h = l.Handler(h)
		}
		good, err := w.tokens("RS256", 1)
		if err != nil {
			return nil, err
		}
		fields := make([]string, 1000)
		for i := range fields {
			fields[i] = "Bearer " + forged(good[0])
		}
		return refusing(h, fields)
	}
}
