package issuer_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
)

// readBody reads a body that may have email and password.
func readBody(contentType, body string) (map[string]string, error) {
	r := httptest.NewRequest("POST", "/login?email=query&password=query", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return issuer.ReadBody(r, "email", "password")
}

// TestReadBody: what is read, and from nowhere but the body.
func TestReadBody(t *testing.T) {
	both := map[string]string{"email": "a@b", "password": "x"}
	for _, row := range []struct {
		contentType, body string
		want              map[string]string
	}{
		{formType, "email=a%40b&password=x", both},
		{formType + "; charset=utf-8", "password=x&email=a@b", both},
		{jsonType, `{"email":"a@b","password":"x"}`, both},
		{jsonType, " {\"password\":\"\\u0078\",\n\"email\":\"a\\u0040b\"} ", both},
		{jsonType, `{}`, nil},
		{formType, "", nil},
		{formType, "email=", map[string]string{"email": ""}},
		{jsonType, `{"email":"a@b"}`, map[string]string{"email": "a@b"}},
		{jsonType, `{"email":null,"password":["x"]}`, map[string]string{"email": "", "password": ""}},
		{jsonType, `{"password":"\ud83d\ude00"}`, map[string]string{"password": "😀"}},
		{jsonType, `{"password":"\\ud83d"}`, map[string]string{"password": `\ud83d`}},
		{jsonType, `{"password":"\ufffd"}`, map[string]string{"password": "\ufffd"}},
	} {
		if got, err := readBody(row.contentType, row.body); err != nil || !maps.Equal(got, row.want) {
			t.Errorf("%s: %v, %v", row.body, got, err)
		}
	}
}

// TestReadBodyRefuses: whatever could be read in two ways.
func TestReadBodyRefuses(t *testing.T) {
	for _, row := range [][2]string{
		{"", `{}`}, {"text/plain", `{}`}, {"multipart/form-data; boundary=b", "--b--"},
		{formType, "email=a&email=a"}, {formType, "user=a"}, {formType, "Email=a"}, {formType, "email=%"}, {formType, "email=%ff"}, {formType, "email=a;password=x"},
		{jsonType, ""}, {jsonType, "null"}, {jsonType, `["email"]`}, {jsonType, `{"email":"a"`}, {jsonType, `{"email":"a"}{}`}, {jsonType, `{"email":"a"}x`},
		{jsonType, `{"email":"a","email":"a"}`}, {jsonType, `{"email":"a","\u0065mail":"b"}`}, {jsonType, `{"Email":"a"}`}, {jsonType, `{"email":"a","role":"admin"}`}, {jsonType, `{"":""}`},
		{jsonType, "{\"email\":\"\xff\"}"}, {jsonType, "\ufeff{}"},
		{jsonType, `{"password":"\ud83d"}`}, {jsonType, `{"password":"\ude00"}`}, {jsonType, `{"password":"\ude00\ud83d"}`}, {jsonType, `{"password":"\ud83d\ud83d\ude00"}`},
		{jsonType, `{"password":"\ud83dude00"}`}, {jsonType, `{"password":"\\\ud83d"}`}, {jsonType, `{"password":"\uD83D\u0041"}`}, {jsonType, `{"email":["\ud83d"]}`},
	} {
		got, err := readBody(row[0], row[1])
		if !errors.Is(err, issuer.ErrRefused) || got != nil {
			t.Errorf("%s %q: %v, %v", row[0], row[1], got, err)
		}
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			t.Errorf("%q is not too large", row[1])
		}
	}
	r := httptest.NewRequest("POST", "/login", strings.NewReader(`{}`))
	r.Header["Content-Type"] = []string{jsonType, formType}
	if _, err := issuer.ReadBody(r); !errors.Is(err, issuer.ErrRefused) {
		t.Errorf("two Content-Types: %v", err)
	}
	r = httptest.NewRequest("POST", "/login", iotest.ErrReader(io.ErrUnexpectedEOF))
	r.Header.Set("Content-Type", formType)
	if _, err := issuer.ReadBody(r); !errors.Is(err, issuer.ErrRefused) {
		t.Errorf("a body that breaks off: %v", err)
	}
	if _, err := readBody(formType, "email=secret&sesame=open"); err == nil || strings.Contains(err.Error(), "sesame") || strings.Contains(err.Error(), "secret") {
		t.Errorf("the error repeats what a stranger sent: %v", err)
	}
}

// TestReadBodyIsBounded: 64 KiB are read, a byte more is not.
func TestReadBodyIsBounded(t *testing.T) {
	const most = 64 << 10
	if got, err := readBody(formType, "email="+strings.Repeat("a", most-6)); err != nil || len(got["email"]) != most-6 {
		t.Errorf("64 KiB: %v", err)
	}
	_, err := readBody(formType, "email="+strings.Repeat("a", most-5))
	if tooLarge := new(http.MaxBytesError); !errors.Is(err, issuer.ErrRefused) || !errors.As(err, &tooLarge) || tooLarge.Limit != most {
		t.Errorf("a byte more: %v", err)
	}
}

// TestLoginReadsBody: what is refused is answered as a wrong password is.
func TestLoginReadsBody(t *testing.T) {
	tokens := newIssuer(t, issuer.Config[account]{})
	login := tokens.LoginHandler(func(r *http.Request) (claims.Claims[account], error) {
		in, err := issuer.ReadBody(r, "email", "password")
		if err == nil && in["password"] != "right" {
			err = issuer.ErrRefused
		}
		return claims.Claims[account]{Subject: in["email"]}, err
	})
	for _, row := range [][2]string{{jsonType, `{"email":"alice","password":"right"}`}, {formType, "email=alice&password=right"}} {
		if w, _ := post(t, login, row[0], row[1]); w.Code != 200 {
			t.Errorf("%s: %d %s", row[1], w.Code, w.Body)
		}
	}
	answers(t, login, jsonType, `{"email":"alice","password":"wrong"}`, 400, "invalid_grant", "")
	answers(t, login, jsonType, `{"email":"alice","password":"right","password":"right"}`, 400, "invalid_grant", "")
	answers(t, login, jsonType, strings.Repeat(" ", 64<<10+1), 413, "invalid_request", tooLarge)
}

// FuzzReadBody: what is read is what two other readers read, and Unicode.
func FuzzReadBody(f *testing.F) {
	f.Add(true, `{"email":"a","password":"\ud83d\ude00"}`)
	f.Add(true, `{"password":"\\\ud83d"}`)
	f.Add(false, "email=a%40b&password=+")
	f.Fuzz(func(t *testing.T, asJSON bool, body string) {
		contentType := formType
		if asJSON {
			contentType = jsonType
		}
		got, err := readBody(contentType, body)
		if err != nil {
			if !errors.Is(err, issuer.ErrRefused) || got != nil {
				t.Fatalf("%v, %v", got, err)
			}
			return
		}
		for name, value := range got {
			if !slices.Contains([]string{"email", "password"}, name) || !utf8.ValidString(value) {
				t.Errorf("%q: %q is %q", body, name, value)
			}
		}
		if !asJSON {
			values, err := url.ParseQuery(body)
			if err != nil || values.Get("email") != got["email"] || values.Get("password") != got["password"] {
				t.Errorf("%q: %v, %v and %v", body, err, values, got)
			}
			return
		}
		var other map[string]any
		if err := json.Unmarshal([]byte(body), &other); err != nil || len(other) != len(got) {
			t.Errorf("%q: %v, %v and %v", body, err, other, got)
		}
		for name, value := range got {
			if s, _ := other[name].(string); s != value {
				t.Errorf("%q: %q is %q and %q", body, name, s, value)
			}
		}
		// Where U+FFFD is read, U+FFFD was sent: nothing was replaced by it.
		if strings.Count(strings.Join(slices.Collect(maps.Values(got)), ""), "\ufffd") > strings.Count(body, "\ufffd")+strings.Count(strings.ToLower(body), `\ufffd`) {
			t.Errorf("%q: a character was replaced: %q", body, got)
		}
	})
}
