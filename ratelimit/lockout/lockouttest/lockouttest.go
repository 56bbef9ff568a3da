// Package lockouttest proves that a [lockout.Store] keeps its contract: semantics,
// expiry, atomicity under a thousand parallel callers, and what a lockout makes of
// its faults.
package lockouttest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

// Run tests the stores that open makes. Each must be empty, or new to the names that
// it is asked for, and may be closed by a Cleanup.
//
// advance moves the store's clock. It is time.Sleep for a clock that can't be set;
// then a run takes some ten seconds. Nil is for stores in memory, which read the
// time of this process: they are tested in a bubble of testing/synctest, exactly and
// without waiting.
func Run(t *testing.T, open func(testing.TB) lockout.Store, advance func(time.Duration)) {
	for _, p := range proofs {
		t.Run(p.name, func(t *testing.T) {
			if advance == nil {
				synctest.Test(t, func(t *testing.T) { p.prove(&kit{t, open(t), time.Sleep}) })
				return
			}
			p.prove(&kit{t, open(t), advance})
		})
	}
}

type proof struct {
	name  string
	prove func(*kit)
}

var proofs = []proof{
	{"Apply/charges up to the tries", (*kit).charges},
	{"Apply/name and key are apart", (*kit).names},
	{"Apply/all bits of a receipt count", (*kit).receipts},
	{"Apply/a blocked key is not charged", (*kit).blocked},
	{"Apply/charges expire after the window", (*kit).window},
	{"Apply/a block ends and forgets all", (*kit).blockEnds},
	{"Apply/refund takes back its own charge", (*kit).refund},
	{"Apply/a charge is made once", (*kit).once},
	{"Apply/clear", (*kit).clear},
	{"Apply/fewer tries than charges", (*kit).fewerTries},
	{"Apply/1000 in parallel", (*kit).parallel},
	{"Lockout/1000 parallel guesses with latency", (*kit).lockoutParallel},
	{"Lockout/faults", (*kit).lockoutFaults},
}

// kit is one proof under way. Times are coarse enough for a store with a real
// clock on a slow machine.
type kit struct {
	*testing.T
	store   lockout.Store
	advance func(time.Duration)
}

const (
	callers = 1000
	block   = 2 * time.Second
	slack   = 500 * time.Millisecond
)

// awkward are keys that must stay apart.
var awkward = []string{"a", "b", "a:b", "a|b", "{a}", "*", "a\n", " ", "\x00", "\xff\xfe", "ä", strings.Repeat("x", 127), strings.Repeat("x", 128)}

// Names joined to one: "p-b" and "a" is not "p" and "b-a". A name has no more
// characters than letters, digits and these, a key has all.
var (
	names  = []string{"a", "p", "pb", "p-b", "p.b", "p_b"}
	joined = []string{"ba", "b-a", "b.a", "b_a", "-b-a", ".b.a", "_b_a"}
)

// inParallel counts how many of the callers get true.
func inParallel(f func(i int) bool) int {
	var wg sync.WaitGroup
	var count atomic.Int64
	for i := range callers {
		wg.Go(func() {
			if f(i) {
				count.Add(1)
			}
		})
	}
	wg.Wait()
	return int(count.Load())
}

func entry(key string, op lockout.Op, receipt uint64) lockout.Entry {
	return lockout.Entry{Name: "p", Key: key, Op: op, Receipt: receipt, Tries: 3, Window: block, Block: block}
}

// apply applies an entry and compares: charges exactly, wait for its sign.
func (k *kit) apply(e lockout.Entry, charges int, blocked bool) {
	k.Helper()
	n, wait, err := k.store.Apply(context.Background(), e)
	if err != nil {
		k.Fatalf("Apply: %v", err)
	}
	if n != charges || (wait > 0) != blocked || wait < 0 || wait > e.Block {
		k.Errorf("op %d: %d charges, wait %v; want %d, blocked %v", e.Op, n, wait, charges, blocked)
	}
}

func (k *kit) charges() {
	k.apply(entry("k", lockout.OpPeek, 0), 0, false)
	k.apply(entry("k", lockout.OpCharge, 1), 1, false)
	k.apply(entry("k", lockout.OpCharge, 1<<64-1), 2, false)
	k.apply(entry("k", lockout.OpPeek, 0), 2, false)
	k.apply(entry("k", lockout.OpCharge, 3), 3, false)
	k.apply(entry("k", lockout.OpPeek, 0), 3, true)
	for _, key := range awkward {
		k.apply(entry(key, lockout.OpCharge, 1), 1, false)
	}
}

func (k *kit) names() {
	for _, name := range names {
		for _, key := range slices.Concat([]string{"a"}, joined) {
			e := entry(key, lockout.OpCharge, 1)
			e.Name, e.Tries, e.Window, e.Block = name, 2, time.Hour, time.Hour
			k.apply(e, 1, false)
			e.Receipt = 2
			k.apply(e, 2, false)
			e.Receipt = 3
			k.apply(e, 2, true)
		}
	}
}

// receipts charges under 0 and what differs from it in one bit each, and takes
// the charges back one by one.
func (k *kit) receipts() {
	step := func(op lockout.Op, bit int) lockout.Entry {
		e := entry("k", op, 0)
		if bit > 0 {
			e.Receipt = 1 << (bit - 1)
		}
		e.Tries, e.Window, e.Block = 100, time.Hour, time.Hour
		return e
	}
	for bit := range 65 {
		k.apply(step(lockout.OpCharge, bit), bit+1, false)
	}
	for bit := range 65 {
		k.apply(step(lockout.OpRefund, bit), 64-bit, false)
	}
}

func (k *kit) fill(key string) {
	k.Helper()
	for i := range 3 {
		k.apply(entry(key, lockout.OpCharge, uint64(i+1)), i+1, false)
	}
}

func (k *kit) blocked() {
	k.fill("k")
	k.advance(block / 2)
	for i := range 20 {
		k.apply(entry("k", lockout.OpCharge, uint64(100+i)), 3, true)
	}
	k.advance(block/2 + slack) // had the refused been charged, it would go on
	k.apply(entry("k", lockout.OpCharge, 200), 1, false)
}

func (k *kit) window() {
	k.apply(entry("k", lockout.OpCharge, 1), 1, false)
	k.advance(block / 2)
	k.apply(entry("k", lockout.OpCharge, 2), 2, false)
	k.advance(block/2 + slack/2)
	k.apply(entry("k", lockout.OpPeek, 0), 1, false)
	k.apply(entry("k", lockout.OpCharge, 3), 2, false)
	k.advance(block + slack)
	k.apply(entry("k", lockout.OpPeek, 0), 0, false)
}

func (k *kit) blockEnds() {
	short := func(op lockout.Op, receipt uint64) lockout.Entry {
		e := entry("k", op, receipt)
		e.Window = block / 4 // a full log must not lose charges to the window
		return e
	}
	for i := range 3 {
		k.apply(short(lockout.OpCharge, uint64(i+1)), i+1, false)
	}
	k.advance(block / 2)
	k.apply(short(lockout.OpPeek, 0), 3, true)
	k.advance(block/2 + slack)
	k.apply(short(lockout.OpPeek, 0), 0, false)
	k.fill("k")
	k.apply(entry("k", lockout.OpPeek, 0), 3, true)
}

func (k *kit) refund() {
	k.fill("k")
	k.apply(entry("k", lockout.OpRefund, 9), 3, true)
	k.apply(entry("k", lockout.OpRefund, 2), 2, false)
	k.apply(entry("k", lockout.OpRefund, 2), 2, false)
	k.apply(entry("k", lockout.OpCharge, 4), 3, false)
	k.apply(entry("k", lockout.OpPeek, 0), 3, true)
	k.apply(entry("none", lockout.OpRefund, 1), 0, false)
}

func (k *kit) once() {
	for range 5 {
		k.apply(entry("k", lockout.OpCharge, 7), 1, false)
	}
	k.apply(entry("k", lockout.OpCharge, 8), 2, false)
	k.apply(entry("k", lockout.OpCharge, 9), 3, false)
	k.apply(entry("k", lockout.OpCharge, 9), 3, false) // its reply was lost; it is charged, not blocked
	k.apply(entry("k", lockout.OpCharge, 10), 3, true)
}

func (k *kit) clear() {
	k.fill("k")
	k.apply(entry("k", lockout.OpClear, 0), 0, false)
	k.apply(entry("k", lockout.OpRefund, 1), 0, false) // of a charge that is forgotten
	k.apply(entry("k", lockout.OpCharge, 11), 1, false)
	k.apply(entry("k", lockout.OpRefund, 2), 1, false)
	k.apply(entry("none", lockout.OpClear, 0), 0, false)
}

func (k *kit) fewerTries() {
	k.fill("k")
	e := entry("k", lockout.OpCharge, 9)
	e.Tries = 2
	k.apply(e, 3, true)
	e.Tries = 4
	k.apply(e, 4, false)
}

func (k *kit) parallel() {
	got := inParallel(func(i int) bool {
		e := entry("k", lockout.OpCharge, uint64(i+1))
		e.Tries, e.Window, e.Block = 5, time.Hour, time.Hour
		_, wait, err := k.store.Apply(context.Background(), e)
		if err != nil {
			k.Errorf("Apply: %v", err)
		}
		return err == nil && wait == 0
	})
	if got != 5 {
		k.Errorf("%d of %d were charged, tries are 5", got, callers)
	}
}

func (k *kit) open(store lockout.Store) *lockout.Lockout {
	k.Helper()
	// A thousand at once take longer than the default timeout on a slow machine, and how
	// long is not what is proven.
	l, err := lockout.New(lockout.Config{Name: "lockout", Store: store, Timeout: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		k.Fatal(err)
	}
	return l
}

func (k *kit) lockoutParallel() {
	l := k.open(&Faults{Store: k.store, Latency: 5 * time.Millisecond})
	var looks, told atomic.Int64
	blocked := inParallel(func(int) bool {
		o, err := l.Attempt(context.Background(), "k", func(context.Context) (bool, error) {
			looks.Add(1)
			time.Sleep(time.Millisecond)
			return false, nil
		})
		if o.Blocked > 0 {
			told.Add(1)
		}
		if o.Right || err != nil && !errors.Is(err, lockout.ErrBlocked) {
			k.Errorf("Attempt: %+v, %v", o, err)
		}
		return err != nil
	})
	if looks.Load() != 5 || blocked != callers-5 || told.Load() != 1 {
		k.Errorf("%d looks, %d blocked, the block told %d times; want 5, %d and once", looks.Load(), blocked, told.Load(), callers-5)
	}
}

func always(int) bool { return true }

func (k *kit) lockoutFaults() {
	for name, f := range map[string]*Faults{
		"failed": {Store: k.store, Before: always},
		"lost":   {Store: k.store, After: always},
	} {
		o, err := k.open(f).Attempt(context.Background(), name, func(context.Context) (bool, error) {
			k.Errorf("%s: looked at a guess that was not known to be paid for", name)
			return true, nil
		})
		if o != (lockout.Outcome{}) || !errors.Is(err, ErrFault) || errors.Is(err, lockout.ErrBlocked) {
			k.Errorf("%s: %+v, %v", name, o, err)
		}
	}
	second := func(call int) bool { return call == 2 }
	f := &Faults{Store: k.store, Before: second}
	if o, err := k.open(f).Attempt(context.Background(), "settle", func(context.Context) (bool, error) { return true, nil }); !o.Right || o.Left != 4 || err != nil {
		k.Errorf("a right guess that could not be settled: %+v, %v", o, err)
	}
	if left, _, err := k.open(k.store).Status(context.Background(), "settle"); left != 4 || err != nil {
		k.Errorf("%d left after a settlement that failed, want 4 (%v)", left, err)
	}
}
