package issuer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
)

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// post sends a body to a handler, and checks what every answer must have.
func post(t testing.TB, h http.Handler, contentType, body string) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	r := httptest.NewRequest("POST", "/token", strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return serve(t, h, r)
}

func serve(t testing.TB, h http.Handler, r *http.Request) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	of := []string{"Content-Length", "Etag", "Last-Modified"} // another answer, set further out
	for _, field := range of {
		w.Header().Set(field, "3")
	}
	h.ServeHTTP(w, r)
	for _, field := range of {
		if w.Header().Get(field) != "" {
			t.Errorf("%d keeps a %s that is not its own", w.Code, field)
		}
	}
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Pragma") != "no-cache" {
		t.Errorf("%d may be cached: %v", w.Code, w.Header())
	}
	if w.Code == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	var members map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil || w.Header().Get("Content-Type") != jsonType {
			t.Errorf("%d %q: %v", w.Code, w.Body, err)
		}
	}
	return w, members
}

// answers fails unless a body is answered with a status, an error code, and a
// description of what is wrong with it, or none.
func answers(t testing.TB, h http.Handler, contentType, body string, status int, code, description string) {
	t.Helper()
	w, _ := post(t, h, contentType, body)
	want := `{"error":"` + code + `"`
	if description != "" {
		want += `,"error_description":"` + description + `"`
	}
	if want += "}\n"; w.Code != status || w.Body.String() != want {
		t.Errorf("%.80q as %s: %d %s, want %d %s", body, contentType, w.Code, w.Body, status, want)
	}
}

// What is said of requests that make no sense.
const (
	noToken     = "The parameter refresh_token, a string, is missing."
	noGrantType = "The parameter grant_type, a string, is missing."
	otherGrant  = "The parameter grant_type must be refresh_token."
	repeated    = "A parameter is repeated."
	noForm      = "The body is not application/x-www-form-urlencoded."
	noObject    = "The body is not one JSON object."
	noText      = "The body is not UTF-8."
	tooLarge    = "The body is larger than 64 KiB."
	otherType   = "The Content-Type must be application/x-www-form-urlencoded or application/json."
)

func TestRefreshHandler(t *testing.T) {
	tokens := newIssuer(t, issuer.Config[account]{})
	h := tokens.RefreshHandler()
	fresh := func() string { return issue(t, tokens, "alice").RefreshToken }
	form := func(token string) string { return "grant_type=refresh_token&refresh_token=" + token }

	t.Run("RFC 6749 §5.1 in a form and in JSON", func(t *testing.T) {
		token := fresh()
		for _, row := range [][2]string{
			{formType, form("%s")}, {jsonType, `{"refresh_token":"%s"}`}, {jsonType + "; charset=utf-8", `{"grant_type":"refresh_token","refresh_token":"%s","other":[1,{}]}`},
			{formType, "client_id=x&" + form("%s")},
		} {
			w, members := post(t, h, row[0], fmt.Sprintf(row[1], token))
			if w.Code != 200 || members["token_type"] != "Bearer" || members["expires_in"] != 900.0 || members["access_token"] == nil {
				t.Fatalf("%s: %d %v", row[1], w.Code, members)
			}
			token = members["refresh_token"].(string)
		}
	})
	t.Run("RF-22 a wider grant in the body has no effect", func(t *testing.T) {
		pair, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: "alice", Party: "Guest", Scope: []string{"read"}})
		if err != nil {
			t.Fatal(err)
		}
		_, members := post(t, h, formType, form(pair.RefreshToken)+"&scope=read+write+admin&party=Admin&party_type=1&aud=other&sub=root")
		c, err := verifier(t, tokens, claims.Dialect{}).Verify(t.Context(), members["access_token"].(string))
		if err != nil || c.Subject != "alice" || c.Party != "Guest" || strings.Join(c.Scope, " ") != "read" || members["scope"] != "read" {
			t.Errorf("%+v, %v, %v", c, members["scope"], err)
		}
	})
	t.Run("RF-31 other methods, and the URL", func(t *testing.T) {
		token := fresh()
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			w, _ := serve(t, h, httptest.NewRequest(method, "/token?"+form(token), nil))
			if w.Code != 405 || w.Header().Get("Allow") != "POST" {
				t.Errorf("%s: %d %v", method, w.Code, w.Header())
			}
		}
		r := httptest.NewRequest("POST", "/token?"+form(token), strings.NewReader("grant_type=refresh_token"))
		r.Header.Set("Content-Type", formType)
		r.AddCookie(&http.Cookie{Name: "refresh_token", Value: token})
		if w, _ := serve(t, h, r); w.Code != 400 {
			t.Errorf("from URL or cookie: %d", w.Code)
		}
		refresh(t, tokens, token)
	})
	t.Run("RF-32 repeated, of another type, too long", func(t *testing.T) {
		token := fresh()
		for _, row := range []struct {
			contentType, body string
			status            int
			code, description string
		}{
			{formType, form(token) + "&refresh_token=" + token, 400, "invalid_request", repeated},
			{formType, form(token) + "&grant_type=refresh_token", 400, "invalid_request", repeated},
			{formType, form(token) + "&scope=a&scope=b", 400, "invalid_request", repeated},
			{formType, "refresh_token=" + token, 400, "invalid_request", noGrantType},
			{formType, "grant_type=password&refresh_token=" + token, 400, "unsupported_grant_type", otherGrant},
			{formType, "grant_type=&refresh_token=" + token, 400, "invalid_request", noGrantType},
			{jsonType, `{"grant_type":"","refresh_token":"` + token + `"}`, 400, "invalid_request", noGrantType},
			{jsonType, `{"grant_type":1,"refresh_token":"` + token + `"}`, 400, "invalid_request", noGrantType},
			{formType, "grant_type=refresh_token", 400, "invalid_request", noToken},
			{formType, "grant_type=refresh_token&refresh_token=", 400, "invalid_request", noToken},
			{formType, form(token) + "&%zz", 400, "invalid_request", noForm},
			{formType, form(token) + ";x=y", 400, "invalid_request", noForm},
			{formType, form(token) + "&x=" + strings.Repeat("x", 64<<10), 413, "invalid_request", tooLarge},
			{jsonType, `{"refresh_token":"` + token + `","refresh_token":"` + token + `"}`, 400, "invalid_request", repeated},
			{jsonType, `{"refresh_token":"x","refresh_\u0074oken":"` + token + `"}`, 400, "invalid_request", repeated},
			{jsonType, `{"Refresh_Token":"` + token + `"}`, 400, "invalid_request", noToken},
			{jsonType, `{"refresh_token":["` + token + `"]}`, 400, "invalid_request", noToken},
			{jsonType, `{"refresh_token":null}`, 400, "invalid_request", noToken},
			{jsonType, `["` + token + `"]`, 400, "invalid_request", noObject},
			{jsonType, `"` + token + `"`, 400, "invalid_request", noObject},
			{jsonType, `{"refresh_token":"` + token + `"}{}`, 400, "invalid_request", noObject},
			{jsonType, `{"refresh_token":"` + token + `"`, 400, "invalid_request", noObject},
			{jsonType, `{"refresh_token":"` + token + `"]`, 400, "invalid_request", noObject},
			{jsonType, `{"grant_type":"password","refresh_token":"` + token + `"}`, 400, "unsupported_grant_type", otherGrant},
			{jsonType, ``, 400, "invalid_request", noObject},
			{jsonType, `{"x":"` + strings.Repeat("x", 10<<20) + `"}`, 413, "invalid_request", tooLarge},
			{"text/plain", form(token), 415, "invalid_request", otherType},
			{"multipart/form-data; boundary=x", form(token), 415, "invalid_request", otherType},
			{"application/jsonx", `{"refresh_token":"` + token + `"}`, 415, "invalid_request", otherType},
			{"", form(token), 415, "invalid_request", otherType},
			{formType, "grant_type=refresh_token&refreshToken=" + token, 400, "invalid_request", noToken},
			{jsonType, `{"refreshToken":"` + token + `"}`, 400, "invalid_request", noToken},
			{formType, form(token) + "\xff", 400, "invalid_request", noText},
			{jsonType, "{\"refresh_token\":\"\xff\"}", 400, "invalid_request", noText},
			{formType, form(token) + "%ff", 400, "invalid_request", noText},
			{formType, form("x"), 400, "invalid_grant", ""},
			{formType, form(url.QueryEscape(token + " ")), 400, "invalid_grant", ""},
			{jsonType, `{"refresh_token":" ` + token + `"}`, 400, "invalid_grant", ""},
		} {
			answers(t, h, row.contentType, row.body, row.status, row.code, row.description)
		}
		refresh(t, tokens, token)
	})
	t.Run("a body that breaks off", func(t *testing.T) {
		r := httptest.NewRequest("POST", "/token", io.MultiReader(strings.NewReader(form(fresh())), iotest.ErrReader(io.ErrUnexpectedEOF)))
		r.Header.Set("Content-Type", formType)
		if w, members := serve(t, h, r); w.Code != 400 || members["error_description"] != "The body could not be read." {
			t.Errorf("%d %v", w.Code, members)
		}
	})
	t.Run("a spent token", func(t *testing.T) {
		token := fresh()
		refresh(t, tokens, token)
		answers(t, h, formType, form(token), 400, "invalid_grant", "")
	})
}

// TestHandlersWhenTheStoreFails answers 503 and tells the client nothing, and
// the log everything but tokens.
func TestHandlersWhenTheStoreFails(t *testing.T) {
	var log strings.Builder
	fails := false
	tokens := newIssuer(t, issuer.Config[account]{
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Store: issuertest.Faulty(issuer.NewMemoryStore(), func(int) issuertest.Fault {
			if fails {
				return issuertest.Unsent
			}
			return issuertest.None
		}),
	})
	token := issue(t, tokens, "alice").RefreshToken
	login := tokens.LoginHandler(func(*http.Request) (claims.Claims[account], error) {
		return claims.Claims[account]{Subject: "alice"}, nil
	})
	fails = true
	for name, answer := range map[string]func(){
		"login": func() { answers(t, login, jsonType, `{}`, 503, "temporarily_unavailable", "") },
		"refresh": func() {
			answers(t, tokens.RefreshHandler(), jsonType, `{"refresh_token":"`+token+`"}`, 503, "temporarily_unavailable", "")
		},
		"RF-18 revoke": func() {
			answers(t, tokens.RevokeHandler(), jsonType, `{"token":"`+token+`"}`, 503, "temporarily_unavailable", "")
		},
	} {
		log.Reset()
		answer()
		if !strings.Contains(log.String(), issuertest.ErrFault.Error()) || strings.Contains(log.String(), token[len(token)-40:]) {
			t.Errorf("%s: log %q", name, log.String())
		}
	}
	fails = false
	refresh(t, tokens, token)
}

func TestLoginHandler(t *testing.T) {
	tokens := newIssuer(t, issuer.Config[account]{})
	answer := func(c claims.Claims[account], err error) http.Handler {
		return tokens.LoginHandler(func(r *http.Request) (claims.Claims[account], error) {
			if _, e := io.ReadAll(r.Body); e != nil {
				return claims.Claims[account]{Subject: "alice"}, e
			}
			return c, err
		})
	}
	alice := claims.Claims[account]{Subject: "alice", Party: "Admin"}
	t.Run("a pair, labelled with the User-Agent", func(t *testing.T) {
		r := httptest.NewRequest("POST", "/login", strings.NewReader(`{}`))
		r.Header.Set("User-Agent", "curl/8")
		w, members := serve(t, answer(alice, nil), r)
		if w.Code != 200 {
			t.Fatalf("%d %v", w.Code, members)
		}
		refresh(t, tokens, members["refresh_token"].(string))
		if live, err := tokens.Sessions(t.Context(), "alice"); err != nil || len(live) != 1 || live[0].Label != "curl/8" {
			t.Errorf("%v, %v", live, err)
		}
	})
	answers(t, answer(alice, issuer.ErrRefused), jsonType, `{}`, 400, "invalid_grant", "")
	answers(t, answer(alice, fmt.Errorf("wrong password for alice: %w", issuer.ErrRefused)), jsonType, `{}`, 400, "invalid_grant", "")
	answers(t, answer(alice, errors.New("database is away")), jsonType, `{}`, 503, "temporarily_unavailable", "")
	answers(t, answer(claims.Claims[account]{}, nil), jsonType, `{}`, 503, "temporarily_unavailable", "")
	answers(t, answer(alice, nil), jsonType, strings.Repeat(" ", 64<<10+1), 413, "invalid_request", tooLarge)
	answers(t, tokens.LoginHandler(nil), jsonType, `{}`, 503, "temporarily_unavailable", "")
	w, _ := serve(t, answer(alice, nil), httptest.NewRequest("GET", "/login", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d", w.Code)
	}
}

func TestRevokeHandler(t *testing.T) {
	tokens := newIssuer(t, issuer.Config[account]{})
	h := tokens.RevokeHandler()
	const missing = "The parameter token, a string, is missing."
	token := issue(t, tokens, "alice").RefreshToken
	t.Run("RF-20 200 as often as one likes", func(t *testing.T) {
		for _, row := range [][2]string{
			{formType, "token=" + token}, {formType, "token=" + token + "&token_type_hint=refresh_token"}, {jsonType, `{"token":"` + token + `"}`}, {formType, "token=unknown"},
		} {
			if w, _ := post(t, h, row[0], row[1]); w.Code != 200 || w.Body.Len() != 0 {
				t.Errorf("%s: %d %s", row[1], w.Code, w.Body)
			}
		}
	})
	refused(t, tokens, token, issuer.ErrGrant)
	inBubble(t, "an access token ends its session too, RFC 7009 §2.1, also when it has expired", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{RefreshKeys: schedule(t, edKey(t, always))})
		foreign := issue(t, newIssuer(t, issuer.Config[account]{}), "alice")
		for _, body := range []string{"token=%s", "token=%s&token_type_hint=access_token", "token=%s&token_type_hint=refresh_token"} {
			for _, age := range []time.Duration{0, time.Hour} {
				pair, other := issue(t, tokens, "alice"), issue(t, tokens, "alice")
				time.Sleep(age)
				for _, nothing := range []string{foreign.AccessToken, forged(pair.AccessToken)} {
					if w, _ := post(t, tokens.RevokeHandler(), formType, fmt.Sprintf(body, nothing)); w.Code != 200 {
						t.Errorf("%d", w.Code)
					}
				}
				pair.RefreshToken = refresh(t, tokens, pair.RefreshToken).RefreshToken
				if w, _ := post(t, tokens.RevokeHandler(), formType, fmt.Sprintf(body, pair.AccessToken)); w.Code != 200 || w.Body.Len() != 0 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				refused(t, tokens, pair.RefreshToken, issuer.ErrGrant)
				refresh(t, tokens, other.RefreshToken)
			}
		}
	})
	for body, description := range map[string]string{
		"": missing, "token=": missing, "refresh_token=" + token: missing, "token=a&token=b": repeated,
	} {
		answers(t, h, formType, body, 400, "invalid_request", description)
	}
	answers(t, h, "text/plain", "token="+token, 415, "invalid_request", otherType)
}

// TestRefusalsAreLogged has one line at Debug for each request that makes no
// sense and for each grant that is refused, and nothing of what was sent.
func TestRefusalsAreLogged(t *testing.T) {
	var log strings.Builder
	tokens := newIssuer(t, issuer.Config[account]{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	login := tokens.LoginHandler(func(r *http.Request) (claims.Claims[account], error) {
		_, err := io.ReadAll(r.Body)
		if err == nil {
			err = fmt.Errorf("wrong password: %w", issuer.ErrRefused)
		}
		return claims.Claims[account]{}, err
	})
	for _, row := range []struct {
		h                         http.Handler
		contentType, body, reason string
	}{
		{tokens.RefreshHandler(), formType, "grant_type=refresh_token&refreshToken=sesame", noToken},
		{tokens.RefreshHandler(), formType, "refresh_token=sesame", noGrantType},
		{tokens.RefreshHandler(), formType, "grant_type=sesame&refresh_token=sesame", otherGrant},
		{tokens.RefreshHandler(), "", `{"refresh_token":"sesame"}`, otherType},
		{tokens.RefreshHandler(), jsonType, `{"refresh_token":"sesame"}`, "invalid grant"},
		{tokens.RevokeHandler(), formType, "access_token=sesame", "The parameter token, a string, is missing."},
		{tokens.RevokeHandler(), "sesame/plain", "token=sesame", otherType},
		{login, jsonType, strings.Repeat("sesame", 64<<10), tooLarge},
		{login, jsonType, "sesame", "wrong password"},
	} {
		log.Reset()
		w, _ := post(t, row.h, row.contentType, row.body)
		line := log.String()
		if strings.Count(line, "\n") != 1 || !strings.Contains(line, "level=DEBUG") || !strings.Contains(line, row.reason) {
			t.Errorf("%.60s: %d, log %q; want one line with %q", row.body, w.Code, line, row.reason)
		}
		if strings.Contains(line, "sesame") || strings.Contains(w.Body.String(), "sesame") {
			t.Errorf("%.60s: %s, log %q", row.body, w.Body, line)
		}
	}
}

// FuzzBody offers any body to the refresh handler. None may be granted, none
// may be anybody's fault but the client's.
func FuzzBody(f *testing.F) {
	f.Add(true, `{"refresh_token":"x"}`)
	f.Add(false, "grant_type=refresh_token&refresh_token=x")
	tokens := newIssuer(f, issuer.Config[account]{})
	h := tokens.RefreshHandler()
	f.Fuzz(func(t *testing.T, asJSON bool, body string) {
		contentType := formType
		if asJSON {
			contentType = jsonType
		}
		if w, _ := post(t, h, contentType, body); w.Code != 400 && w.Code != 413 {
			t.Errorf("%q: %d", body, w.Code)
		}
	})
}

// forged returns a token with another signature, whatever it was.
func forged(token string) string {
	b := []byte(token)
	at := strings.LastIndexByte(token, '.') + 1
	if b[at] = 'A'; token[at] == 'A' {
		b[at] = 'B'
	}
	return string(b)
}
