package lockout_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout/lockouttest"
)

// forgetful is a store of values that are swapped whole and removed when they expire.
type forgetful struct {
	lockout.Store
	mu      sync.Mutex
	records map[[2]string]lockout.Applied
}

func (s *forgetful) Apply(_ context.Context, e lockout.Entry) (int, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.records[[2]string{e.Name, e.Key}]
	now := time.Now()
	if !now.Before(old.Until) { // may be removed
		old = lockout.Applied{}
	}
	a, err := e.Next(old.Record, now)
	if err == nil && a.Changed {
		s.records[[2]string{e.Name, e.Key}] = a
	}
	return a.Charges, a.Wait, err
}

func TestEntry_Next(t *testing.T) {
	lockouttest.Run(t, func(testing.TB) lockout.Store {
		return &forgetful{records: make(map[[2]string]lockout.Applied)}
	}, nil)
}

func TestEntry_Next_sameAsMemory(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			memory := lockout.NewMemoryStore(0)
			values := &forgetful{records: make(map[[2]string]lockout.Applied)}
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
	for name, record := range map[string][]byte{
		"LO-33 cut short":       one.Record[:len(one.Record)-1],
		"LO-33 other version":   append([]byte{2}, one.Record[1:]...),
		"LO-33 extension":       append([]byte{0x81, 1, 7}, one.Record[1:]...),
		"LO-33 like a charge":   append(append([]byte{0x81, 15}, make([]byte, 15)...), one.Record[1:]...),
		"LO-33 empty, extended": {0x81, 0},
		"LO-33 101 charges":     append([]byte{1}, bytes.Repeat(one.Record[1:], 101)...),
		"LO-33 empty format":    {1},
		"LO-33 negative times":  append([]byte{1, 255}, one.Record[2:]...),
		"LO-33 not in order":    append(append([]byte{}, one.Record...), make([]byte, 16)...),
	} {
		if a, err := good.Next(record, now); err == nil {
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

// A record that commit afa7238 wrote, before there was a release: three charges, a
// minute apart. All later versions read it, and add to it in the same form.
func TestEntry_Next_recorded(t *testing.T) {
	text, err := os.ReadFile("testdata/record-1.hex")
	if err != nil {
		t.Fatal(err)
	}
	record, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	last := time.Date(2026, 11, 30, 12, 2, 0, 123456789, time.UTC)
	e := lockout.Entry{Name: "recovery", Key: "ann@example.com", Op: lockout.OpPeek, Tries: 5, Window: day, Block: day}
	if a, err := e.Next(record, last.Add(time.Hour)); a.Charges != 3 || a.Wait != 0 || a.Changed || !a.Until.Equal(last.Add(day)) || err != nil {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := e.Next(record, last.Add(day-time.Minute)); a.Charges != 1 || err != nil {
		t.Errorf("after the window of two: %+v, %v", a, err)
	}
	e.Tries = 3
	if a, err := e.Next(record, last.Add(time.Hour)); a.Charges != 3 || a.Wait != 23*time.Hour || err != nil {
		t.Errorf("full: %+v, %v", a, err)
	}
	e.Op, e.Receipt, e.Tries = lockout.OpRefund, 1<<64-1, 5
	if a, err := e.Next(record, last); a.Charges != 2 || err != nil {
		t.Errorf("refunded: %+v, %v", a, err)
	}
	e.Op, e.Receipt = lockout.OpCharge, 4
	a, err := e.Next(record, last.Add(time.Hour))
	if a.Charges != 4 || err != nil || !bytes.HasPrefix(a.Record, record) {
		t.Errorf("charged: %+v, %v", a, err)
	}
	again, err := e.Next(a.Record, last.Add(time.Hour))
	if again.Charges != 4 || again.Changed || err != nil {
		t.Errorf("charged again: %+v, %v", again, err)
	}
}

// Reading and writing are inverse: what is read is written as it was, or refused.
func FuzzEntry_Next(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte{1})
	f.Add([]byte{0x81, 0})
	f.Add(append([]byte{1}, make([]byte, 32)...))
	peek := lockout.Entry{Name: "p", Key: "k", Op: lockout.OpPeek, Tries: 100, Window: 366 * day, Block: 366 * day}
	f.Fuzz(func(t *testing.T, record []byte) {
		a, err := peek.Next(record, time.Unix(0, 1<<62))
		if err != nil || len(record) == 0 {
			return
		}
		if n := (len(record) - 1) / 16; len(record)%16 != 1 || record[0] != 1 || a.Charges > n {
			t.Errorf("%x was read as %d charges", record, a.Charges)
		}
		if !bytes.HasSuffix(record, bytes.TrimPrefix(a.Record, []byte{1})) && !a.Changed {
			t.Errorf("%x became %x", record, a.Record)
		}
		if b, err := peek.Next(a.Record, time.Unix(0, 1<<62)); err != nil || b.Changed || b.Charges != a.Charges {
			t.Errorf("%x became %x: %+v, %v", record, a.Record, b, err)
		}
	})
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
