package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sdk does what oisp-sdk-python does, as read from its source. It asks for the
// server's health before anything else, compares each status with the one that it
// expects, and takes exp for milliseconds.
type sdk struct {
	wire          *client
	token, userID string
	accounts      []string
	expires       time.Time
}

func (s *sdk) call(expect int, method, path, body string, authorize bool) (map[string]any, error) {
	fields := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"python-requests/2.28"}, "Accept-Encoding": {"gzip, deflate"}, "Accept": {"*/*"}}
	if authorize {
		fields.Set("Authorization", "Bearer "+s.token)
	}
	got := s.wire.send(method, "/v1/api"+path, body, fields)
	var in map[string]any
	if strings.HasPrefix(got.header.Get("Content-Type"), "application/json") && got.body != "" {
		if err := json.Unmarshal([]byte(got.body), &in); err != nil {
			return nil, err
		}
	}
	if got.status != expect {
		code, _ := in["code"].(float64)
		return nil, fmt.Errorf("HTTP %d, code %v", got.status, code)
	}
	return in, nil
}

// connect is how the SDK's Client is made.
func (s *sdk) connect() error {
	_, err := s.call(200, "GET", "/health", "", false)
	return err
}

func (s *sdk) auth(username, password string) error {
	in, err := s.call(200, "POST", "/auth/token", `{"username": "`+username+`", "password": "`+password+`"}`, false)
	if err != nil {
		return err
	}
	s.token, _ = in["token"].(string)
	in, err = s.call(200, "GET", "/auth/tokenInfo", "", true)
	if err != nil {
		return err
	}
	header, _ := in["header"].(map[string]any)
	payload, _ := in["payload"].(map[string]any)
	exp, isNumber := payload["exp"].(float64)
	if header["typ"] != "JWT" || header["alg"] != "RS256" || payload["jti"] == nil || payload["iss"] == nil || !isNumber {
		return fmt.Errorf("token information is not understood: %v", in)
	}
	s.userID, _ = payload["sub"].(string)
	s.expires = time.UnixMilli(int64(exp))
	s.accounts, err = s.list()
	return err
}

// list fetches the user's accounts.
func (s *sdk) list() (names []string, err error) {
	in, err := s.call(200, "GET", "/users/"+s.userID, "", true)
	accounts, is := in["accounts"].(map[string]any)
	if err == nil && (in["id"] != s.userID || !is) {
		err = fmt.Errorf("a user is not understood: %v", in)
	}
	for _, v := range accounts {
		a, _ := v.(map[string]any)
		names = append(names, fmt.Sprint(a["name"], " ", a["role"]))
	}
	return names, err
}

func TestOISP(t *testing.T) {
	c := &sdk{wire: &client{t: t, base: start(t, "-generation", "b", "-user", newcomer)}}
	if err := c.connect(); err != nil {
		t.Fatal(err)
	}
	if err := c.auth("newcomer@example.com", "wrong"); fmt.Sprint(err) != "HTTP 401, code 401" {
		t.Errorf("wrong password: %v", err)
	}
	if err := c.auth("newcomer@example.com", "secret-of-newcomer"); err != nil || len(c.accounts) != 0 || time.Until(c.expires) < 23*time.Hour {
		t.Fatalf("%v: %+v", err, c)
	}
	created, err := c.call(201, "POST", "/accounts", `{"name": "test_account"}`, true)
	if err != nil || created["name"] != "test_account" || created["id"] == nil {
		t.Fatalf("%v: %v", created, err)
	}
	if _, err := c.call(200, "GET", fmt.Sprint("/accounts/", created["id"]), "", true); fmt.Sprint(err) != "HTTP 403, code 403" {
		t.Errorf("before it has a new token: %v", err)
	}
	if err := c.auth("newcomer@example.com", "secret-of-newcomer"); err != nil || fmt.Sprint(c.accounts) != "[test_account admin]" {
		t.Fatalf("%v: %+v", err, c)
	}
	if _, err := c.call(200, "GET", fmt.Sprint("/accounts/", created["id"]), "", true); err != nil {
		t.Error(err)
	}
	if _, err := c.call(200, "GET", "/users/somebody-else", "", true); fmt.Sprint(err) != "HTTP 403, code 403" {
		t.Errorf("another user: %v", err)
	}
}
