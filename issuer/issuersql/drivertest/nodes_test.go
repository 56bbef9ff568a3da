package drivertest

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// secret signs the tokens of a deployment.
const secret = "a secret of thirty-two bytes ..."

type tokens = issuer.Issuer[struct{}]

// newNode returns an issuer of a deployment, one of any number.
func newNode(t testing.TB, store issuer.Store, grace time.Duration, secret string) *tokens {
	t.Helper()
	key, err := signing.NewSecret("HS256", "", []byte(secret), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := signing.NewSchedule(key)
	if err != nil {
		t.Fatal(err)
	}
	node, err := issuer.New(issuer.Config[struct{}]{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: keys, Store: store, Grace: grace,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// gate is a machine as its clients see it.
type gate interface {
	issue(ctx context.Context) (token string, err error)
	// refresh returns an error that matches issuer.ErrGrant if the token is refused.
	refresh(ctx context.Context, token string) (string, error)
}

// local is a machine in this process.
type local struct{ node *tokens }

func (l local) issue(ctx context.Context) (string, error) {
	pair, err := l.node.Issue(ctx, claims.Claims[struct{}]{Subject: "alice"})
	return pair.RefreshToken, err
}

func (l local) refresh(ctx context.Context, token string) (string, error) {
	pair, err := l.node.Refresh(ctx, token)
	return pair.RefreshToken, err
}
