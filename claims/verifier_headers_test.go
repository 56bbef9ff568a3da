package claims_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims"
)

// TestHeadersAreRemembered only of tokens whose signature held, and boundedly.
func TestHeadersAreRemembered(t *testing.T) {
	v := verifierOf(keyOf("HS256", ""))
	good := pairs()["HS256"].private
	header := func(kid string) string { return `{"alg":"HS256","kid":"` + kid + `","typ":"at+jwt"}` }
	for i := range 100 {
		refused(t, v, token("HS256", []byte("a stranger's"), header(fmt.Sprint("s", i)), goodPayload), claims.ErrSignature)
	}
	if n := v.RememberedHeaders(); n != 0 {
		t.Errorf("%d headers of strangers are remembered", n)
	}
	for i := range 300 {
		accepted(t, v, token("HS256", good, header(fmt.Sprint("k", i)), goodPayload))
		if n := v.RememberedHeaders(); n == 0 || n > 64 {
			t.Fatalf("%d headers are remembered", n)
		}
	}
	before := v.RememberedHeaders()
	accepted(t, v, token("HS256", good, `{"alg":"HS256","typ":"at+jwt","x":"`+strings.Repeat("x", 2000)+`"}`, goodPayload))
	if n := v.RememberedHeaders(); n != before {
		t.Errorf("a long header is remembered")
	}
	// What is remembered of a header is all of it.
	refused(t, v, token("HS256", good, `{"alg":"HS256","typ":"rt+jwt"}`, goodPayload), claims.ErrType)
	refused(t, v, token("HS256", []byte("a stranger's"), header("k299"), goodPayload), claims.ErrSignature)
}
