package issuer_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// Account is what an application adds to its tokens.
type Account struct {
	CompanyID int `json:"companyId"`
}

// Party types of the examples.
const Admin claims.Party = "Admin"

func newKey(from time.Time) *signing.Key {
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	key, err := signing.NewKey("EdDSA", private, from)
	if err != nil {
		panic(err)
	}
	return key
}

func newTokens() *issuer.Issuer[Account] {
	keys, err := signing.NewSchedule(newKey(time.Time{}))
	if err != nil {
		panic(err)
	}
	tokens, err := issuer.New(issuer.Config[Account]{
		Issuer:      "https://id.example",
		Audience:    []string{"api"},
		Keys:        keys,
		RefreshKeys: signing.NewEphemeral(), // sessions end with the process too
		Store:       issuer.NewMemoryStore(),
		Logger:      slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	return tokens
}

func Example() {
	keys, err := signing.NewSchedule(newKey(time.Time{}))
	if err != nil {
		panic(err)
	}
	tokens, err := issuer.New(issuer.Config[Account]{
		Issuer:      "https://id.example",
		Audience:    []string{"api"},
		Keys:        keys,
		RefreshKeys: signing.NewEphemeral(), // sessions end with the process too
		Store:       issuer.NewMemoryStore(),
		// What alice may do is read again at each refresh.
		Renew: func(ctx context.Context, c *claims.Claims[Account]) error {
			c.App.CompanyID = 8
			return nil
		},
	})
	if err != nil {
		panic(err)
	}
	verify, err := claims.NewVerifier[Account](claims.Config{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: tokens.KeySet(),
	})
	if err != nil {
		panic(err)
	}

	ctx := context.Background()
	first, err := tokens.Issue(ctx, claims.Claims[Account]{Subject: "alice", Party: Admin, App: Account{CompanyID: 7}})
	if err != nil {
		panic(err)
	}
	c, err := verify.Verify(ctx, first.AccessToken)
	fmt.Println(c.Subject, c.Party, c.App.CompanyID, err)

	second, err := tokens.Refresh(ctx, first.RefreshToken)
	if err != nil {
		panic(err)
	}
	c, err = verify.Verify(ctx, second.AccessToken)
	fmt.Println(c.Subject, c.Party, c.App.CompanyID, err)
	// Output:
	// alice Admin 7 <nil>
	// alice Admin 8 <nil>
}

// A refresh token that comes back after it was spent ends its session, for
// whoever holds the successor too: one of the two is a thief.
func ExampleIssuer_Refresh_reuse() {
	tokens, ctx := newTokens(), context.Background()
	first, _ := tokens.Issue(ctx, claims.Claims[Account]{Subject: "alice"})
	second, _ := tokens.Refresh(ctx, first.RefreshToken)

	_, err := tokens.Refresh(ctx, first.RefreshToken)
	fmt.Println(err, errors.Is(err, issuer.ErrReused))
	_, err = tokens.Refresh(ctx, second.RefreshToken)
	fmt.Println(err, errors.Is(err, issuer.ErrGrant))
	// Output:
	// issuer: invalid grant: the refresh token was spent before true
	// issuer: invalid grant: the session has ended true
}

// Answering 401 to every error of Refresh is wrong: when the store is away, all
// clients throw their tokens away and everybody is logged out.
func ExampleIssuer_Refresh_incorrect() {
	tokens := newTokens()
	wrong := func(w http.ResponseWriter, r *http.Request) {
		pair, err := tokens.Refresh(r.Context(), r.PostFormValue("refresh_token"))
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		json.NewEncoder(w).Encode(pair)
	}
	right := tokens.RefreshHandler()

	// A context that has ended stands for a store that is away.
	ctx, cancel := context.WithCancel(context.Background())
	pair, _ := tokens.Issue(ctx, claims.Claims[Account]{Subject: "alice"})
	cancel()
	for _, h := range []http.Handler{http.HandlerFunc(wrong), right} {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {pair.RefreshToken}}
		r := httptest.NewRequestWithContext(ctx, "POST", "/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Printf("%d, retry after %q\n", w.Code, w.Header().Get("Retry-After"))
	}
	// Output:
	// 401, retry after ""
	// 503, retry after "5"
}

// Issue authenticates nobody. What a request says of itself is no subject:
// whoever sends this one is whom he says.
func ExampleIssuer_Issue_incorrect() {
	tokens := newTokens()
	r := httptest.NewRequest("POST", "/login", nil)
	r.Header.Set("X-User", "admin")

	pair, err := tokens.Issue(r.Context(), claims.Claims[Account]{Subject: r.Header.Get("X-User"), Party: Admin})
	fmt.Println(err, pair.AccessToken != "")
	// Output: <nil> true
}

func ExampleIssuer_LoginHandler() {
	tokens := newTokens()
	mux := http.NewServeMux()
	mux.Handle("/token", tokens.RefreshHandler())
	mux.Handle("/revoke", tokens.RevokeHandler())
	mux.Handle("/.well-known/jwks.json", tokens.JWKS())
	mux.Handle("/login", tokens.LoginHandler(func(r *http.Request) (claims.Claims[Account], error) {
		in, err := issuer.ReadBody(r, "email", "password")
		if err != nil {
			return claims.Claims[Account]{}, err
		}
		if in["email"] != "alice@example.com" || in["password"] != "correct horse" {
			return claims.Claims[Account]{}, issuer.ErrRefused
		}
		return claims.Claims[Account]{Subject: "alice", Party: Admin}, nil
	}))

	for _, password := range []string{"correct horse", "guess"} {
		body := fmt.Sprintf(`{"email":"alice@example.com","password":%q}`, password)
		r := httptest.NewRequest("POST", "/login", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header().Get("Cache-Control"))
	}
	// Output:
	// 200 no-store
	// 400 no-store
}
