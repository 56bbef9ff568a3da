package issuer_test

import (
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
	"github.com/golang-jwt/jwt/v5"
)

// TestFarAwayServer (law: access is not refresh, for everybody's verifiers) hands both
// tokens of a pair to a resource server that uses another library. It checks signature,
// issuer and audience, as most libraries do by default, and not typ (RFC 8725 §3.12;
// seen in golang-jwt 5.3.1, jose, jsonwebtoken, PyJWT, aws-jwt-verify).
func TestFarAwayServer(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := signing.NewKey("EdDSA", private, always)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := signing.NewSecret("HS256", "", []byte("a secret of thirty-two bytes ...."), always)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		config issuer.Config[account]
		reader []jwt.ParserOption
		passes bool // whether the refresh token gets in
		is     error
	}{
		{"one set of keys", issuer.Config[account]{},
			[]jwt.ParserOption{jwt.WithIssuer("https://id.example"), jwt.WithAudience("api")}, false, jwt.ErrTokenInvalidAudience},
		{"several audiences", issuer.Config[account]{Audience: []string{"api", "files"}},
			[]jwt.ParserOption{jwt.WithAudience("files")}, false, jwt.ErrTokenInvalidAudience},
		{"keys of its own", issuer.Config[account]{RefreshKeys: schedule(t, secret)},
			nil, false, jwt.ErrTokenSignatureInvalid},
		{"one set of keys, and a reader without audience: what the doc of Config.Keys says is left", issuer.Config[account]{},
			nil, true, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.config.Keys, row.config.Store = schedule(t, key), issuer.NewMemoryStore()
			tokens := newIssuer(t, row.config)
			pair, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: "alice"})
			if err != nil {
				t.Fatal(err)
			}
			read := func(token string) error {
				_, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return public, nil }, row.reader...)
				return err
			}
			if err := read(pair.AccessToken); err != nil {
				t.Errorf("access token: %v", err)
			}
			if err := read(pair.RefreshToken); (err == nil) != row.passes || !errors.Is(err, row.is) {
				t.Errorf("refresh token: %v", err)
			}
			if _, err := tokens.Refresh(t.Context(), pair.RefreshToken); err != nil {
				t.Errorf("its issuer: %v", err)
			}
		})
	}
}

// TestAudienceHoldsIssuer: an API that goes by the issuer's name would be named by
// refresh tokens too.
func TestAudienceHoldsIssuer(t *testing.T) {
	secret, err := signing.NewSecret("HS256", "", []byte("a secret of thirty-two bytes ...."), always)
	if err != nil {
		t.Fatal(err)
	}
	other, err := signing.NewSecret("HS256", "", []byte("another secret of thirty-two bytes"), always)
	if err != nil {
		t.Fatal(err)
	}
	c := issuer.Config[account]{Issuer: "https://id.example", Audience: []string{"api", "https://id.example"},
		Keys: schedule(t, secret), Store: issuer.NewMemoryStore()}
	if _, err := issuer.New(c); err == nil {
		t.Error("taken without RefreshKeys")
	}
	c.RefreshKeys = schedule(t, other)
	tokens, err := issuer.New(c)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	verify, err := claims.NewVerifier[account](claims.Config{Issuer: c.Issuer, Audience: c.Audience, Keys: tokens.KeySet()})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := verify.Verify(t.Context(), pair.AccessToken); err != nil || !slices.Equal(got.Audience, c.Audience) {
		t.Errorf("access: %v, %v", got, err)
	}
	if _, err := verify.Verify(t.Context(), pair.RefreshToken); !errors.Is(err, claims.ErrInvalid) {
		t.Errorf("refresh: %v", err)
	}
}
