package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// coreClient does on the wire what core-client-go does. It asks who is there,
// logs in by the first method of the list that it knows, and no other; when a
// call is refused it refreshes, and if that fails logs in again, by the list that
// it got after its login.
type coreClient struct {
	*client
	username, password, tenantToken string

	auths []string
}

var (
	errNoMethod = errors.New("no credentials for the first method")
	errRefused  = errors.New("refused")
)

// about asks who is there. A server that knows the caller tells its id.
func (c *coreClient) about() (known bool, err error) {
	r := c.get("/api", c.access)
	var says struct {
		App, ID string
		Auths   []string
		Version struct{ Number string }
	}
	if err := json.Unmarshal([]byte(r.body), &says); r.status != 200 || err != nil || says.App != "datarhei-core" || !strings.HasPrefix(says.Version.Number, "16.") {
		return false, errors.Join(errRefused, err)
	}
	c.auths = says.Auths
	return says.ID != "", nil
}

func (c *coreClient) get(path, token string) reply {
	c.t.Helper()
	fields := http.Header{}
	if token != "" {
		fields.Set("Authorization", "Bearer "+token)
	}
	return c.send("GET", path, "", fields)
}

func (c *coreClient) connect() error {
	known, err := c.about()
	if err != nil || known {
		return err
	}
	return c.enter()
}

func (c *coreClient) enter() error {
	i := slices.IndexFunc(c.auths, func(method string) bool { return method == "localjwt" || strings.HasPrefix(method, "auth0 ") })
	if i < 0 {
		return errNoMethod
	}
	fields := http.Header{"Content-Type": {"application/json"}}
	username, password := "", "" // it sends a body either way
	switch local := c.auths[i] == "localjwt"; {
	case !local && c.tenantToken != "":
		fields.Set("Authorization", "Bearer "+c.tenantToken)
	case local && c.username != "":
		username, password = c.username, c.password
	default:
		return errNoMethod
	}
	body, _ := json.Marshal(map[string]string{"username": username, "password": password})
	r := c.send("POST", "/api/login", string(body), fields)
	if r.status != 200 {
		return errRefused
	}
	c.take(r)
	if known, err := c.about(); err != nil || !known {
		return errors.Join(errRefused, err)
	}
	return nil
}

// call gets the log, and says how often it had to refresh and to log in.
func (c *coreClient) call() (refreshed, entered bool, err error) {
	r := c.get("/api/v3/log?format=raw", c.access)
	if r.status == 401 {
		if fresh := c.get("/api/login/refresh", c.refresh); fresh.status == 200 {
			c.take(fresh)
			refreshed = true
		} else if err := c.enter(); err != nil {
			return false, false, err
		} else {
			entered = true
		}
		r = c.get("/api/v3/log?format=raw", c.access)
	}
	if r.status != 200 || !json.Valid([]byte(r.body)) {
		return refreshed, entered, errRefused
	}
	return refreshed, entered, nil
}

var tenantKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// coreWithTenant is a server that knows a tenant, and a token of the tenant for a
// week, with this type.
func coreWithTenant(t *testing.T, firstAuth, typ string) (Config, string) {
	t.Helper()
	key, err := claims.NewKey("RS256", "one", &tenantKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := claims.NewKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	says, err := json.Marshal(map[string]any{
		"iss": "https://tenant.example/", "sub": "auth0|bob", "aud": []string{"https://core.example/", "https://tenant.example/userinfo"},
		"iat": now.Unix(), "exp": now.Add(7 * 24 * time.Hour).Unix(), "jti": "1", "client_id": "abc", "scope": "openid",
	})
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Username: "admin", Password: "datarhei", FirstAuth: firstAuth,
		Auth0: Tenant{Issuer: "https://tenant.example/", Audience: "https://core.example/", ClientID: "abc", Users: []string{"auth0|bob"}, Keys: keys},
	}, typed(typ, tenantKey(), string(says))
}

// TestCoreClient comes in by either method, whichever is named first, and stays
// in when its tokens expire. By chance a client may have to ask again.
func TestCoreClient(t *testing.T) {
	for _, order := range []string{"", localJWT, auth0} {
		for way, typ := range map[string]string{"password": "", "Auth0": `"typ":"JWT",`, "Auth0, RFC 9068": `"typ":"at+jwt",`} {
			t.Run("first "+order+", by "+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					config, token := coreWithTenant(t, order, typ)
					config.AuthLimit = 1000
					c := &coreClient{client: mounted(t, config)}
					first := auth0
					if way == "password" {
						c.username, c.password, first = "admin", "datarhei", localJWT
					} else {
						c.tenantToken = token
					}
					err := c.connect()
					if order != "" && order != first {
						if !errors.Is(err, errNoMethod) {
							t.Errorf("reads beyond the first method: %v", err)
						}
						return
					}
					for tries := 0; order == "" && errors.Is(err, errNoMethod) && tries < 256; tries++ {
						err = c.connect()
					}
					if err != nil {
						t.Fatalf("connect: %v", err)
					}
					for _, row := range []struct {
						after              time.Duration
						refreshed, entered bool
					}{
						{0, false, false}, {11 * time.Minute, true, false}, {time.Minute, false, false}, {25 * time.Hour, false, true}, {11 * time.Minute, true, false}, {25 * time.Hour, false, true},
					} {
						time.Sleep(row.after)
						if refreshed, entered, err := c.call(); err != nil || refreshed != row.refreshed || entered != row.entered {
							t.Errorf("%v later: refreshed %v, logged in again %v, %v", row.after, refreshed, entered, err)
						}
					}
				})
			})
		}
	}
}

// TestOrderOfAuths reads both orders, as strangers do, and one as a caller.
func TestOrderOfAuths(t *testing.T) {
	config, token := coreWithTenant(t, "", `"typ":"JWT",`)
	c := &coreClient{client: mounted(t, config)}
	seen := map[string]bool{}
	for tries := 0; len(seen) < 2 && tries < 256; tries++ {
		if _, err := c.about(); err != nil || len(c.auths) != 2 {
			t.Fatal(err, c.auths)
		}
		seen[c.auths[0]] = true
	}
	if !seen[localJWT] || len(seen) != 2 {
		t.Errorf("only %v", seen)
	}
	for first, login := range map[string]func() reply{
		localJWT: func() reply { return c.login("admin", "datarhei") },
		"auth0 domain=tenant.example audience=https://core.example/ clientid=abc": func() reply {
			c.access = token
			return c.do("POST", "/api/login", "")
		},
	} {
		c.take(login())
		for range 32 {
			if _, err := c.about(); err != nil || c.auths[0] != first || len(c.auths) != 2 {
				t.Fatalf("after a login by %s: %v %v", first, err, c.auths)
			}
		}
	}
}
