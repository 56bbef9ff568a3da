//go:build suspended

package issuer_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
)

// TestSuspended: a session that was revoked while the machine slept is not remembered as
// a living one. See .ci/suspended.
func TestSuspended(t *testing.T) {
	store := issuer.NewMemoryStore()
	tokens, live := live(t, issuer.Config[account]{AccessLife: 2 * time.Hour, Store: store}, store, time.Minute)
	pair, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := live.Verify(t.Context(), pair.AccessToken); err != nil {
		t.Fatal(err)
	}
	if err := tokens.Revoke(t.Context(), pair.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if _, err := live.Verify(t.Context(), pair.AccessToken); err != nil {
		t.Fatal("it is not remembered for a minute: ", err)
	}
	time.SetWallAhead(time.Hour)
	defer time.SetWallAhead(0)
	if _, err := live.Verify(t.Context(), pair.AccessToken); !errors.Is(err, claims.ErrInvalid) {
		t.Errorf("after an hour of sleep: %v", err)
	}
}
