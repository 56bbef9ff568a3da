package claims_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims"
)

// TestConfirmation reads cnf in every form that a token may bring.
func TestConfirmation(t *testing.T) {
	v := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("EdDSA", "")), InsecureAnyTime: true}))
	const other = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
	for _, row := range []struct {
		cnf  string
		want claims.Confirmation
		err  error
	}{
		{`{"jkt":"` + thumbprint + `"}`, claims.Confirmation{Key: thumbprint}, nil},
		{`{"x5t#S256":"` + thumbprint + `"}`, claims.Confirmation{Certificate: thumbprint}, nil},
		{`{"x5t\u0023S256":"` + thumbprint + `", "jkt":"` + other + `"}`, claims.Confirmation{Key: other, Certificate: thumbprint}, nil},
		// RFC 7800 §3.1: what is not understood is ignored, if something else is.
		{`{"kid":"k","jkt":"` + thumbprint + `"}`, claims.Confirmation{Key: thumbprint}, nil},
		{`{}`, claims.Confirmation{Unknown: true}, nil},
		{`{"kid":"dfd1aa97-6d8d-4575-a0fe-34b96de2bfad"}`, claims.Confirmation{Unknown: true}, nil},
		{`{"jwk":{"kty":"EC","crv":"P-256","x":"usWxHK2PmfnHKwXPS54m0kTcGJ90UiglWiGahtagnv8","y":"3BttVivg-lsJL5hlRBFV8AzyWb8wu2vI5aiTMWUDsi0"}}`, claims.Confirmation{Unknown: true}, nil},
		{`{"JKT":"` + thumbprint + `"}`, claims.Confirmation{Unknown: true}, nil},
		{`{"x5t":"` + thumbprint + `"}`, claims.Confirmation{Unknown: true}, nil},
		{`null`, claims.Confirmation{}, claims.ErrMemberType},
		{`"` + thumbprint + `"`, claims.Confirmation{}, claims.ErrMemberType},
		{`["jkt"]`, claims.Confirmation{}, claims.ErrMemberType},
		{`[]`, claims.Confirmation{}, claims.ErrMemberType},
		{`false`, claims.Confirmation{}, claims.ErrMemberType},
		{`0`, claims.Confirmation{}, claims.ErrMemberType},
		{`{"jkt":null}`, claims.Confirmation{}, claims.ErrMemberType},
		{`{"jkt":""}`, claims.Confirmation{}, claims.ErrMemberType},
		{`{"jkt":["` + thumbprint + `"]}`, claims.Confirmation{}, claims.ErrMemberType},
		{`{"jkt":"` + thumbprint + `="}`, claims.Confirmation{}, claims.ErrMemberType},
		{`{"jkt":"` + thumbprint[1:] + `"}`, claims.Confirmation{}, claims.ErrMemberType},
		{`{"jkt":"` + strings.Replace(thumbprint, "-", "+", 1) + `"}`, claims.Confirmation{}, claims.ErrMemberType},
		{`{"jkt":"` + thumbprint[:42] + `J"}`, claims.Confirmation{}, claims.ErrMemberType}, // stray bits: another spelling
		{`{"jkt":"` + thumbprint + `","jkt":"` + other + `"}`, claims.Confirmation{}, claims.ErrDuplicate},
	} {
		s := tokenOf("EdDSA", `{"iss":"iss1","sub":"alice","aud":"api","exp":1700000100,"cnf":`+row.cnf+`}`)
		for range 2 { // read, and remembered
			c, err := v.Verify(t.Context(), s)
			if row.err != nil {
				if !errors.Is(err, row.err) || !errors.Is(err, claims.ErrInvalid) {
					t.Errorf("%s: %v, want %v", row.cnf, err, row.err)
				}
				continue
			}
			if err != nil || c.Confirmation != row.want || len(c.App) != 0 {
				t.Errorf("%s: %+v, %v", row.cnf, c, err)
			}
		}
	}
}

// TestConfirmationIsNeverLost: what can't be written is an error, never a bearer
// token.
func TestConfirmationIsNeverLost(t *testing.T) {
	whole := claims.Dialect{}
	without := claims.Dialect{Members: []string{"iss", "sub", "aud", "exp"}}
	for name, row := range map[string]struct {
		d claims.Dialect
		c claims.Confirmation
	}{
		"no place":        {without, claims.Confirmation{Key: thumbprint}},
		"not understood":  {whole, claims.Confirmation{Unknown: true}},
		"both and more":   {whole, claims.Confirmation{Key: thumbprint, Unknown: true}},
		"no thumbprint":   {whole, claims.Confirmation{Key: "abc"}},
		"no certificate":  {whole, claims.Confirmation{Key: thumbprint, Certificate: "abc"}},
		"stray last bits": {whole, claims.Confirmation{Certificate: thumbprint[:42] + "J"}},
	} {
		for _, use := range []claims.Use{claims.Access, claims.Refresh} {
			e := must(claims.NewEncoder[struct{}](row.d))
			c := claims.Claims[struct{}]{Issuer: "iss1", Subject: "alice", Audience: []string{"api"}, Expiry: moment, Use: use, Confirmation: row.c}
			if s, err := e.Encode(claims.Header{Algorithm: "ES256"}, &c); !errors.Is(err, claims.ErrUnencodable) {
				t.Errorf("%s: %q, %v", name, s, err)
			}
		}
	}
}
