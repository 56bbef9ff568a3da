package lockouttest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout/lockouttest"
)

const variable = "GATEHOUSE_BROKEN_STORE"

// broken is a store with one fault; without, it writes the length of the name
// between that and the key.
type broken struct {
	*lockout.MemoryStore
	fault string
	sent  atomic.Uint64
}

func peek(e lockout.Entry) lockout.Entry {
	e.Op = lockout.OpPeek
	return e
}

func (b *broken) join(name, key string) string {
	if sep, ok := strings.CutPrefix(b.fault, "name and key are joined by "); ok {
		return name + strings.Trim(sep, `"`) + key
	}
	return string(rune(len(name))) + name + key
}

func (b *broken) Apply(ctx context.Context, e lockout.Entry) (int, time.Duration, error) {
	e.Name, e.Key = "all", b.join(e.Name, e.Key)
	switch b.fault {
	case "receipts have 16 bits":
		e.Receipt &= 1<<16 - 1
	case "receipts have 63 bits":
		e.Receipt &= 1<<63 - 1
	case "receipts are folded":
		e.Receipt = e.Receipt>>32 ^ e.Receipt&(1<<32-1)
	case "a charge that is sent again is made again":
		e.Receipt ^= b.sent.Add(1) << 32
	case "a refund takes back all charges":
		if e.Op == lockout.OpRefund {
			e.Op = lockout.OpClear
		}
	case "clearing a block does nothing":
		if n, wait, err := b.MemoryStore.Apply(ctx, peek(e)); e.Op == lockout.OpClear && wait > 0 {
			return n, wait, err
		}
	case "the window counts while the key is blocked":
		e.Block = e.Window
	}
	return b.MemoryStore.Apply(ctx, e)
}

// TestBroken is run by TestBrokenStoresAreFound.
func TestBroken(t *testing.T) {
	fault, set := os.LookupEnv(variable)
	if !set {
		t.Skip("run by TestBrokenStoresAreFound")
	}
	open := func(testing.TB) lockout.Store { return &broken{MemoryStore: lockout.NewMemoryStore(0), fault: fault} }
	lockouttest.Run(t, open, nil)
}

// TestBrokenStoresAreFound runs the kit against stores that each have one fault,
// and against the same store without any.
func TestBrokenStoresAreFound(t *testing.T) {
	for _, fault := range []string{
		"", `name and key are joined by ""`, `name and key are joined by "-"`, `name and key are joined by "."`, `name and key are joined by "_"`,
		"receipts have 16 bits", "receipts have 63 bits", "receipts are folded",
		"a charge that is sent again is made again", "a refund takes back all charges", "clearing a block does nothing",
		"the window counts while the key is blocked",
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$", "-test.count=1")
		cmd.Env = append(os.Environ(), variable+"="+fault)
		out, err := cmd.CombinedOutput()
		if found := strings.Contains(string(out), "--- FAIL: TestBroken/"); found != (fault != "") || found && err == nil {
			t.Errorf("fault %q: found is %v\n%s", fault, found, out)
		}
	}
}
