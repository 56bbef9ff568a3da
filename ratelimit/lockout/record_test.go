package lockout_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout/lockouttest"
)

// swapped is a store of values that are swapped whole.
type swapped struct {
	lockout.Store
	mu   sync.Mutex
	logs map[[2]string]lockout.Applied
}

func (s *swapped) Apply(_ context.Context, e lockout.Entry) (int, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.logs[[2]string{e.Name, e.Key}]
	now := time.Now()
	if !now.Before(old.Until) { // may be removed
		old = lockout.Applied{}
	}
	a, err := e.Next(old.Record, now)
	if err == nil && a.Changed {
		s.logs[[2]string{e.Name, e.Key}] = a
	}
	return a.Charges, a.Wait, err
}

func TestEntry_Next(t *testing.T) {
	lockouttest.Run(t, func(testing.TB) lockout.Store {
		return &swapped{logs: make(map[[2]string]lockout.Applied)}
	}, nil)
}

func TestEntry_Next_sameAsMemory(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			memory := lockout.NewMemoryStore(0)
			values := &swapped{logs: make(map[[2]string]lockout.Applied)}
			for i := range 500 {
				time.Sleep(time.Duration(rnd.Int64N(int64(time.Hour))))
				e := lockout.Entry{
					Name: "p", Key: "k", Op: lockout.Op(1 + rnd.IntN(4)*rnd.IntN(2)), Receipt: rnd.Uint64N(10),
					Tries: 3, Window: 2 * time.Hour, Block: 3 * time.Hour,
				}
				n1, w1, err1 := memory.Apply(t.Context(), e)
				n2, w2, err2 := values.Apply(t.Context(), e)
				if n1 != n2 || w1 != w2 || err1 != nil || err2 != nil {
					t.Fatalf("seed %d, step %d: %d, %v, %v; memory says %d, %v, %v", seed, i, n2, w2, err2, n1, w1, err1)
				}
			}
		})
	}
}

func TestEntry_Next_refuses(t *testing.T) {
	good := lockout.Entry{Name: "p", Key: "k", Op: lockout.OpCharge, Receipt: 1, Tries: 3, Window: time.Hour, Block: time.Hour}
	now := time.Unix(1_700_000_000, 0)
	one, err := good.Next(nil, now)
	if err != nil || one.Charges != 1 || !one.Changed || !one.Until.Equal(now.Add(time.Hour)) {
		t.Fatal(one, err)
	}
	again, err := good.Next(one.Record, now)
	if err != nil || again.Charges != 1 || again.Changed {
		t.Error(again, err)
	}
	for name, log := range map[string][]byte{
		"LO-33 cut short":      one.Record[:len(one.Record)-1],
		"LO-33 other format":   append([]byte{2}, one.Record[1:]...),
		"LO-33 empty format":   {1},
		"LO-33 negative times": append([]byte{1, 255}, one.Record[2:]...),
		"LO-33 not in order":   append(append([]byte{}, one.Record...), make([]byte, 16)...),
	} {
		if a, err := good.Next(log, now); err == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
	bad := good
	bad.Tries = 0
	if _, err := bad.Next(nil, now); err == nil {
		t.Error("no tries")
	}
	bad.Tries, bad.Op = 3, 0
	if _, err := bad.Next(nil, now); err == nil {
		t.Error("no operation")
	}
}

// A clock that is set back neither frees nor prolongs.
func TestEntry_Next_clockIsSetBack(t *testing.T) {
	e := lockout.Entry{Name: "p", Key: "k", Op: lockout.OpCharge, Tries: 2, Window: time.Hour, Block: time.Hour}
	now := time.Unix(1_700_000_000, 0)
	var a lockout.Applied
	var err error
	for e.Receipt = range uint64(2) {
		if a, err = e.Next(a.Record, now); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
	}
	now = now.Add(-10 * time.Hour)
	e.Receipt = 7
	if a, err = e.Next(a.Record, now); err != nil || a.Wait != time.Hour || !a.Changed {
		t.Errorf("RL-18: %+v, %v; want an hour of waiting", a, err)
	}
	if a, err = e.Next(a.Record, now.Add(time.Hour)); err != nil || a.Wait != 0 || a.Charges != 1 {
		t.Errorf("RL-18: %+v, %v; want the end of the block", a, err)
	}
}
