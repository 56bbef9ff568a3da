package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwa"
	jwt3 "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// issuing are the contests of pairs of tokens, minted and renewed.
func issuing() []contest {
	var all []contest
	for _, alg := range []string{"RS256", "ES256", "EdDSA", "HS256"} {
		c := contest{
			id: "mint/" + alg, title: "A pair: " + alg, per: "pair",
			note: "gatehouse's is a whole `Issue`: ids, two tokens, a session in a memory store. The peers' are two tokens and nothing else. With a refresh secret the refresh token is signed by HMAC, since only its issuer reads it.",
			contenders: []contender{
				{name: "two signatures alone", kind: floor, setup: bareSign(alg, false, alg, alg)},
				{name: "gatehouse", kind: ours, setup: mints(alg, false)},
			},
		}
		if alg != "HS256" {
			c.contenders = append(c.contenders,
				contender{name: "gatehouse, refresh secret", kind: ours, setup: mints(alg, true)},
				contender{name: "one signature and an HMAC alone", kind: floor, setup: bareSign(alg, false, alg, "HS256")})
		}
		c.contenders = append(c.contenders,
			contender{name: "golang-jwt by hand", kind: peer, setup: peerMints(alg, golangJWTSigns)},
			contender{name: "jwx", kind: peer, setup: peerMints(alg, jwxSigns)})
		all = append(all, c)
	}
	return append(all, contest{
		id: "refresh/RS256", title: "A refresh in memory: RS256", per: "refresh",
		note: "The floor is what the cryptography alone costs: one verification, two signatures. With a refresh secret only the access token is signed with RSA.",
		contenders: []contender{
			{name: "one verification, two signatures alone", kind: floor, setup: bareSign("RS256", true, "RS256", "RS256")},
			{name: "gatehouse", kind: ours, setup: refreshes("RS256", false)},
			{name: "one RSA signature, HMAC alone", kind: floor, setup: bareSign("HS256", true, "RS256", "HS256")},
			{name: "gatehouse, refresh secret", kind: ours, setup: refreshes("RS256", true)},
		},
	})
}

// accessInput and refreshInput are what gatehouse signs in this contest, within
// a few bytes.
var accessInput, refreshInput = strings.Repeat("x", 400), strings.Repeat("x", 315)

// bareSign makes signatures, one for an access token by the first algorithm and
// one for a refresh token by the second. Before that, if asked, it verifies a
// refresh token by verified.
func bareSign(verified string, verify bool, access, refresh string) func(*world) (op, error) {
	return func(w *world) (op, error) {
		v, err := w.pair(verified, 0)
		if err != nil {
			return nil, err
		}
		sig, err := jwt.GetSigningMethod(verified).Sign(refreshInput, v.private)
		if err != nil {
			return nil, err
		}
		a, err := w.pair(access, 0)
		if err != nil {
			return nil, err
		}
		r, err := w.pair(refresh, 0)
		if err != nil {
			return nil, err
		}
		return func(n int) error {
			for range n {
				if verify {
					if err := jwt.GetSigningMethod(verified).Verify(refreshInput, sig, v.public); err != nil {
						return err
					}
				}
				if _, err := jwt.GetSigningMethod(a.alg).Sign(accessInput, a.private); err != nil {
					return err
				}
				if _, err := jwt.GetSigningMethod(r.alg).Sign(refreshInput, r.private); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

// issuer returns a gatehouse issuer of an algorithm.
func (w *world) issuer(alg string, refreshSecret bool) (*issuer.Issuer[app], error) {
	keys, err := w.schedule(alg)
	if err != nil {
		return nil, err
	}
	c := issuer.Config[app]{Issuer: issuerName, Audience: []string{audience}, Keys: keys, Store: issuer.NewMemoryStore()}
	if refreshSecret {
		if c.RefreshKeys, err = w.schedule("HS256"); err != nil {
			return nil, err
		}
	}
	return issuer.New(c)
}

func (w *world) schedule(alg string) (*signing.Schedule, error) {
	p, err := w.pair(alg, 0)
	if err != nil {
		return nil, err
	}
	var key *signing.Key
	if alg == "HS256" {
		key, err = signing.NewSecret(alg, "k", p.private.([]byte), time.Time{})
	} else {
		key, err = signing.NewKey(alg, p.private.(crypto.Signer), time.Time{})
	}
	if err != nil {
		return nil, err
	}
	return signing.NewSchedule(key)
}

var alice = claims.Claims[app]{Subject: subject, Party: "Admin", Scope: []string{"read", "write"}, App: app{Company: 7}}

func mints(alg string, refreshSecret bool) func(*world) (op, error) {
	return func(w *world) (op, error) {
		tokens, err := w.issuer(alg, refreshSecret)
		if err != nil {
			return nil, err
		}
		return func(n int) error {
			for range n {
				if _, err := tokens.Issue(context.Background(), alice); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

func refreshes(alg string, refreshSecret bool) func(*world) (op, error) {
	return func(w *world) (op, error) {
		tokens, err := w.issuer(alg, refreshSecret)
		if err != nil {
			return nil, err
		}
		pair, err := tokens.Issue(context.Background(), alice)
		if err != nil {
			return nil, err
		}
		return func(n int) error {
			for range n {
				if pair, err = tokens.Refresh(context.Background(), pair.RefreshToken); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

// said is what a peer's pair says, too.
type said struct {
	jwt.RegisteredClaims
	Session string `json:"sid"`
	Party   string `json:"party,omitempty"`
	Scope   string `json:"scope,omitempty"`
	Company int    `json:"company,omitempty"`
}

// peerMints makes pairs by a function that signs one token.
func peerMints(alg string, signing func(pair) (func(use, id string) error, error)) func(*world) (op, error) {
	return func(w *world) (op, error) {
		p, err := w.pair(alg, 0)
		if err != nil {
			return nil, err
		}
		sign, err := signing(p)
		if err != nil {
			return nil, err
		}
		return func(n int) error {
			for range n {
				for _, use := range []string{"at+jwt", "rt+jwt"} {
					if err := sign(use, rand.Text()); err != nil {
						return err
					}
				}
			}
			return nil
		}, nil
	}
}

func golangJWTSigns(p pair) (func(use, id string) error, error) {
	method := jwt.GetSigningMethod(p.alg)
	return func(use, id string) error {
		now := time.Now()
		c := said{Session: id, RegisteredClaims: jwt.RegisteredClaims{Issuer: issuerName, Subject: subject, Audience: jwt.ClaimStrings{audience},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)), ID: id}}
		if use == "at+jwt" {
			c.Party, c.Scope, c.Company = "Admin", "read write", 7
		}
		t := jwt.NewWithClaims(method, c)
		t.Header["typ"], t.Header["kid"] = use, "k"
		_, err := t.SignedString(p.private)
		return err
	}, nil
}

func jwxSigns(p pair) (func(use, id string) error, error) {
	alg, _ := jwa.LookupSignatureAlgorithm(p.alg)
	return func(use, id string) error {
		now := time.Now()
		b := jwt3.NewBuilder().Issuer(issuerName).Subject(subject).Audience([]string{audience}).
			IssuedAt(now).Expiration(now.Add(time.Hour)).JwtID(id).Claim("sid", id)
		if use == "at+jwt" {
			b = b.Claim("party", "Admin").Claim("scope", "read write").Claim("company", 7)
		}
		t, err := b.Build()
		if err != nil {
			return err
		}
		_, err = jwt3.Sign(t, jwt3.WithKey(alg, p.private))
		return err
	}, nil
}
