package providers_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// tokens are what a token endpoint answers (RFC 6749 §5.1, OpenID Connect Core
// §3.1.3.3).
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

// client is a client of a provider, with the browser of one person.
type client struct {
	issuer     string
	id, secret string
	post       bool // the secret goes into the form instead of Basic
	redirect   string
	fill       map[string]string // what the person types, by the names of the fields
	scope      string
	extra      url.Values // further parameters of both requests
	noNonce    bool
}

// login is the authorization code flow (OpenID Connect Core §3.1) with PKCE
// (RFC 7636), from the provider's metadata to its tokens.
func (c *client) login(t *testing.T) tokens {
	t.Helper()
	verifier := rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	state := rand.Text()
	ask := url.Values{
		"client_id": {c.id}, "response_type": {"code"}, "redirect_uri": {c.redirect}, "scope": {c.scope},
		"state": {state}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])},
	}
	if !c.noNonce {
		ask.Set("nonce", rand.Text())
	}
	if strings.Contains(c.scope, "offline_access") {
		ask.Set("prompt", "consent") // OpenID Connect Core §11
	}
	c.add(ask)
	answer := c.browse(t, c.endpoint(t, "authorization_endpoint")+"?"+ask.Encode())
	if answer.Get("state") != state || answer.Get("code") == "" {
		t.Fatalf("authorization answer %v", answer)
	}
	return c.token(t, url.Values{"grant_type": {"authorization_code"}, "code": {answer.Get("code")},
		"redirect_uri": {c.redirect}, "code_verifier": {verifier}})
}

// refresh spends a refresh token (RFC 6749 §6).
func (c *client) refresh(t *testing.T, token string) tokens {
	t.Helper()
	return c.token(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// credentials is the grant without a person (RFC 6749 §4.4).
func (c *client) credentials(t *testing.T) tokens {
	t.Helper()
	return c.token(t, url.Values{"grant_type": {"client_credentials"}, "scope": {c.scope}})
}

func (c *client) add(to url.Values) {
	for name, values := range c.extra {
		to[name] = values
	}
}

func (c *client) token(t *testing.T, form url.Values) tokens {
	t.Helper()
	c.add(form)
	if c.post {
		form.Set("client_id", c.id)
		form.Set("client_secret", c.secret)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", c.endpoint(t, "token_endpoint"), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !c.post {
		r.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(c.secret)) // RFC 6749 §2.3.1
	}
	var got tokens
	body := fetch(t, http.DefaultClient, r)
	if err := json.Unmarshal(body, &got); err != nil || got.Access == "" {
		t.Fatalf("token answer: %s", body)
	}
	return got
}

// endpoint reads the provider's metadata.
func (c *client) endpoint(t *testing.T, name string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", strings.TrimSuffix(c.issuer, "/")+"/.well-known/openid-configuration", nil)
	if err != nil {
		t.Fatal(err)
	}
	metadata := map[string]any{}
	if err := json.Unmarshal(fetch(t, http.DefaultClient, r), &metadata); err != nil {
		t.Fatal(err)
	}
	where, _ := metadata[name].(string)
	return where
}

func fetch(t *testing.T, with *http.Client, r *http.Request) []byte {
	t.Helper()
	resp, err := with.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s, %s, %v", r.Method, r.URL, resp.Status, body, err)
	}
	return body
}

var (
	formTag  = regexp.MustCompile(`(?s)<form[^>]*>`)
	inputTag = regexp.MustCompile(`(?s)<input[^>]*>`)
	action   = regexp.MustCompile(`\saction="([^"]*)"`)
	nameOf   = regexp.MustCompile(`\sname="([^"]*)"`)
	valueOf  = regexp.MustCompile(`\svalue="([^"]*)"`)
)

// browse is a browser with a patient person: it follows redirects and fills in the
// forms that come, until the provider sends it back to the client.
func (c *client) browse(t *testing.T, where string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(t.Context(), "GET", where, nil)
	for range 12 {
		if err != nil {
			t.Fatal(err)
		}
		resp, failed := browser.Do(r)
		if failed != nil {
			t.Fatal(failed)
		}
		page, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if next, failed := resp.Location(); failed == nil {
			if strings.HasPrefix(next.String(), c.redirect+"?") {
				return next.Query()
			}
			r, err = http.NewRequestWithContext(t.Context(), "GET", next.String(), nil)
			continue
		}
		form := formTag.Find(page)
		if form == nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %s", r.URL, resp.Status, page)
		}
		to, values := r.URL, url.Values{}
		if m := action.FindSubmatch(form); m != nil {
			if to, err = r.URL.Parse(html.UnescapeString(string(m[1]))); err != nil {
				t.Fatal(err)
			}
		}
		for _, input := range inputTag.FindAll(page[bytes.Index(page, form):], -1) {
			name := nameOf.FindSubmatch(input)
			if name == nil {
				continue
			}
			values.Set(string(name[1]), "")
			if m := valueOf.FindSubmatch(input); m != nil {
				values.Set(string(name[1]), html.UnescapeString(string(m[1])))
			}
			if typed, ok := c.fill[string(name[1])]; ok {
				values.Set(string(name[1]), typed)
			}
		}
		r, err = http.NewRequestWithContext(t.Context(), "POST", to.String(), strings.NewReader(values.Encode()))
		if err == nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	t.Fatal("the login doesn't end")
	return nil
}
