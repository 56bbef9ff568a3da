package recovery_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
	"github.com/gatehouse-go/gatehouse/issuer/recovery"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout/lockouttest"
)

// mailbox has the codes that were sent.
type mailbox struct {
	mu    sync.Mutex
	codes []string
}

func (m *mailbox) send(_ context.Context, code string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.codes = append(m.codes, code)
	return nil
}

// newest is "" if none was sent.
func (m *mailbox) newest() string {
	if len(m.codes) == 0 {
		return ""
	}
	return m.codes[len(m.codes)-1]
}

// TestStarts_atOnce starts sixty times at once, over stores that take their time. Each
// gets through, as many codes are sent as may be, and one of them is good.
func TestStarts_atOnce(t *testing.T) {
	for _, row := range []struct{ codes, sent int }{{0, 3}, {1, 1}, {100, 60}} {
		t.Run(fmt.Sprint(row.codes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				patient, err := lockout.New(lockout.Config{Name: "recovery", Tries: 100})
				if err != nil {
					t.Fatal(err)
				}
				f := newFlow(t, recovery.Config{Store: issuertest.Slow(issuer.NewMemoryStore(), 5*time.Millisecond), Lockout: patient, Codes: row.codes})
				var box mailbox
				var wg sync.WaitGroup
				for range 60 {
					wg.Go(func() {
						if err := f.Start(context.Background(), ann, box.send); err != nil {
							t.Errorf("Start: %v", err)
						}
					})
				}
				wg.Wait()
				right := 0
				for _, code := range box.codes {
					if ok, err := f.Redeem(t.Context(), ann, code); err != nil {
						t.Error(err)
					} else if ok {
						right++
					}
				}
				if len(box.codes) != row.sent || right != 1 {
					t.Errorf("%d codes sent, %d right; want %d and 1", len(box.codes), right, row.sent)
				}
			})
		})
	}
}

// TestBlocks_toldOnce has sixty starts and ten wrong guesses at once, in several orders:
// each block is told once, no start fails, and no code is left that is good.
func TestBlocks_toldOnce(t *testing.T) {
	for round := range 8 {
		for kind, over := range map[string]func(issuer.Store) lockout.Store{
			"memory": func(issuer.Store) lockout.Store {
				return &lockouttest.Faults{Store: lockout.NewMemoryStore(0), Latency: 3 * time.Millisecond}
			},
			"log": func(s issuer.Store) lockout.Store { return newLog(t, s) },
		} {
			t.Run(fmt.Sprint(kind, round), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := issuertest.Slow(issuer.NewMemoryStore(), 5*time.Millisecond)
					s := &spy{Store: store}
					f := newFlow(t, recovery.Config{Store: s, Lockout: newLockout(t, over(store)), Codes: 100, Life: day})
					var box mailbox
					var wg sync.WaitGroup
					for i := range 60 {
						wg.Go(func() {
							time.Sleep(time.Duration(i*round%40) * time.Millisecond)
							if err := f.Start(context.Background(), ann, box.send); err != nil && !errors.Is(err, lockout.ErrBlocked) {
								t.Errorf("Start: %v", err)
							}
						})
					}
					for i := range 10 {
						wg.Go(func() {
							time.Sleep(time.Duration(i*round) * time.Millisecond)
							if ok, err := f.Redeem(context.Background(), ann, "00000000"); ok || err != nil && !errors.Is(err, lockout.ErrBlocked) {
								t.Errorf("Redeem: %v, %v", ok, err)
							}
						})
					}
					wg.Wait()
					if len(f.events) != 1 || !f.events[0].Blocked {
						t.Errorf("events %v, want one", f.events)
					}
					if len(s.swaps) > 0 { // or no start was fast enough
						f.wantVoid(s)
					}
					for _, code := range box.codes {
						f.wantRefused(ann, code)
					}
				})
			})
		}
	}
}

func (f *flow) wantRefused(account, code string) {
	f.t.Helper()
	if ok, err := f.Redeem(context.Background(), account, code); ok || !errors.Is(err, lockout.ErrBlocked) {
		f.t.Errorf("%v, %v of a blocked account", ok, err)
	}
}

// TestCodes_inSuccession: whoever asks how often, the owner has a code that is good, and
// nobody's mailbox is filled.
func TestCodes_inSuccession(t *testing.T) {
	bubbles(t, map[string]func(*testing.T, *flow){
		"the fourth ends nothing and sends nothing": func(t *testing.T, f *flow) {
			var box mailbox
			for range 30 {
				if err := f.Start(t.Context(), ann, box.send); err != nil {
					t.Error(err)
				}
			}
			if len(box.codes) != 3 {
				t.Errorf("%d codes were sent, want 3", len(box.codes))
			}
			time.Sleep(15*time.Minute - 1)
			f.redeem(ann, box.newest(), true)
		},
		"asked for every second, the newest is good at every second": func(t *testing.T, f *flow) {
			var box mailbox
			began := time.Now()
			for range 3600 + 7 {
				if err := f.Start(t.Context(), ann, box.send); err != nil {
					t.Fatal(err)
				}
				if sent := len(box.codes); sent > 3+int(time.Since(began)/(15*time.Minute)) {
					t.Fatalf("%d codes in %v", sent, time.Since(began))
				}
				time.Sleep(time.Second)
			}
			f.redeem(ann, box.newest(), true)
		},
		"the newest is good at the end of each life": func(t *testing.T, f *flow) {
			for range 10 {
				var box mailbox
				for range 4 {
					if err := f.Start(t.Context(), ann, box.send); err != nil {
						t.Fatal(err)
					}
				}
				if len(box.codes) == 0 { // else its owner was kept from a code
					t.Fatal("no code was sent in a new life")
				}
				time.Sleep(15*time.Minute - 1)
				f.redeem(ann, wrong(box.newest()), false)
				if err := f.lockout.Unblock(t.Context(), ann); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Nanosecond)
			}
		},
		"after the right one there is another": func(t *testing.T, f *flow) {
			for range 10 {
				f.redeem(ann, f.start(ann), true)
			}
			var box mailbox
			for range 9 {
				if err := f.Start(t.Context(), ann, box.send); err != nil {
					t.Error(err)
				}
			}
			if len(box.codes) == 0 || len(box.codes) > 3 {
				t.Errorf("%d codes were sent", len(box.codes))
			}
			f.redeem(ann, box.newest(), true)
		},
		"after an unblock there is another": func(t *testing.T, f *flow) {
			f.start(ann)
			f.start(ann)
			f.start(ann)
			f.guess(ann, 5)
			if err := f.Unblock(t.Context(), ann); err != nil {
				t.Error(err)
			}
			f.redeem(ann, f.start(ann), true)
		},
		"a block gives no more than one": func(t *testing.T, _ *flow) {
			f := newFlow(t, recovery.Config{Lockout: brief(t)})
			f.start(ann)
			f.start(ann)
			f.start(ann)
			f.guess(ann, 5)
			time.Sleep(time.Minute)
			code := f.start(ann)
			for range 2 {
				if f.start(ann) != "" {
					t.Error("more than one code was sent")
				}
			}
			f.redeem(ann, code, true)
		},
		"one at a time": func(t *testing.T, _ *flow) {
			f := newFlow(t, recovery.Config{Codes: 1})
			code := f.start(ann)
			time.Sleep(15*time.Minute - 1)
			if late := f.start(ann); late != "" {
				t.Error("a code was sent while one was good")
			}
			f.redeem(ann, code, true)
		},
		"accounts are apart": func(t *testing.T, f *flow) {
			for range 9 {
				f.start("bob")
			}
			f.redeem(ann, f.start(ann), true)
		},
	})
}

// The stores have the same work with an account and with none, also where no code is
// sent, and what is kept of none is gone when its codes have expired.
func TestCodes_unknownAccounts(t *testing.T) {
	walk := func(send func(context.Context, string) error) (calls []int) {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			s := &spy{Store: issuertest.Faulty(issuer.NewMemoryStore(), func(int) issuertest.Fault {
				n++
				return issuertest.None
			})}
			f := newFlow(t, recovery.Config{Store: s})
			for range 60 {
				if err := f.Start(t.Context(), ann, send); err != nil {
					t.Error(err)
				}
				calls = append(calls, n)
				time.Sleep(time.Minute)
			}
			for _, r := range s.swaps {
				if left := time.Until(r.Expiry); left > 45*time.Minute {
					t.Errorf("%v left", left)
				}
			}
		})
		return calls
	}
	if known, unknown := walk(new(mailbox).send), walk(nil); fmt.Sprint(known) != fmt.Sprint(unknown) {
		t.Errorf("%v and %v", known, unknown)
	}
}
