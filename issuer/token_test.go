package issuer_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// header returns what a token's header says.
func header(t testing.TB, token string) map[string]any { return segment(t, token, 0) }

// payload returns what a token's payload says.
func payload(t testing.TB, token string) map[string]any { return segment(t, token, 1) }

func segment(t testing.TB, token string, i int) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	return members
}
