package providers_test

import (
	"testing"
	"time"

	"github.com/oauth2-proxy/mockoidc"

	"github.com/gatehouse-go/gatehouse/examples/providers"
)

func TestMockOIDC(t *testing.T) {
	t.Parallel()
	// A clock that stands still makes what it signs repeatable. It must be set
	// before the server runs.
	now := time.Now()
	mockoidc.NowFunc = func() time.Time { return now }
	m, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Shutdown() })
	c := &client{issuer: m.Issuer(), id: m.ClientID, secret: m.ClientSecret, post: true, redirect: "http://127.0.0.1/callback", scope: "openid email"}

	s := newServer(t, quick(providers.MockOIDC(m.Issuer(), m.ClientID, m.AccessTTL)))
	got := c.login(t)
	s.must(t, "access token", got.Access, 200)
	s.must(t, "ID token", got.ID, 401)
	s.must(t, "refresh token", got.Refresh, 401)
	s.must(t, "access token after a refresh", c.refresh(t, got.Refresh).Access, 200)

	// The price that its row names: without a nonce its ID token is the access token.
	bare := *c
	bare.noNonce, bare.scope = true, "openid"
	same := bare.login(t)
	if same.ID != same.Access {
		t.Errorf("told apart: %s, %s", payload(same.ID), payload(same.Access))
	}

	// It knows one client at a time.
	mine := m.ClientID
	m.ClientID = "another client"
	other := *c
	other.id = m.ClientID
	theirs := other.login(t)
	m.ClientID = mine
	s.must(t, "another client's access token", theirs.Access, 401)

	// Keys are exchanged, not added.
	m.Keypair, err = mockoidc.RandomKeypair(2048)
	if err != nil {
		t.Fatal(err)
	}
	next := c.login(t)
	s.must(t, "new key", next.Access, 200)
	s.must(t, "withdrawn key", got.Access, 401)
}
