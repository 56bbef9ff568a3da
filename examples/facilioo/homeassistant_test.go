package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// homeAssistant does what the public integration for Home Assistant does, as
// read from its source: it knows the wire, keeps nothing but an access token,
// and sorts all answers into a few kinds.
type homeAssistant struct {
	t     *testing.T
	wire  *client
	token string
}

var (
	errCredentials = errors.New("credentials were rejected")
	errMFA         = errors.New("a second factor is needed")
	errResponse    = errors.New("the answer is not understood")
	errConnection  = errors.New("the service is out of reach")
)

type errLimited struct{ seconds int }

func (e errLimited) Error() string { return fmt.Sprint("come back in ", e.seconds, " s") }

// saysMFA looks for any of its words anywhere in a body.
func saysMFA(body string) bool {
	body = strings.ToLower(body)
	return strings.Contains(body, "mfa") || strings.Contains(body, "multifactor") || strings.Contains(body, "multi-factor")
}

func (h *homeAssistant) request(method, path, body string, loggedIn bool) (map[string]any, error) {
	fields := http.Header{"Api-Version": {"2.0"}, "Accept": {"application/json"}}
	if body != "" {
		fields.Set("Content-Type", "application/json")
	}
	if loggedIn {
		fields.Set("Authorization", "Bearer "+h.token)
	}
	got := h.wire.send(method, path, body, fields)
	var in map[string]any
	switch {
	case got.status == 401 || got.status == 403:
		h.token = ""
		return nil, errCredentials
	case got.status == 429:
		seconds, err := strconv.Atoi(got.header.Get("Retry-After"))
		if err != nil {
			h.t.Errorf("Retry-After %q is not an integer", got.header.Get("Retry-After"))
		}
		return nil, errLimited{seconds}
	case got.status >= 500:
		return nil, errConnection
	case got.status >= 400 && !loggedIn && saysMFA(got.body):
		return nil, errMFA
	case got.status >= 400 && !loggedIn:
		return nil, errCredentials
	case got.status >= 400 || json.Unmarshal([]byte(got.body), &in) != nil:
		return nil, errResponse
	}
	return in, nil
}

// login is what the integration does, and then what its user would: a code from
// a mail goes with the second try.
func (h *homeAssistant) login(email, password, code string) error {
	body := map[string]any{"email": email, "password": password, "skipMultiFactorAuthentication": false}
	if code != "" {
		body["twoFactorCode"] = code
	}
	text, err := json.Marshal(body)
	if err != nil {
		h.t.Fatal(err)
	}
	in, err := h.request("POST", "/api/auth/login", string(text), false)
	if err != nil {
		return err
	}
	if h.token, _ = in["accessToken"].(string); h.token == "" {
		if text, _ := json.Marshal(in); saysMFA(string(text)) {
			return errMFA
		}
		return errResponse
	}
	return nil
}

// list fetches all pages.
func (h *homeAssistant) list(path string) (items []any, err error) {
	for page := 1; page <= 1000; page++ {
		in, err := h.request("GET", fmt.Sprintf("%s?PageSize=2&PageNumber=%d", path, page), "", true)
		if err != nil {
			return nil, err
		}
		some, isList := in["items"].([]any)
		next, isBool := in["hasNextPage"].(bool)
		if !isList || !isBool {
			return nil, errResponse
		}
		if items = append(items, some...); !next {
			return items, nil
		}
	}
	return nil, errResponse
}

func TestHomeAssistant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config, out := office(t)
		for _, text := range []string{"user@example.com:secret-of-user:User@7", "guest@example.com:secret-of-guest:Guest@7", "agent@example.com:secret-of-agent:Insurer@7"} {
			a, err := parseAccount(text)
			if err != nil {
				t.Fatal(err)
			}
			config.Accounts = append(config.Accounts, a)
		}
		config.AuthLimit = 12
		config.Accounts[0].SecondFactor = true
		h := &homeAssistant{t: t, wire: mounted(t, config)}
		want := func(what string, got, want error) {
			t.Helper()
			if !errors.Is(got, want) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		want("no second factor", h.login("contractor@example.com", "secret-of-contractor", ""), nil)
		me, err := h.request("GET", "/api/accounts/myself", "", true)
		if id, isNumber := me["id"].(float64); err != nil || !isNumber || id != 2 {
			t.Errorf("myself: %v, %v", me, err)
		}
		want("wrong password", h.login("manager@example.com", "guess", ""), errCredentials)
		want("unknown account", h.login("nobody@example.com", "guess", ""), errCredentials)
		want("second factor", h.login("manager@example.com", "secret-of-manager", ""), errMFA)
		want("wrong code", h.login("manager@example.com", "secret-of-manager", other(out.code(t))), errCredentials)
		want("right code", h.login("manager@example.com", "secret-of-manager", out.code(t)), nil)
		all, err := h.list("/api/accounts")
		if err != nil || len(all) != 5 {
			t.Errorf("%d accounts, %v", len(all), err)
		}
		time.Sleep(time.Hour)
		_, err = h.list("/api/accounts")
		want("a day later", err, errCredentials)
		want("and again", h.login("contractor@example.com", "secret-of-contractor", ""), nil)
		for range 20 {
			err = h.login("contractor@example.com", "secret-of-contractor", "")
		}
		var limited errLimited
		if !errors.As(err, &limited) || limited.seconds < 1 || limited.seconds > 60 {
			t.Errorf("too many: %v", err)
		}
		time.Sleep(time.Duration(limited.seconds) * time.Second)
		want("after that", h.login("contractor@example.com", "secret-of-contractor", ""), nil)
	})
}

// TestOtherClient is the client that always asks to skip the second factor, sends
// null for no code, and looks for twoFactorRequired.
func TestOtherClient(t *testing.T) {
	config, out := office(t)
	config.Accounts[0].SecondFactor = true
	c := mounted(t, config)
	login := func(code string) (in struct {
		Access   string `json:"accessToken"`
		Required bool   `json:"twoFactorRequired"`
	}) {
		t.Helper()
		got := c.expect(200, "POST", "/api/auth/login",
			`{"email":"manager@example.com","password":"secret-of-manager","twoFactorCode":`+code+`,"skipMultiFactorAuthentication":true}`)
		if err := json.Unmarshal([]byte(got.body), &in); err != nil {
			t.Fatal(err)
		}
		return in
	}
	if in := login("null"); !in.Required || in.Access != "" {
		t.Errorf("%+v", in)
	}
	if in := login(`"` + out.code(t) + `"`); in.Required || in.Access == "" {
		t.Errorf("%+v", in)
	}
}
