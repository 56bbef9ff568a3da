package jws_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims/internal/jwstest"
)

// TestRFC takes every serialisation that RFC 7515, 7520, 7797, 8037 and 9449
// print, and what a bearer verifier must say of it. testdata/README.md says where
// they are from.
func TestRFC(t *testing.T) {
	text, err := os.ReadFile("testdata/rfc.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Source, Token string
		Key           jwstest.JWK
		Valid         bool
	}
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := jwstest.Verify(row.Token, row.Key); (err == nil) != row.Valid {
			t.Errorf("%s: valid is %v, but: %v", row.Source, row.Valid, err)
		}
	}
	if len(rows) != 50 {
		t.Errorf("%d forms were found, not 50", len(rows))
	}
}
