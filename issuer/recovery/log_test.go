package recovery_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
	"github.com/gatehouse-go/gatehouse/issuer/recovery"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout/lockouttest"
)

func newLog(t testing.TB, store issuer.Store) *recovery.Log {
	t.Helper()
	l, err := recovery.NewLog(store)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLog(t *testing.T) {
	lockouttest.Run(t, func(t testing.TB) lockout.Store {
		return newLog(t, issuer.NewMemoryStore())
	}, nil)
}

// Several machines, each with a Log of its own over one slow store.
func TestLog_machines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := issuertest.Slow(issuer.NewMemoryStore(), 5*time.Millisecond)
		var lockouts []*lockout.Lockout
		for range 3 {
			lockouts = append(lockouts, newLockout(t, newLog(t, store)))
		}
		var looks, blocked atomic.Int64
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				_, err := lockouts[i%3].Attempt(context.Background(), ann, func(context.Context) (bool, error) {
					looks.Add(1)
					return false, nil
				})
				switch {
				case errors.Is(err, lockout.ErrBlocked):
					blocked.Add(1)
				case err != nil:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if looks.Load() != 5 || blocked.Load() != 995 {
			t.Errorf("LO-18 %d looks, %d blocked", looks.Load(), blocked.Load())
		}
	})
}

func TestLog_refuses(t *testing.T) {
	if l, err := recovery.NewLog(nil); err == nil || l != nil {
		t.Error("XX-01 a Log over nothing")
	}
	if l, err := recovery.NewLog((*issuer.MemoryStore)(nil)); err == nil || l != nil {
		t.Error("XX-01 a Log over what is left of a store")
	}
	entry := lockout.Entry{Name: "p", Key: "k", Op: lockout.OpCharge, Tries: 5, Window: day, Block: day}
	for _, l := range []*recovery.Log{nil, new(recovery.Log)} {
		if _, _, err := l.Apply(t.Context(), entry); err == nil {
			t.Error("XX-01 the zero Log answers")
		}
	}
	l := newLog(t, issuer.NewMemoryStore())
	entry.Tries = 0
	if _, _, err := l.Apply(t.Context(), entry); err == nil {
		t.Error("an entry out of range")
	}
}

// LO-32: names and keys don't run into each other.
func TestLog_apart(t *testing.T) {
	l := newLog(t, issuer.NewMemoryStore())
	for _, pair := range [][2]string{{"a", "b"}, {"ab", ""}, {"", "ab"}, {"b", "b"}, {"1", "1"}, {"11", ""}} {
		e := lockout.Entry{Name: pair[0], Key: pair[1], Op: lockout.OpCharge, Receipt: 1, Tries: 5, Window: day, Block: day}
		if n, _, err := l.Apply(t.Context(), e); n != 1 || err != nil {
			t.Errorf("LO-32 %q: %d, %v", pair, n, err)
		}
		e.Receipt = 2
		if n, _, err := l.Apply(t.Context(), e); n != 2 || err != nil {
			t.Errorf("LO-32 %q: %d, %v", pair, n, err)
		}
	}
}

// The records are as a Store wants them, and say nothing about whose they are.
func TestLog_records(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &spy{Store: issuer.NewMemoryStore()}
		guesses := newLockout(t, newLog(t, store))
		time.Sleep(time.Nanosecond) // no whole millisecond
		for range 5 {
			guesses.Attempt(t.Context(), ann, func(context.Context) (bool, error) { return false, nil })
		}
		if len(store.swaps) != 5 {
			t.Fatalf("%d writes, want 5", len(store.swaps))
		}
		if r := store.swaps[0]; len(r.Session)+len(r.Subject)+len(r.Data)+16 > 110 {
			t.Errorf("a guess has %d bytes, documented as some 100", len(r.Session)+len(r.Subject)+len(r.Data)+16)
		}
		for i, r := range store.swaps {
			if len(r.Session) > 32 || r.Session != store.swaps[0].Session || r.Version != uint64(i+1) {
				t.Errorf("%+v", r)
			}
			if least := time.Now().Add(day); r.Expiry.Before(least) || r.Expiry.After(least.Add(2*time.Millisecond)) || r.Expiry.Nanosecond()%1e6 != 0 {
				t.Errorf("expires %v, the block ends %v", r.Expiry, least)
			}
		}
		for range 10 { // LO-08: who is blocked writes nothing
			guesses.Attempt(t.Context(), ann, nil)
		}
		if len(store.swaps) != 5 {
			t.Errorf("%d writes by blocked guesses", len(store.swaps)-5)
		}
		damaged := store.swaps[4]
		damaged.Version, damaged.Data = 6, []byte("9223372036854775807")
		if ok, err := store.Store.Swap(t.Context(), damaged); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if o, err := guesses.Attempt(t.Context(), ann, nil); o.Right || err == nil || errors.Is(err, lockout.ErrBlocked) {
			t.Errorf("LO-33 %+v, %v", o, err)
		}
	})
}
