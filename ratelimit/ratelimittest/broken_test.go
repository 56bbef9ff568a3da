package ratelimittest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimittest"
)

const variable = "GATEHOUSE_BROKEN_STORE"

// broken is a store with one fault; without, it writes the length of the policy
// between that and the key.
type broken struct {
	*ratelimit.MemoryStore
	fault string
}

func (b *broken) join(policy, key string) string {
	if sep, ok := strings.CutPrefix(b.fault, "policy and key are joined by "); ok {
		return policy + strings.Trim(sep, `"`) + key
	}
	return string(rune(len(policy))) + policy + key
}

func (b *broken) Take(ctx context.Context, cells []ratelimit.Cell) (bool, error) {
	mine := append([]ratelimit.Cell(nil), cells...)
	for i, c := range cells {
		mine[i].Policy, mine[i].Key = "all", b.join(c.Policy, c.Key)
	}
	ok, err := b.MemoryStore.Take(ctx, mine)
	for i := range mine {
		cells[i].Debt = mine[i].Debt
	}
	return ok, err
}

// TestBroken is run by TestBrokenStoresAreFound.
func TestBroken(t *testing.T) {
	fault, set := os.LookupEnv(variable)
	if !set {
		t.Skip("run by TestBrokenStoresAreFound")
	}
	open := func(testing.TB) ratelimit.Store { return &broken{ratelimit.NewMemoryStore(0), fault} }
	ratelimittest.Run(t, open, nil)
}

// TestBrokenStoresAreFound runs the kit against stores that each have one fault,
// and against the same store without any.
func TestBrokenStoresAreFound(t *testing.T) {
	for _, fault := range []string{
		"", `policy and key are joined by ""`, `policy and key are joined by "-"`, `policy and key are joined by "."`, `policy and key are joined by "_"`,
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$", "-test.count=1")
		cmd.Env = append(os.Environ(), variable+"="+fault)
		out, err := cmd.CombinedOutput()
		if found := strings.Contains(string(out), "--- FAIL: TestBroken/"); found != (fault != "") || found && err == nil {
			t.Errorf("fault %q: found is %v\n%s", fault, found, out)
		}
	}
}
