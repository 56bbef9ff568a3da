package recovery_test

import (
	"context"
	"errors"
	"strings"
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

// spy is a store that remembers what was written, and how often a guess was
// compared with a code that could be redeemed.
type spy struct {
	issuer.Store
	mu     sync.Mutex
	swaps  []issuer.Record
	looks  atomic.Int64
	before []func() // called before the next Swaps, one each, unless nil
}

// held is the key of a context whose Loads wait until a channel is closed.
type held struct{}

func (s *spy) Load(ctx context.Context, session string) (issuer.Record, time.Time, error) {
	if wait, ok := ctx.Value(held{}).(chan struct{}); ok {
		<-wait
	}
	r, now, err := s.Store.Load(ctx, session)
	if _, after := ctx.Deadline(); !after && strings.Contains(string(r.Data), `"open"`) {
		s.looks.Add(1)
	}
	return r, now, err
}

func (s *spy) Swap(ctx context.Context, r issuer.Record) (bool, error) {
	s.mu.Lock()
	var before func()
	if len(s.before) > 0 {
		before, s.before = s.before[0], s.before[1:]
	}
	s.mu.Unlock()
	if before != nil {
		before()
	}
	ok, err := s.Store.Swap(ctx, r)
	if ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.swaps = append(s.swaps, r)
	}
	return ok, err
}

// slow gives a flow whose stores take their time, in a bubble, with each kind of
// lockout store.
func slow(t *testing.T, name string, test func(*testing.T, *flow, *spy)) {
	for kind, open := range map[string]func(t testing.TB) lockout.Store{
		"memory": func(testing.TB) lockout.Store {
			return &lockouttest.Faults{Store: lockout.NewMemoryStore(0), Latency: 3 * time.Millisecond}
		},
		"log": func(t testing.TB) lockout.Store {
			return newLog(t, issuertest.Slow(issuer.NewMemoryStore(), 5*time.Millisecond))
		},
	} {
		t.Run(name+"/"+kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &spy{Store: issuertest.Slow(issuer.NewMemoryStore(), 5*time.Millisecond)}
				test(t, newFlow(t, recovery.Config{Store: s, Lockout: newLockout(t, open(t))}), s)
			})
		})
	}
}

// outcomes are the answers to guesses that were made at once.
type outcomes struct{ right, wrong, blocked int }

func (f *flow) atOnce(n int, code func(i int) string) (o outcomes) {
	f.t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			ok, err := f.Redeem(context.Background(), ann, code(i))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case ok && err == nil:
				o.right++
			case err == nil:
				o.wrong++
			case errors.Is(err, lockout.ErrBlocked):
				o.blocked++
			default:
				f.t.Errorf("%v, %v", ok, err)
			}
		})
	}
	wg.Wait()
	return o
}

func TestRaces(t *testing.T) {
	slow(t, "LO-03 1000 wrong guesses", func(t *testing.T, f *flow, s *spy) {
		code := f.start(ann)
		if o := f.atOnce(1000, func(int) string { return wrong(code) }); o != (outcomes{0, 5, 995}) || s.looks.Load() > 5 {
			t.Errorf("%+v, %d looks", o, s.looks.Load())
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.events) != 1 || !f.events[0].Blocked {
			t.Errorf("events %v, want one", f.events)
		}
	})
	slow(t, "LO-04 1000 guesses, one right", func(t *testing.T, f *flow, s *spy) {
		code := f.start(ann)
		o := f.atOnce(1000, func(i int) string {
			if i == 500 {
				return code
			}
			return wrong(code)
		})
		if s.looks.Load() > 6 || o.right > 1 { // the right one may look again
			t.Errorf("%+v, %d looks", o, s.looks.Load())
		}
	})
	slow(t, "LO-26 LO-37 the right code a hundred times", func(t *testing.T, f *flow, s *spy) {
		code := f.start(ann)
		if o := f.atOnce(100, func(int) string { return code }); o.right != 1 {
			t.Errorf("%+v", o)
		}
		f.wantStatus(ann, 5, 0)
		f.wantEvents()
	})
	slow(t, "LO-27 success while guesses are in flight", func(t *testing.T, f *flow, s *spy) {
		for range 20 {
			s.looks.Store(0)
			code := f.start(ann)
			o := f.atOnce(101, func(i int) string {
				time.Sleep(time.Duration(i%7) * time.Millisecond)
				if i == 2 {
					return code
				}
				return wrong(code)
			})
			if o.right > 1 || s.looks.Load() > 6 {
				t.Errorf("%+v, %d looks", o, s.looks.Load())
			}
			if left, _, err := f.Status(t.Context(), ann); left < 0 || left > 5 || err != nil {
				t.Errorf("%d left, %v", left, err)
			}
			if o := f.atOnce(1, func(int) string { return code }); o.right != 0 {
				t.Errorf("right again")
			}
			if err := f.Unblock(t.Context(), ann); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// LO-15: a start that began before the block sends nothing, and what it wrote is
// void, also when the block has ended.
func TestStartOvertakenByBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &spy{Store: issuer.NewMemoryStore()}
		f := newFlow(t, recovery.Config{Store: s, Life: day})
		s.before = []func(){func() { f.guess(ann, 5) }} // and the record is void
		err := f.Start(t.Context(), ann, func(context.Context, string) error {
			t.Error("LO-15 a code was sent to a blocked account")
			return nil
		})
		if !errors.Is(err, lockout.ErrBlocked) {
			t.Errorf("LO-15 %v", err)
		}
		f.wantVoid(s)
		blocked := recovery.Event{Account: ann, Blocked: true, For: day}
		f.wantEvents(blocked)
		if err := f.Unblock(t.Context(), ann); err != nil {
			t.Error(err)
		}
		f.wantEvents(blocked, recovery.Event{Account: ann, Known: true}) // by the start
	})
}

// A start that was overtaken by a block voids its own code, but not the one that came
// after an unblock.
func TestStartOvertakenByUnblock(t *testing.T) {
	s := &spy{Store: issuer.NewMemoryStore()}
	f := newFlow(t, recovery.Config{Store: s})
	var code string
	s.before = []func(){func() { f.guess(ann, 5) }, func() {
		if err := f.Unblock(t.Context(), ann); err != nil {
			t.Error(err)
		}
		code = f.start(ann)
	}}
	if err := f.Start(t.Context(), ann, func(context.Context, string) error { return nil }); !errors.Is(err, lockout.ErrBlocked) {
		t.Errorf("%v", err)
	}
	f.redeem(ann, code, true)
}

// A block is told once, however starts and guesses overtake each other.
func TestNoticeOfOvertaken(t *testing.T) {
	blocked := recovery.Event{Account: ann, Blocked: true, For: day}
	scene := func(t *testing.T) (f *flow, s *spy, guess func() (release func())) {
		s = &spy{Store: issuer.NewMemoryStore()}
		f = newFlow(t, recovery.Config{Store: s})
		return f, s, func() func() { // a guess that is charged, and held before it is looked at
			wait, done := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				if ok, err := f.Redeem(context.WithValue(context.Background(), held{}, wait), ann, "00000000"); ok || err != nil {
					t.Errorf("%v, %v", ok, err)
				}
			}()
			synctest.Wait()
			return func() { close(wait); <-done }
		}
	}
	started := func(t *testing.T, f *flow) {
		if err := f.Start(t.Context(), ann, nil); !errors.Is(err, lockout.ErrBlocked) {
			t.Errorf("Start: %v", err)
		}
	}
	synctest.Test(t, func(t *testing.T) { // the start finds the block before the guess does
		f, s, guess := scene(t)
		f.guess(ann, 4)
		var release func()
		s.before = []func(){func() { release = guess() }}
		started(t, f)
		f.wantEvents()
		release()
		f.wantEvents(blocked)
	})
	synctest.Test(t, func(t *testing.T) { // a start writes over the block, and a slower guess comes last
		f, s, guess := scene(t)
		f.guess(ann, 3)
		var release func()
		s.before = []func(){func() {
			release = guess()
			f.guess(ann, 1) // the last one
		}}
		started(t, f)
		f.wantEvents(blocked)
		release()
		f.wantEvents(blocked)
		f.wantVoid(s)
	})
	synctest.Test(t, func(t *testing.T) { // the last guess is held, and the owner's right one ends the block
		f, s, guess := scene(t)
		code := f.start(ann)
		f.guess(ann, 3)
		release := guess()
		f.redeem(ann, code, true)
		f.wantStatus(ann, 5, 0)
		release()
		f.wantEvents()
		if last := s.swaps[len(s.swaps)-1]; !strings.Contains(string(last.Data), `"spent"`) {
			t.Errorf("%s is not spent", last.Data)
		}
	})
	synctest.Test(t, func(t *testing.T) { // a guess is given back: the block begins with the one after
		f, s, guess := scene(t)
		f.guess(ann, 3)
		store := s.Store
		s.Store = issuertest.Faulty(store, func(int) issuertest.Fault { return issuertest.Unsent })
		release := guess()
		if ok, err := f.Redeem(t.Context(), ann, "00000000"); ok || !errors.Is(err, issuertest.ErrFault) {
			t.Errorf("%v, %v", ok, err)
		}
		f.wantEvents()
		s.Store = store
		release()
		f.wantStatus(ann, 1, 0)
		f.guess(ann, 1)
		f.wantEvents(blocked)
	})
}

// wantVoid looks for a code that could be redeemed.
func (f *flow) wantVoid(s *spy) {
	f.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.swaps[len(s.swaps)-1]; !strings.Contains(string(last.Data), `"void"`) {
		f.t.Errorf("%s is not void", last.Data)
	}
}

// A store that fails, at each of its calls: nobody gets in twice, and no error is
// taken for an answer.
func TestFaults(t *testing.T) {
	for _, fault := range []issuertest.Fault{issuertest.Unsent, issuertest.Unheard} {
		for at := range 14 {
			store := issuertest.Faulty(issuer.NewMemoryStore(), func(call int) issuertest.Fault {
				if call == at {
					return fault
				}
				return issuertest.None
			})
			newFlow(t, recovery.Config{Store: store}).lives(at)
			newFlow(t, recovery.Config{Lockout: newLockout(t, newLog(t, store))}).lives(at)
		}
	}
}

// lives goes through a flow in which one call fails.
func (f *flow) lives(at int) {
	f.t.Helper()
	ctx := context.Background()
	faults, right := 0, 0
	judge := func(ok bool, err error) {
		f.t.Helper()
		if ok {
			right++
		}
		switch {
		case err == nil:
		case errors.Is(err, issuertest.ErrFault) && !ok:
			faults++
		default:
			f.t.Errorf("fault at %d: %v, %v", at, ok, err)
		}
	}
	code := "00000000"
	judge(false, f.Start(ctx, ann, func(_ context.Context, c string) error {
		code = c
		return nil
	}))
	judge(f.Redeem(ctx, ann, wrong(code)))
	judge(f.Redeem(ctx, ann, code))
	judge(f.Redeem(ctx, ann, code))
	if faults > 1 || right > 1 || right == 0 && faults == 0 {
		f.t.Errorf("fault at %d: %d errors, right %d times", at, faults, right)
	}
	for range 7 {
		if ok, err := f.Redeem(ctx, ann, wrong(code)); ok || err != nil && !errors.Is(err, issuertest.ErrFault) && !errors.Is(err, lockout.ErrBlocked) {
			f.t.Errorf("fault at %d: %v, %v", at, ok, err)
		}
	}
	if ok, err := f.Redeem(ctx, ann, code); ok || !errors.Is(err, lockout.ErrBlocked) {
		f.t.Errorf("fault at %d: %v, %v after 7 wrong guesses", at, ok, err)
	}
	judge(false, f.Unblock(ctx, ann))
	if ok, err := f.Redeem(ctx, ann, code); ok {
		f.t.Errorf("fault at %d: an unblock has revived the code (%v)", at, err)
	}
}

// LO-16: the lockout's store is down: nothing is looked at.
func TestLockoutFails(t *testing.T) {
	for name, faults := range map[string]*lockouttest.Faults{
		"LO-16 failed": {Before: func(call int) bool { return call > 2 }},
		"LO-16 lost":   {After: func(call int) bool { return call > 2 }},
	} {
		t.Run(name, func(t *testing.T) {
			faults.Store = lockout.NewMemoryStore(0)
			s := &spy{Store: issuer.NewMemoryStore()}
			f := newFlow(t, recovery.Config{Store: s, Lockout: newLockout(t, faults)})
			code := f.start(ann)
			for range 10 {
				if ok, err := f.Redeem(t.Context(), ann, code); ok || !errors.Is(err, lockouttest.ErrFault) {
					t.Errorf("%v, %v", ok, err)
				}
			}
			if s.looks.Load() != 0 {
				t.Errorf("%d looks", s.looks.Load())
			}
			if err := f.Start(t.Context(), ann, nil); !errors.Is(err, lockouttest.ErrFault) {
				t.Errorf("Start: %v", err)
			}
			if err := f.Unblock(t.Context(), ann); !errors.Is(err, lockouttest.ErrFault) {
				t.Errorf("Unblock: %v", err)
			}
		})
	}
}
