package lockout_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout/lockouttest"
)

func newLockout(t testing.TB, c lockout.Config) *lockout.Lockout {
	t.Helper()
	if c.Name == "" {
		c.Name = "test"
	}
	l, err := lockout.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// What checks say when something else than the guess is wrong, and what bcrypt
// says about a guess that is.
var (
	errDown      = errors.New("database is down")
	errUndecided = fmt.Errorf("%w: %w", lockout.ErrUndecided, errDown)
	errMismatch  = errors.New("hashedPassword is not the hash of the given password")
)

// Checks that answer the same always.
func right(context.Context) (bool, error)     { return true, nil }
func wrong(context.Context) (bool, error)     { return false, nil }
func undecided(context.Context) (bool, error) { return true, errUndecided }

func never(t testing.TB) func(context.Context) (bool, error) {
	return func(context.Context) (bool, error) {
		t.Helper()
		t.Error("looked at a guess")
		return true, nil
	}
}

// guess makes n wrong ones that must be looked at.
func guess(t testing.TB, l *lockout.Lockout, key string, n int) {
	t.Helper()
	for i := range n {
		if o, err := l.Attempt(t.Context(), key, wrong); o.Right || err != nil {
			t.Fatalf("wrong guess %d: %v, %v", i+1, o.Right, err)
		}
	}
}

func wantStatus(t testing.TB, l *lockout.Lockout, key string, left int, blocked time.Duration) {
	t.Helper()
	if n, d, err := l.Status(t.Context(), key); n != left || d != blocked || err != nil {
		t.Errorf("Status: %d left, blocked %v, %v; want %d, %v", n, d, err, left, blocked)
	}
}

func wantBlocked(t testing.TB, l *lockout.Lockout, key string, wait time.Duration) {
	t.Helper()
	o, err := l.Attempt(t.Context(), key, never(t))
	var blocked *lockout.BlockedError
	if o.Right || !errors.Is(err, lockout.ErrBlocked) || !errors.As(err, &blocked) || blocked.RetryAfter != wait {
		t.Errorf("%v, %v; want blocked for %v", o.Right, err, wait)
	}
}

const day = 24 * time.Hour

func TestLockout(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"LO-01 4 wrong then right clears": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			guess(t, l, "k", 4)
			wantStatus(t, l, "k", 1, 0)
			if o, err := l.Attempt(t.Context(), "k", right); !o.Right || err != nil {
				t.Errorf("%v, %v", o.Right, err)
			}
			wantStatus(t, l, "k", 5, 0)
		},
		"LO-02 5 wrong then right is not looked at": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			guess(t, l, "k", 5)
			wantBlocked(t, l, "k", day)
			wantStatus(t, l, "k", 0, day)
		},
		"LO-07 a nanosecond before the end and at it": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			guess(t, l, "k", 4)
			time.Sleep(time.Hour) // the block runs from the last guess
			guess(t, l, "k", 1)
			time.Sleep(day - time.Millisecond)
			wantBlocked(t, l, "k", time.Millisecond)
			time.Sleep(time.Millisecond - 1)
			wantBlocked(t, l, "k", 1)
			time.Sleep(time.Nanosecond)
			wantStatus(t, l, "k", 5, 0)
			guess(t, l, "k", 5)
			wantBlocked(t, l, "k", day)
		},
		"LO-07 guesses expire one by one while not blocked": func(t *testing.T) {
			l := newLockout(t, lockout.Config{Window: time.Hour})
			guess(t, l, "k", 2)
			time.Sleep(time.Minute)
			guess(t, l, "k", 2)
			time.Sleep(time.Hour - time.Minute - 1)
			wantStatus(t, l, "k", 1, 0)
			time.Sleep(time.Nanosecond)
			wantStatus(t, l, "k", 3, 0)
			time.Sleep(time.Minute)
			wantStatus(t, l, "k", 5, 0)
		},
		"LO-08 attempts while blocked prolong nothing": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			guess(t, l, "k", 5)
			for i := range 10_000 {
				time.Sleep(time.Second)
				wantBlocked(t, l, "k", day-time.Duration(i+1)*time.Second)
			}
		},
		"LO-10 success at one key changes nothing at another": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			for range 4 {
				guess(t, l, "victim", 1)
				l.Attempt(t.Context(), "attacker", right)
			}
			wantStatus(t, l, "victim", 1, 0)
		},
		"LO-16 an undecided guess is refunded": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			guess(t, l, "k", 3)
			for range 10 {
				if o, err := l.Attempt(t.Context(), "k", undecided); o.Right || err != errUndecided || !errors.Is(err, errDown) {
					t.Errorf("%v, %v", o.Right, err)
				}
			}
			wantStatus(t, l, "k", 2, 0)
		},
		"LO-02 a check that returns the error of its comparison": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			for range 5 {
				o, err := l.Attempt(t.Context(), "k", func(context.Context) (bool, error) { return errMismatch == nil, errMismatch })
				if o.Right || err != errMismatch {
					t.Errorf("%v, %v", o.Right, err)
				}
			}
			wantBlocked(t, l, "k", day)
		},
		"LO-16 an error that does not say undecided is counted, whatever comes with it": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			guess(t, l, "k", 3)
			if o, err := l.Attempt(t.Context(), "k", func(context.Context) (bool, error) { return true, errDown }); o.Right || err != errDown {
				t.Errorf("%v, %v", o.Right, err)
			}
			wantStatus(t, l, "k", 1, 0)
		},
		"LO-31 the wait does not depend on the key": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			guess(t, l, "known", 5)
			guess(t, l, "unknown", 5)
			wantBlocked(t, l, "known", day)
			wantBlocked(t, l, "unknown", day)
		},
		"LO-32 the same key in two lockouts": func(t *testing.T) {
			store := lockout.NewMemoryStore(0)
			a := newLockout(t, lockout.Config{Name: "a", Store: store})
			b := newLockout(t, lockout.Config{Name: "b", Store: store})
			guess(t, a, "k", 5)
			wantStatus(t, b, "k", 5, 0)
		},
		"LO-34 a panic leaves the guess counted": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			func() {
				defer func() {
					if p := recover(); p != "boom" {
						t.Errorf("recovered %v", p)
					}
				}()
				l.Attempt(t.Context(), "k", func(context.Context) (bool, error) { panic("boom") })
			}()
			wantStatus(t, l, "k", 4, 0)
		},
		"LO-34 so does the end of the goroutine": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			var wg sync.WaitGroup
			wg.Go(func() {
				l.Attempt(context.Background(), "k", func(context.Context) (bool, error) { runtime.Goexit(); return true, nil })
			})
			wg.Wait()
			wantStatus(t, l, "k", 4, 0)
		},
		"RL-22 a key of 1 MiB": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			long := strings.Repeat("x", 1<<20)
			guess(t, l, long, 5)
			wantBlocked(t, l, long, day)
			wantStatus(t, l, long+"y", 5, 0)
		},
		"unblock": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			guess(t, l, "k", 5)
			if err := l.Unblock(t.Context(), "k"); err != nil {
				t.Error(err)
			}
			wantStatus(t, l, "k", 5, 0)
			if err := l.Unblock(t.Context(), "never seen"); err != nil {
				t.Error(err)
			}
		},
		"configured": func(t *testing.T) {
			l := newLockout(t, lockout.Config{Tries: 2, Block: time.Minute})
			guess(t, l, "k", 2)
			wantBlocked(t, l, "k", time.Minute)
		},
		"empty key": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			if o, err := l.Attempt(t.Context(), "", never(t)); o.Right || err == nil {
				t.Errorf("%v, %v", o.Right, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
}

// inParallel counts how many of n calls of f at once are true.
func inParallel(n int, f func() bool) int {
	var wg sync.WaitGroup
	var count atomic.Int64
	start := make(chan struct{})
	for range n {
		wg.Go(func() {
			<-start
			if f() {
				count.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	return int(count.Load())
}

func TestLockout_parallel(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"LO-03 1000 wrong guesses, 5 looks": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			var looks atomic.Int64
			inParallel(1000, func() bool {
				o, _ := l.Attempt(context.Background(), "k", func(context.Context) (bool, error) {
					looks.Add(1)
					time.Sleep(5 * time.Millisecond)
					return false, nil
				})
				return o.Right
			})
			if looks.Load() != 5 {
				t.Errorf("%d looks", looks.Load())
			}
		},
		"LO-04 1 of 200 guesses is right": func(t *testing.T) {
			const trials, guesses = 300, 200
			l := newLockout(t, lockout.Config{})
			hits, rnd := 0, rand.New(rand.NewPCG(1, 4)) // the same codes each time
			for trial := range trials {
				code, next := rnd.Int64N(guesses), atomic.Int64{}
				hits += inParallel(guesses, func() bool {
					mine := next.Add(1) - 1
					o, _ := l.Attempt(context.Background(), fmt.Sprint(trial), func(context.Context) (bool, error) { return mine == code, nil })
					return o.Right
				})
			}
			// 5 looks of 200 make 7.5 of 300; six standard deviations above.
			if hits > 24 {
				t.Errorf("%d of %d trials hit", hits, trials)
			}
		},
		"LO-26 the right code twice, spent by the check": func(t *testing.T) {
			l := newLockout(t, lockout.Config{})
			var spent atomic.Bool
			if n := inParallel(2, func() bool {
				o, _ := l.Attempt(context.Background(), "k", func(context.Context) (bool, error) { return !spent.Swap(true), nil })
				return o.Right
			}); n != 1 {
				t.Errorf("%d successes", n)
			}
		},
		"LO-27 success while 100 wrong guesses are under way": func(t *testing.T) {
			for range 50 {
				store := &lockouttest.Faults{Store: lockout.NewMemoryStore(0), Latency: time.Millisecond}
				l := newLockout(t, lockout.Config{Store: store})
				var next, compares, wrongAfter atomic.Int64
				var spent atomic.Bool
				won := inParallel(101, func() bool {
					mine := next.Add(1)
					o, _ := l.Attempt(context.Background(), "k", func(context.Context) (bool, error) {
						if spent.Load() {
							wrongAfter.Add(1)
							return false, nil // there is no code to compare with
						}
						compares.Add(1)
						time.Sleep(time.Duration(rand.Int64N(int64(3 * time.Millisecond))))
						return mine == 3 && !spent.Swap(true), nil
					})
					return o.Right
				})
				if compares.Load() > 5 || won > 1 {
					t.Fatalf("%d compares, %d successes", compares.Load(), won)
				}
				// Nothing negative, nothing that comes back: what is counted
				// now are at most the guesses after the success.
				left, wait, err := l.Status(t.Context(), "k")
				if err != nil || left < 0 || left > 5 || won == 1 && left == 0 && wait > 0 && wrongAfter.Load() == 0 {
					t.Fatalf("%d left, blocked %v, %v", left, wait, err)
				}
			}
		},
		"LO-37 double clicks don't lock the owner out": func(t *testing.T) {
			store := &lockouttest.Faults{Store: lockout.NewMemoryStore(0), Latency: time.Millisecond}
			l := newLockout(t, lockout.Config{Store: store})
			for range 20 {
				if n := inParallel(5, func() bool { o, _ := l.Attempt(context.Background(), "k", right); return o.Right }); n != 5 {
					t.Errorf("%d of 5 got through", n)
				}
				wantStatus(t, l, "k", 5, 0)
			}
			// More at once than there are tries: the surplus is told to wait,
			// and not charged.
			inParallel(50, func() bool { o, _ := l.Attempt(context.Background(), "k", right); return o.Right })
			wantStatus(t, l, "k", 5, 0)
		},
		"refunds take back their own charge only": func(t *testing.T) {
			// Time stands still here: two charges of the same nanosecond.
			l := newLockout(t, lockout.Config{})
			entered, leave := make(chan bool), make(chan bool)
			var wg sync.WaitGroup
			wg.Go(func() {
				l.Attempt(context.Background(), "k", func(context.Context) (bool, error) {
					entered <- true
					<-leave
					return false, errUndecided
				})
			})
			<-entered
			l.Attempt(context.Background(), "k", right) // forgives the one under way
			guess(t, l, "k", 2)
			leave <- true
			wg.Wait()
			wantStatus(t, l, "k", 3, 0)
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
}

// The client hangs up while its guess is looked at: the guess is settled all
// the same, by a store that listens to the context.
func TestLockout_clientGone(t *testing.T) {
	for name, c := range map[string]struct {
		answer bool
		err    error
		left   int
	}{
		"LO-03 wrong stays counted":  {false, nil, 4},
		"LO-37 right is forgiven":    {true, nil, 5},
		"LO-16 undecided, refunded":  {false, errUndecided, 5},
		"LO-16 gone, and it says so": {false, fmt.Errorf("%w: %w", lockout.ErrUndecided, context.Canceled), 5},
		"LO-16 gone, and it doesn't": {false, context.Canceled, 4},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLockout(t, lockout.Config{Store: listening{lockout.NewMemoryStore(0)}})
			ctx, cancel := context.WithCancel(t.Context())
			o, err := l.Attempt(ctx, "k", func(context.Context) (bool, error) { cancel(); return c.answer, c.err })
			if o.Right != c.answer || err != c.err {
				t.Errorf("%v, %v", o.Right, err)
			}
			wantStatus(t, l, "k", c.left, 0)
			if o, err := l.Attempt(ctx, "k", never(t)); o.Right || !errors.Is(err, context.Canceled) {
				t.Errorf("gone before the charge: %v, %v", o.Right, err)
			}
		})
	}
}

// listening is a store that does nothing for those who have gone.
type listening struct{ lockout.Store }

func (l listening) Apply(ctx context.Context, e lockout.Entry) (int, time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	return l.Store.Apply(ctx, e)
}

func TestNewLockout_refuses(t *testing.T) {
	for name, c := range map[string]lockout.Config{
		"XX-01 zero Config":            {},
		"negative tries":               {Name: "a", Tries: -1},
		"LO-35 more than 100 tries":    {Name: "a", Tries: 101},
		"negative block":               {Name: "a", Block: -1},
		"block of a fraction of a µs":  {Name: "a", Block: time.Second + 1},
		"block above a year":           {Name: "a", Block: 367 * day},
		"negative timeout":             {Name: "a", Timeout: -1},
		"timeout above a minute":       {Name: "a", Timeout: time.Hour},
		"negative window":              {Name: "a", Window: -time.Second},
		"nil store of another type":    {Name: "a", Store: (*listening)(nil)},
		"nil *MemoryStore in an iface": {Name: "a", Store: (*lockout.MemoryStore)(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			if l, err := lockout.New(c); err == nil || l != nil {
				t.Errorf("%v, %v", l, err)
			}
		})
	}
}

// TestZero is what was not made by New.
func TestZero(t *testing.T) {
	for name, l := range map[string]*lockout.Lockout{"XX-01 nil Lockout": nil, "XX-01 Lockout": new(lockout.Lockout)} {
		t.Run(name, func(t *testing.T) {
			if o, err := l.Attempt(t.Context(), "k", never(t)); o != (lockout.Outcome{}) || err == nil || errors.Is(err, lockout.ErrBlocked) {
				t.Errorf("%+v, %v", o, err)
			}
			if _, _, err := l.Status(t.Context(), "k"); err == nil {
				t.Error("Status")
			}
			if err := l.Unblock(t.Context(), "k"); err == nil {
				t.Error("Unblock")
			}
		})
	}
	t.Run("XX-01 Entry", func(t *testing.T) {
		if n, _, err := lockout.NewMemoryStore(0).Apply(t.Context(), lockout.Entry{}); n != 0 || err == nil {
			t.Errorf("Apply: %d, %v", n, err)
		}
		if a, err := (lockout.Entry{}).Next(nil, time.Now()); a.Charges != 0 || err == nil {
			t.Errorf("Next: %+v, %v", a, err)
		}
	})
}

func TestKeys_bounded(t *testing.T) {
	t.Run("RL-22 a store never sees more than 128 bytes", func(t *testing.T) {
		store := &recorder{Store: lockout.NewMemoryStore(0)}
		l := newLockout(t, lockout.Config{Store: store})
		for _, n := range []int{1, 128, 129, 1 << 20} {
			guess(t, l, strings.Repeat("x", n), 1)
		}
		if store.longest != 128 {
			t.Errorf("it saw %d", store.longest)
		}
	})
}

// recorder notes how long keys are.
type recorder struct {
	lockout.Store
	longest int
}

func (r *recorder) Apply(ctx context.Context, e lockout.Entry) (int, time.Duration, error) {
	r.longest = max(r.longest, len(e.Key))
	return r.Store.Apply(ctx, e)
}

// Without a Logger lines go to what is slog's default when they are logged.
func TestConfig_Logger(t *testing.T) {
	faults := &lockouttest.Faults{Store: lockout.NewMemoryStore(0), Before: func(call int) bool { return call == 2 }}
	l := newLockout(t, lockout.Config{Store: faults})
	var lines strings.Builder
	was := slog.Default()
	t.Cleanup(func() { slog.SetDefault(was) })
	slog.SetDefault(slog.New(slog.NewTextHandler(&lines, nil)))
	if o, err := l.Attempt(t.Context(), "ann@example.com", right); !o.Right || err != nil {
		t.Errorf("%+v, %v", o, err)
	}
	if line := lines.String(); !strings.Contains(line, `msg="lockout: `) || !strings.Contains(line, `error="lockout: store: `) || strings.Contains(line, "ann@") {
		t.Errorf("%q", line)
	}
}
