package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	ginjwt "github.com/appleboy/gin-jwt/v3"
	jwtmiddleware "github.com/auth0/go-jwt-middleware/v3"
	"github.com/auth0/go-jwt-middleware/v3/validator"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/jwtauth/v5"
	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v5"
	"github.com/labstack/echo/v5"
	jwt2 "github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	jwt3 "github.com/lestrrat-go/jwx/v3/jwt"
)

// guardPeers are set up as their documentation says, and so that each checks
// what gatehouse checks, as far as it can: signature, algorithm, issuer,
// audience, expiry.
var guardPeers = []struct {
	name string
	make func(pair) (maker, error)
	not  []string // algorithms that it does not have
}{
	{"golang-jwt by hand", byHand, nil},
	{"golang-jwt + keyfunc", withKeyfunc, nil},
	{"echo-jwt", withEcho, nil},
	{"gin-jwt", withGin, nil},
	{"jwtauth", withJwtauth, nil},
	{"jwx", withJwx, nil},
	{"go-oidc", withOIDC, []string{"HS256"}},
	{"auth0", withAuth0, nil},
}

type contextKey struct{}

// members are typed claims, the fastest way to use golang-jwt.
type members struct {
	jwt.RegisteredClaims
	Party   string `json:"party"`
	Company int    `json:"company"`
}

// checked guards with a function that returns what a token says.
func checked(check func(ctx context.Context, token string) (any, error)) maker {
	return func(next http.Handler) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			said, err := check(r.Context(), token)
			if err != nil {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, said)))
		}), nil
	}
}

func golangJWT(alg string, keys jwt.Keyfunc) maker {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{alg}), jwt.WithIssuer(issuerName), jwt.WithAudience(audience), jwt.WithExpirationRequired())
	return checked(func(_ context.Context, token string) (any, error) {
		said := new(members)
		_, err := parser.ParseWithClaims(token, said, keys)
		return said, err
	})
}

func byHand(p pair) (maker, error) {
	return golangJWT(p.alg, func(t *jwt.Token) (any, error) {
		if t.Header["kid"] != "k" {
			return nil, errors.New("unknown kid")
		}
		return p.public, nil
	}), nil
}

func handKeys(pairs []pair) (maker, error) {
	var set jwt.VerificationKeySet
	for _, p := range pairs {
		set.Keys = append(set.Keys, p.public)
	}
	return golangJWT("RS256", func(*jwt.Token) (any, error) { return set, nil }), nil
}

func withKeyfunc(p pair) (maker, error) {
	k, err := keyfuncOf([]pair{p}, "k")
	return golangJWT(p.alg, k), err
}

func keyfuncKeys(pairs []pair) (maker, error) {
	k, err := keyfuncOf(pairs, "")
	return golangJWT("RS256", k), err
}

func keyfuncOf(pairs []pair, kid string) (jwt.Keyfunc, error) {
	storage := jwkset.NewMemoryStorage()
	for i, p := range pairs {
		id := kid
		if id == "" {
			id = strconv.Itoa(i)
		}
		key, err := jwkset.NewJWKFromKey(p.public, jwkset.JWKOptions{
			Metadata: jwkset.JWKMetadataOptions{ALG: jwkset.ALG(p.alg), KID: id, USE: jwkset.UseSig},
			Marshal:  jwkset.JWKMarshalOptions{Private: p.alg == "HS256"},
		})
		if err != nil {
			return nil, err
		}
		if err := storage.KeyWrite(context.Background(), key); err != nil {
			return nil, err
		}
	}
	k, err := keyfunc.New(keyfunc.Options{Storage: storage})
	if err != nil {
		return nil, err
	}
	return k.Keyfunc, nil
}

func withEcho(p pair) (maker, error) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{p.alg}), jwt.WithIssuer(issuerName), jwt.WithAudience(audience), jwt.WithExpirationRequired())
	return func(next http.Handler) (http.Handler, error) {
		e := echo.New()
		e.Use(echojwt.WithConfig(echojwt.Config{ParseTokenFunc: func(_ *echo.Context, auth string) (any, error) {
			said := new(members)
			return parser.ParseWithClaims(auth, said, func(*jwt.Token) (any, error) { return p.public, nil })
		}}))
		e.GET("/me", func(c *echo.Context) error { next.ServeHTTP(c.Response(), c.Request()); return nil })
		return e, nil
	}, nil
}

func withGin(p pair) (maker, error) {
	gin.SetMode(gin.ReleaseMode)
	m, err := ginjwt.New(&ginjwt.GinJWTMiddleware{
		Realm: "api", SigningAlgorithm: p.alg, IdentityKey: "sub", Key: []byte(strings.Repeat("unused", 8)),
		KeyFunc:     func(*jwt.Token) (any, error) { return p.public, nil },
		TokenLookup: "header: Authorization",
		Authorizer: func(c *gin.Context, _ any) bool {
			said := ginjwt.ExtractClaims(c)
			return said["iss"] == issuerName && said["aud"] == audience
		},
	})
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) (http.Handler, error) {
		e := gin.New()
		e.Use(m.MiddlewareFunc())
		e.GET("/me", func(c *gin.Context) { next.ServeHTTP(c.Writer, c.Request) })
		return e, nil
	}, nil
}

func withJwtauth(p pair) (maker, error) {
	auth := jwtauth.New(p.alg, p.private, p.public, jwt2.WithIssuer(issuerName), jwt2.WithAudience(audience), jwt2.WithRequiredClaim("exp"))
	return func(next http.Handler) (http.Handler, error) {
		return jwtauth.Verifier(auth)(jwtauth.Authenticator(auth)(next)), nil
	}, nil
}

func jwxMaker(key jwt3.ParseOption) maker {
	return checked(func(_ context.Context, token string) (any, error) {
		return jwt3.ParseString(token, key, jwt3.WithIssuer(issuerName), jwt3.WithAudience(audience), jwt3.WithRequiredClaim("exp"))
	})
}

func withJwx(p pair) (maker, error) {
	alg, ok := jwa.LookupSignatureAlgorithm(p.alg)
	if !ok {
		return nil, fmt.Errorf("jwx has no %s", p.alg)
	}
	return jwxMaker(jwt3.WithKey(alg, p.public)), nil
}

func jwxKeys(pairs []pair) (maker, error) {
	set := jwk.NewSet()
	for _, p := range pairs {
		key, err := jwk.Import(p.public)
		if err != nil {
			return nil, err
		}
		if err := key.Set(jwk.AlgorithmKey, jwa.RS256()); err != nil {
			return nil, err
		}
		if err := set.AddKey(key); err != nil {
			return nil, err
		}
	}
	return jwxMaker(jwt3.WithKeySet(set, jws.WithRequireKid(false))), nil
}

func oidcMaker(alg string, keys ...crypto.PublicKey) maker {
	v := oidc.NewVerifier(issuerName, &oidc.StaticKeySet{PublicKeys: keys}, &oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{alg}})
	return checked(func(ctx context.Context, token string) (any, error) { return v.Verify(ctx, token) })
}

func withOIDC(p pair) (maker, error) { return oidcMaker(p.alg, p.public), nil }

func oidcKeys(pairs []pair) (maker, error) {
	var keys []crypto.PublicKey
	for _, p := range pairs {
		keys = append(keys, p.public)
	}
	return oidcMaker("RS256", keys...), nil
}

func withAuth0(p pair) (maker, error) {
	v, err := validator.New(
		validator.WithKeyFunc(func(context.Context) (any, error) { return p.public, nil }),
		validator.WithAlgorithm(validator.SignatureAlgorithm(p.alg)),
		validator.WithIssuer(issuerName), validator.WithAudience(audience),
	)
	if err != nil {
		return nil, err
	}
	m, err := jwtmiddleware.New(jwtmiddleware.WithValidator(v))
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) (http.Handler, error) { return m.CheckJWT(next), nil }, nil
}
