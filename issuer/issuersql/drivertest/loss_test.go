package drivertest

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuerredis"
)

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// TestLoss shows what a Redis loses that forgets its last writes, and what not:
// no token works twice at once, and whoever lost something only has to log in.
func TestLoss(t *testing.T) {
	t.Parallel()
	t.Run("RF-30 everysec, power failure", func(t *testing.T) {
		t.Parallel() // the file as it was a moment ago is what was on the disk
		p := newRedis(t, everysec...)
		forgets(t, p, func() func() {
			log := appendOnlyFile(t, p)
			size := len(read(t, log))
			return func() {
				if err := os.Truncate(log, int64(size)); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
	t.Run("RF-30 defaults, kill -9", func(t *testing.T) {
		t.Parallel() // what there is are snapshots, here one by hand
		p := newRedis(t)
		forgets(t, p, func() func() {
			c := redis.NewClient(&redis.Options{Addr: p.address()})
			defer c.Close()
			if err := c.Save(context.Background()).Err(); err != nil {
				t.Fatal(err)
			}
			return func() {}
		})
	})
}

// appendOnlyFile is the part of the file that grows.
func appendOnlyFile(t *testing.T, p *process) string {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(p.dir, "appendonlydir", "*.incr.aof"))
	if len(found) == 0 { // before Redis 7
		found = []string{filepath.Join(p.dir, "appendonly.aof")}
	}
	return slices.Max(found)
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// forgets makes three sessions, of which the server then forgets: nothing; the
// last refresh; everything. saved marks what it will still know, and returns how
// to make it so after the server was killed.
func forgets(t *testing.T, p *process, saved func() (lose func())) {
	node := local{newNode(t, openRedis(t, p.address(), issuerredis.Config{}), 0, secret)}
	must := func(token string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	whole := must(node.issue(t.Context()))
	spent, stolen := must(node.issue(t.Context())), must(node.issue(t.Context()))
	lose := saved()
	current, thiefs := must(node.refresh(t.Context(), spent)), stolen
	theirs := must(node.refresh(t.Context(), stolen))
	gone := must(node.issue(t.Context()))
	p.kill()
	lose()
	startRedis(t, p)

	must(node.refresh(t.Context(), whole))
	for _, row := range []struct {
		name, token string
	}{
		{"a session that was forgotten", gone},
		{"a refresh that was forgotten", current},
		{"the token before, after that", spent},
	} {
		if _, err := node.refresh(t.Context(), row.token); !errors.Is(err, issuer.ErrGrant) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	// The price: until the client comes, the token that was spent works again.
	// Whoever has it and the client never both go on.
	again := must(node.refresh(t.Context(), thiefs))
	_, client := node.refresh(t.Context(), theirs)
	_, thief := node.refresh(t.Context(), again)
	if client == nil && thief == nil {
		t.Error("two go on with one session")
	}
}
