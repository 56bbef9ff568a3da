package lockout_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout/lockouttest"
)

// TestOutcome is what an attempt tells after so many wrong guesses before.
func TestOutcome(t *testing.T) {
	fails := func(context.Context) (bool, error) { return true, errMismatch }
	for name, c := range map[string]struct {
		before int
		check  func(context.Context) (bool, error)
		want   lockout.Outcome
		err    error
	}{
		"wrong":                                 {0, wrong, lockout.Outcome{Left: 4}, nil},
		"wrong, the last but one":               {3, wrong, lockout.Outcome{Left: 1}, nil},
		"wrong, the last":                       {4, wrong, lockout.Outcome{Blocked: day}, nil},
		"right":                                 {2, right, lockout.Outcome{Right: true, Left: 5}, nil},
		"right, the last":                       {4, right, lockout.Outcome{Right: true, Left: 5}, nil},
		"undecided":                             {2, undecided, lockout.Outcome{Left: 3}, lockout.ErrUndecided},
		"undecided, the last":                   {4, undecided, lockout.Outcome{Left: 1}, lockout.ErrUndecided},
		"the error of a comparison":             {2, fails, lockout.Outcome{Left: 2}, errMismatch},
		"the error of a comparison at the last": {4, fails, lockout.Outcome{Blocked: day}, errMismatch},
		"blocked":                               {5, never(t), lockout.Outcome{}, lockout.ErrBlocked},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLockout(t, lockout.Config{Window: time.Hour})
				guess(t, l, "k", c.before)
				time.Sleep(time.Minute)
				if o, err := l.Attempt(t.Context(), "k", c.check); o != c.want || !errors.Is(err, c.err) {
					t.Errorf("%+v, %v; want %+v, %v", o, err, c.want, c.err)
				}
			})
		})
	}
	t.Run("right at the last, and the store does not take it", func(t *testing.T) {
		faults := &lockouttest.Faults{Store: lockout.NewMemoryStore(0), Before: func(call int) bool { return call == 6 }}
		l := newLockout(t, lockout.Config{Store: faults, Logger: quietLog})
		guess(t, l, "k", 4)
		o, err := l.Attempt(t.Context(), "k", right)
		if want := (lockout.Outcome{Right: true, Blocked: day}); o != want || err != nil {
			t.Errorf("%+v, %v; want %+v", o, err, want)
		}
	})
}

// However many guess at once, and however often, one is told of each block.
func TestOutcome_toldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLockout(t, lockout.Config{Store: &lockouttest.Faults{Store: lockout.NewMemoryStore(0), Latency: time.Millisecond}})
		for range 3 {
			told := inParallel(60, func() bool {
				o, _ := l.Attempt(context.Background(), "k", wrong)
				return o.Blocked > 0
			})
			if told != 1 {
				t.Errorf("told %d times", told)
			}
			time.Sleep(day)
		}
	})
}

// hanging is a store that answers when the context has ended.
type hanging struct{}

func (hanging) Apply(ctx context.Context, _ lockout.Entry) (int, time.Duration, error) {
	<-ctx.Done()
	return 0, 0, ctx.Err()
}

// A store that hangs refuses after the Timeout, also when it hangs as the guess is
// settled.
func TestTimeout(t *testing.T) {
	for name, c := range map[string]struct {
		set, want time.Duration
	}{"the default": {0, time.Second}, "set": {50 * time.Millisecond, 50 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				o, err := newLockout(t, lockout.Config{Store: hanging{}, Timeout: c.set}).Attempt(t.Context(), "k", never(t))
				if o.Right || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != c.want {
					t.Errorf("%+v, %v after %v; want %v", o, err, time.Since(start), c.want)
				}
				start = time.Now()
				l := newLockout(t, lockout.Config{Store: &hangsLater{lockout.NewMemoryStore(0), 0}, Timeout: c.set, Logger: quietLog})
				if o, err := l.Attempt(t.Context(), "k", right); !o.Right || err != nil || time.Since(start) != c.want {
					t.Errorf("%+v, %v after %v; want %v", o, err, time.Since(start), c.want)
				}
			})
		})
	}
}

// hangsLater answers the first call only.
type hangsLater struct {
	lockout.Store
	calls int
}

func (h *hangsLater) Apply(ctx context.Context, e lockout.Entry) (int, time.Duration, error) {
	if h.calls++; h.calls > 1 {
		return hanging{}.Apply(ctx, e)
	}
	return h.Store.Apply(ctx, e)
}
