// Package ratelimittest proves that a [ratelimit.Store] keeps its contract:
// semantics, expiry, atomicity under a thousand parallel callers, and what a
// limit and a lockout make of its faults.
package ratelimittest

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

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// Run tests the stores that open makes; each must be empty or new to the
// policies that it is asked for, and may be closed by a Cleanup.
//
// Time is moved by advance, the store's clock that is: time.Sleep if it can't
// be set, then a run takes some ten seconds. Nil is for stores in memory, which
// read the time of this process: they are tested in a bubble of
// testing/synctest, exactly and without waiting.
func Run(t *testing.T, open func(testing.TB) ratelimit.Store, advance func(time.Duration)) {
	run(t, open, advance, proofs)
}

// RunLockout is Run for stores that keep lockouts only, such as one over a
// database: whose Take always fails.
func RunLockout(t *testing.T, open func(testing.TB) ratelimit.Store, advance func(time.Duration)) {
	var some []proof
	for _, p := range proofs {
		if p.logs {
			some = append(some, p)
		}
	}
	run(t, open, advance, some)
}

func run(t *testing.T, open func(testing.TB) ratelimit.Store, advance func(time.Duration), proofs []proof) {
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
	logs  bool // needs no Take
}

var proofs = []proof{
	{"Take/spends the burst and no more", (*kit).takeBurst, false},
	{"Take/debt melts", (*kit).takeMelts, false},
	{"Take/all or nothing", (*kit).takeAllOrNothing, false},
	{"Take/policy and key are apart", (*kit).takeApart, false},
	{"Take/1000 in parallel", (*kit).takeParallel, false},
	{"Take/several cells in parallel, in any order", (*kit).takeCrossing, false},
	{"Log/charges up to the tries", (*kit).logCharges, true},
	{"Log/policy and key are apart", (*kit).logPolicies, true},
	{"Log/all bits of a receipt count", (*kit).logReceipts, true},
	{"Log/a blocked key is not charged", (*kit).logBlocked, true},
	{"Log/charges expire after the window", (*kit).logWindow, true},
	{"Log/a block ends and forgets all", (*kit).logBlockEnds, true},
	{"Log/refund takes back its own charge", (*kit).logRefund, true},
	{"Log/a charge is made once", (*kit).logOnce, true},
	{"Log/clear", (*kit).logClear, true},
	{"Log/fewer tries than charges", (*kit).logFewerTries, true},
	{"Log/apart from cells", (*kit).logApart, false},
	{"Log/1000 in parallel", (*kit).logParallel, true},
	{"Lockout/1000 parallel guesses with latency", (*kit).lockoutParallel, true},
	{"Lockout/faults", (*kit).lockoutFaults, true},
	{"Limiter/faults", (*kit).limiterFaults, false},
}

// kit is one proof under way. Times are coarse enough for a store with a real
// clock on a slow machine.
type kit struct {
	*testing.T
	store   ratelimit.Store
	advance func(time.Duration)
}

const (
	callers  = 1000
	interval = time.Second
	block    = 2 * time.Second
	slack    = 500 * time.Millisecond
)

// awkward are keys that must stay apart.
var awkward = []string{"a", "b", "a:b", "a|b", "{a}", "*", "a\n", " ", "\x00", "\xff\xfe", "ä", strings.Repeat("x", 127), strings.Repeat("x", 128)}

// Names joined to one: "p-b" and "a" is not "p" and "b-a". A name has no more
// characters than letters, digits and these, a key has all.
var (
	policies = []string{"a", "p", "pb", "p-b", "p.b", "p_b"}
	joined   = []string{"ba", "b-a", "b.a", "b_a", "-b-a", ".b.a", "_b_a"}
)

func cell(policy, key string, cost, burst int) ratelimit.Cell {
	return ratelimit.Cell{Policy: policy, Key: key, Cost: time.Duration(cost) * interval, Interval: interval, Tolerance: time.Duration(burst) * interval}
}

func (k *kit) take(cells ...ratelimit.Cell) (bool, []ratelimit.Cell) {
	k.Helper()
	ok, err := k.store.Take(context.Background(), cells)
	if err != nil {
		k.Fatalf("Take: %v", err)
	}
	return ok, cells
}

// wantDebt allows for what a real clock has melted meanwhile.
func (k *kit) wantDebt(c ratelimit.Cell, want time.Duration) {
	k.Helper()
	if c.Debt > want || c.Debt < want-slack {
		k.Errorf("debt of %s/%.10q is %v, want %v", c.Policy, c.Key, c.Debt, want)
	}
}

func (k *kit) takeBurst() {
	for n := range 5 {
		ok, cells := k.take(cell("p", "burst", 1, 5))
		if !ok {
			k.Fatalf("token %d of 5 refused", n+1)
		}
		k.wantDebt(cells[0], time.Duration(n+1)*interval)
	}
	ok, cells := k.take(cell("p", "burst", 1, 5))
	if ok {
		k.Error("a sixth of 5 granted")
	}
	k.wantDebt(cells[0], 5*interval)
	if ok, cells := k.take(cell("p", "cost", 4, 5)); !ok {
		k.Error("cost of 4 refused by a full bucket of 5")
	} else {
		k.wantDebt(cells[0], 4*interval)
	}
	if ok, cells := k.take(cell("p", "cost", 2, 5)); ok {
		k.Error("cost of 2 granted where 1 was left")
	} else {
		k.wantDebt(cells[0], 4*interval)
	}
	if ok, _ := k.take(cell("p", "cost", 1, 5)); !ok {
		k.Error("the last one refused")
	}
}

func (k *kit) takeMelts() {
	k.take(cell("p", "k", 3, 3))
	k.advance(interval / 2)
	if ok, _ := k.take(cell("p", "k", 1, 3)); ok {
		k.Error("granted after half an interval")
	}
	k.advance(interval / 2)
	if ok, _ := k.take(cell("p", "k", 1, 3)); !ok {
		k.Error("refused after an interval")
	}
	k.advance(3*interval + slack)
	ok, cells := k.take(cell("p", "k", 3, 3))
	if !ok {
		k.Error("a bucket that was left alone is not full")
	}
	k.wantDebt(cells[0], 3*interval)
}

func (k *kit) takeAllOrNothing() {
	k.take(cell("strict", "k", 1, 1))
	ok, cells := k.take(cell("wide", "k", 1, 5), cell("strict", "k", 1, 1), cell("other", "k", 2, 5))
	if ok {
		k.Fatal("granted though one cell was exhausted")
	}
	k.wantDebt(cells[0], 0)
	k.wantDebt(cells[1], interval)
	k.wantDebt(cells[2], 0)
	ok, cells = k.take(cell("wide", "k", 5, 5), cell("other", "k", 5, 5))
	if !ok {
		k.Error("a refused Take has charged")
	}
	k.wantDebt(cells[0], 5*interval)
	k.wantDebt(cells[1], 5*interval)
}

func (k *kit) takeApart() {
	for _, policy := range policies {
		for _, key := range slices.Concat(awkward, joined) {
			if ok, _ := k.take(cell(policy, key, 1, 1)); !ok {
				k.Errorf("%s/%.10q was charged for another", policy, key)
			}
			if ok, _ := k.take(cell(policy, key, 1, 1)); ok {
				k.Errorf("%s/%.10q is not counted", policy, key)
			}
		}
	}
}

// parallel counts how many of the callers get true.
func parallel(f func(i int) bool) int {
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

// slow is a cell whose debt does not melt while a proof runs.
func slow(policy, key string, burst int) ratelimit.Cell {
	return ratelimit.Cell{Policy: policy, Key: key, Cost: time.Hour, Interval: time.Hour, Tolerance: time.Duration(burst) * time.Hour}
}

func (k *kit) takeParallel() {
	got := parallel(func(int) bool {
		ok, err := k.store.Take(context.Background(), []ratelimit.Cell{slow("p", "k", 100)})
		if err != nil {
			k.Errorf("Take: %v", err)
		}
		return ok
	})
	if got != 100 {
		k.Errorf("%d of %d were granted a burst of 100", got, callers)
	}
}

func (k *kit) takeCrossing() {
	pair := [2]ratelimit.Cell{slow("p", "a", 100), slow("p", "b", 50)}
	got := parallel(func(i int) bool {
		ok, err := k.store.Take(context.Background(), []ratelimit.Cell{pair[i%2], pair[1-i%2]})
		if err != nil {
			k.Errorf("Take: %v", err)
		}
		return ok
	})
	if got != 50 {
		k.Errorf("%d of %d were granted where the smaller burst is 50", got, callers)
	}
	left := pair[0]
	left.Cost = 50 * time.Hour
	if ok, _ := k.take(left); !ok {
		k.Error("the larger burst was charged for what the smaller refused")
	}
}

func entry(key string, op ratelimit.Op, receipt uint64) ratelimit.Entry {
	return ratelimit.Entry{Policy: "p", Key: key, Op: op, Receipt: receipt, Tries: 3, Window: block, Block: block}
}

// log applies an entry and compares: charges exactly, wait for its sign.
func (k *kit) log(e ratelimit.Entry, charges int, blocked bool) {
	k.Helper()
	n, wait, err := k.store.Log(context.Background(), e)
	if err != nil {
		k.Fatalf("Log: %v", err)
	}
	if n != charges || (wait > 0) != blocked || wait < 0 || wait > e.Block {
		k.Errorf("op %d: %d charges, wait %v; want %d, blocked %v", e.Op, n, wait, charges, blocked)
	}
}

func (k *kit) logCharges() {
	k.log(entry("k", ratelimit.OpPeek, 0), 0, false)
	k.log(entry("k", ratelimit.OpCharge, 1), 1, false)
	k.log(entry("k", ratelimit.OpCharge, 1<<64-1), 2, false)
	k.log(entry("k", ratelimit.OpPeek, 0), 2, false)
	k.log(entry("k", ratelimit.OpCharge, 3), 3, false)
	k.log(entry("k", ratelimit.OpPeek, 0), 3, true)
	for _, key := range awkward {
		k.log(entry(key, ratelimit.OpCharge, 1), 1, false)
	}
}

func (k *kit) logPolicies() {
	for _, policy := range policies {
		for _, key := range slices.Concat([]string{"a"}, joined) {
			e := entry(key, ratelimit.OpCharge, 1)
			e.Policy, e.Tries, e.Window, e.Block = policy, 2, time.Hour, time.Hour
			k.log(e, 1, false)
			e.Receipt = 2
			k.log(e, 2, false)
			e.Receipt = 3
			k.log(e, 2, true)
		}
	}
}

// logReceipts charges under 0 and what differs from it in one bit each, and takes
// the charges back one by one.
func (k *kit) logReceipts() {
	step := func(op ratelimit.Op, bit int) ratelimit.Entry {
		e := entry("k", op, 0)
		if bit > 0 {
			e.Receipt = 1 << (bit - 1)
		}
		e.Tries, e.Window, e.Block = 100, time.Hour, time.Hour
		return e
	}
	for bit := range 65 {
		k.log(step(ratelimit.OpCharge, bit), bit+1, false)
	}
	for bit := range 65 {
		k.log(step(ratelimit.OpRefund, bit), 64-bit, false)
	}
}

func (k *kit) fill(key string) {
	k.Helper()
	for i := range 3 {
		k.log(entry(key, ratelimit.OpCharge, uint64(i+1)), i+1, false)
	}
}

func (k *kit) logBlocked() {
	k.fill("k")
	k.advance(block / 2)
	for i := range 20 {
		k.log(entry("k", ratelimit.OpCharge, uint64(100+i)), 3, true)
	}
	k.advance(block/2 + slack) // had the refused been charged, it would go on
	k.log(entry("k", ratelimit.OpCharge, 200), 1, false)
}

func (k *kit) logWindow() {
	k.log(entry("k", ratelimit.OpCharge, 1), 1, false)
	k.advance(block / 2)
	k.log(entry("k", ratelimit.OpCharge, 2), 2, false)
	k.advance(block/2 + slack/2)
	k.log(entry("k", ratelimit.OpPeek, 0), 1, false)
	k.log(entry("k", ratelimit.OpCharge, 3), 2, false)
	k.advance(block + slack)
	k.log(entry("k", ratelimit.OpPeek, 0), 0, false)
}

func (k *kit) logBlockEnds() {
	short := func(op ratelimit.Op, receipt uint64) ratelimit.Entry {
		e := entry("k", op, receipt)
		e.Window = block / 4 // a full log must not lose charges to the window
		return e
	}
	for i := range 3 {
		k.log(short(ratelimit.OpCharge, uint64(i+1)), i+1, false)
	}
	k.advance(block / 2)
	k.log(short(ratelimit.OpPeek, 0), 3, true)
	k.advance(block/2 + slack)
	k.log(short(ratelimit.OpPeek, 0), 0, false)
	k.fill("k")
	k.log(entry("k", ratelimit.OpPeek, 0), 3, true)
}

func (k *kit) logRefund() {
	k.fill("k")
	k.log(entry("k", ratelimit.OpRefund, 9), 3, true)
	k.log(entry("k", ratelimit.OpRefund, 2), 2, false)
	k.log(entry("k", ratelimit.OpRefund, 2), 2, false)
	k.log(entry("k", ratelimit.OpCharge, 4), 3, false)
	k.log(entry("k", ratelimit.OpPeek, 0), 3, true)
	k.log(entry("none", ratelimit.OpRefund, 1), 0, false)
}

func (k *kit) logOnce() {
	for range 5 {
		k.log(entry("k", ratelimit.OpCharge, 7), 1, false)
	}
	k.log(entry("k", ratelimit.OpCharge, 8), 2, false)
	k.log(entry("k", ratelimit.OpCharge, 9), 3, false)
	k.log(entry("k", ratelimit.OpCharge, 9), 3, false) // its reply was lost; it is charged, not blocked
	k.log(entry("k", ratelimit.OpCharge, 10), 3, true)
}

func (k *kit) logClear() {
	k.fill("k")
	k.log(entry("k", ratelimit.OpClear, 0), 0, false)
	k.log(entry("k", ratelimit.OpRefund, 1), 0, false) // of a charge that is forgotten
	k.log(entry("k", ratelimit.OpCharge, 11), 1, false)
	k.log(entry("k", ratelimit.OpRefund, 2), 1, false)
	k.log(entry("none", ratelimit.OpClear, 0), 0, false)
}

func (k *kit) logFewerTries() {
	k.fill("k")
	e := entry("k", ratelimit.OpCharge, 9)
	e.Tries = 2
	k.log(e, 3, true)
	e.Tries = 4
	k.log(e, 4, false)
}

func (k *kit) logApart() {
	k.fill("k")
	k.log(entry("k", ratelimit.OpPeek, 0), 3, true)
	other := entry("k", ratelimit.OpPeek, 0)
	other.Policy = "q"
	k.log(other, 0, false)
	if ok, cells := k.take(cell("p", "k", 3, 3)); !ok {
		k.Error("a log has charged a cell")
	} else {
		k.wantDebt(cells[0], 3*interval)
	}
	k.log(entry("k", ratelimit.OpClear, 0), 0, false)
	if ok, _ := k.take(cell("p", "k", 3, 3)); ok {
		k.Error("clearing a log has cleared a cell")
	}
}

func (k *kit) logParallel() {
	got := parallel(func(i int) bool {
		e := entry("k", ratelimit.OpCharge, uint64(i+1))
		e.Tries, e.Window, e.Block = 5, time.Hour, time.Hour
		_, wait, err := k.store.Log(context.Background(), e)
		if err != nil {
			k.Errorf("Log: %v", err)
		}
		return err == nil && wait == 0
	})
	if got != 5 {
		k.Errorf("%d of %d were charged, tries are 5", got, callers)
	}
}

func (k *kit) lockout(store ratelimit.Store) *ratelimit.Lockout {
	k.Helper()
	l, err := ratelimit.NewLockout(ratelimit.LockoutConfig{Name: "lockout", Store: store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		k.Fatal(err)
	}
	return l
}

func (k *kit) lockoutParallel() {
	l := k.lockout(&Faults{Store: k.store, Latency: 5 * time.Millisecond})
	var looks atomic.Int64
	blocked := parallel(func(int) bool {
		right, err := l.Attempt(context.Background(), "k", func(context.Context) (bool, error) {
			looks.Add(1)
			time.Sleep(time.Millisecond)
			return false, nil
		})
		if right || err != nil && !errors.Is(err, ratelimit.ErrBlocked) {
			k.Errorf("Attempt: %v, %v", right, err)
		}
		return err != nil
	})
	if looks.Load() != 5 || blocked != callers-5 {
		k.Errorf("%d looks and %d blocked, want 5 and %d", looks.Load(), blocked, callers-5)
	}
}

func always(int) bool { return true }

func (k *kit) lockoutFaults() {
	for name, f := range map[string]*Faults{
		"failed": {Store: k.store, Before: always},
		"lost":   {Store: k.store, After: always},
	} {
		right, err := k.lockout(f).Attempt(context.Background(), name, func(context.Context) (bool, error) {
			k.Errorf("%s: looked at a guess that was not known to be paid for", name)
			return true, nil
		})
		if right || !errors.Is(err, ErrFault) || errors.Is(err, ratelimit.ErrBlocked) {
			k.Errorf("%s: %v, %v", name, right, err)
		}
	}
	second := func(call int) bool { return call == 2 }
	f := &Faults{Store: k.store, Before: second}
	if right, err := k.lockout(f).Attempt(context.Background(), "settle", func(context.Context) (bool, error) { return true, nil }); !right || err != nil {
		k.Errorf("a right guess that could not be settled: %v, %v", right, err)
	}
	if left, _, err := k.lockout(k.store).Status(context.Background(), "settle"); left != 4 || err != nil {
		k.Errorf("%d left after a settlement that failed, want 4 (%v)", left, err)
	}
}

func (k *kit) limiterFaults() {
	for name, f := range map[string]*Faults{
		"failed": {Store: k.store, Before: always},
		"lost":   {Store: k.store, After: always},
	} {
		l, err := ratelimit.New(ratelimit.Config{Name: "faults", Limit: ratelimit.Per(3, time.Hour), Store: f})
		if err != nil {
			k.Fatal(err)
		}
		if d, err := l.Allow(context.Background(), name); d.Allowed || !errors.Is(err, ErrFault) {
			k.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}
