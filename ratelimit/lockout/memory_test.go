package lockout_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout/lockouttest"
)

func TestMemoryStore(t *testing.T) {
	lockouttest.Run(t, func(testing.TB) lockout.Store { return lockout.NewMemoryStore(0) }, nil)
}

var quietLog = slog.New(slog.DiscardHandler)

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMemoryStore_bounded(t *testing.T) {
	t.Run("LO-25 a flood of unknown accounts frees no blocked one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLockout(t, lockout.Config{Store: lockout.NewMemoryStore(bound)})
			guess(t, l, "blocked", 5)
			guess(t, l, "almost", 4)
			before := heap()
			for i := range 20_000 {
				guess(t, l, strconv.Itoa(i), 1)
			}
			if grown := int64(heap()) - int64(before); grown > bound*512 {
				t.Errorf("%d bytes more", grown)
			}
			wantStatus(t, l, "blocked", 0, day)
			wantStatus(t, l, "almost", 1, 0)
		})
	})
	t.Run("LO-25 where half of them block, others have all tries but the last", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var lines strings.Builder
			store := lockout.NewMemoryStore(bound)
			l := newLockout(t, lockout.Config{Store: store, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
			guess(t, l, "almost", 4)
			for i := range bound / 2 {
				guess(t, l, strconv.Itoa(i), 5)
			}
			for i := range 100 {
				for range 5 {
					l.Attempt(t.Context(), "more"+strconv.Itoa(i), wrong)
				}
			}
			for i := range 2000 {
				guess(t, l, "stranger"+strconv.Itoa(i), 1)
			}
			for i := range bound / 2 {
				wantStatus(t, l, strconv.Itoa(i), 0, day)
			}
			wantStatus(t, l, "almost", 1, 0)
			guess(t, l, "new", 4)
			for _, key := range []string{"new", "almost"} {
				if o, err := l.Attempt(t.Context(), key, never(t)); o.Right || err == nil || errors.Is(err, lockout.ErrBlocked) {
					t.Errorf("%+v, %v", o, err)
				}
			}
			wantStatus(t, l, "new", 1, 0)
			guess(t, l, "fewer", 3)
			fewer := newLockout(t, lockout.Config{Tries: 2, Store: store})
			wantStatus(t, fewer, "fewer", 0, day) // not charged, so not one too many
			l.Unblock(t.Context(), "fewer")
			if o, err := l.Attempt(t.Context(), "owner", right); !o.Right || err != nil {
				t.Errorf("%+v, %v", o, err)
			}
			if n := strings.Count(lines.String(), "level=ERROR"); n != 1 || strings.Contains(lines.String(), "more") {
				t.Errorf("%d lines: %.500s", n, &lines)
			}
			l.Unblock(t.Context(), "0")
			guess(t, l, "almost", 1) // there is room for one
			wantBlocked(t, l, "almost", day)
			time.Sleep(day)
			guess(t, l, "new", 5)
			wantBlocked(t, l, "new", day)
		})
	})
	t.Run("LO-25 with a single try: refused, not let in", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLockout(t, lockout.Config{Tries: 1, Store: lockout.NewMemoryStore(bound), Logger: quietLog})
			for i := range bound / 2 {
				guess(t, l, strconv.Itoa(i), 1)
			}
			if o, err := l.Attempt(t.Context(), "new", never(t)); o.Right || err == nil {
				t.Errorf("%+v, %v", o, err)
			}
			wantStatus(t, l, "0", 0, day)
			time.Sleep(day)
			guess(t, l, "new", 1)
		})
	})
	t.Run("LO-25 guesses that are right or undecided push out one record in all", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLockout(t, lockout.Config{Store: lockout.NewMemoryStore(bound)})
			for i := range bound {
				guess(t, l, strconv.Itoa(i), 1)
			}
			for i := range 2000 {
				if o, err := l.Attempt(t.Context(), "own"+strconv.Itoa(i), right); !o.Right || err != nil {
					t.Fatal(o, err)
				}
				if _, err := l.Attempt(t.Context(), "others"+strconv.Itoa(i), undecided); !errors.Is(err, errDown) {
					t.Fatal(err)
				}
			}
			known := 0
			for i := range bound {
				if left, _, err := l.Status(t.Context(), strconv.Itoa(i)); err != nil {
					t.Fatal(err)
				} else if left == 4 {
					known++
				}
			}
			if known != bound-1 {
				t.Errorf("%d of %d records are left", known, bound)
			}
		})
	})
	// However the memory has been filled before, one more look at the victim costs
	// guesses at others: in a shard of 512 logs 64, a quarter of half of them.
	for i := range 12 {
		charges, others := i/2, bound-1+i%2*bound
		t.Run(fmt.Sprintf("LO-25 looks at a victim where %d others have %d charges", others, charges), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := lockout.NewMemoryStore(bound)
				l := newLockout(t, lockout.Config{Store: store, Logger: quietLog})
				long := newLockout(t, lockout.Config{Name: "long", Window: 2 * day, Store: store, Logger: quietLog})
				for i := range others {
					for range charges {
						long.Attempt(t.Context(), strconv.Itoa(i), wrong)
					}
				}
				looks := 0
				const guesses = 1000
				for i := range guesses {
					time.Sleep(time.Second)
					l.Attempt(t.Context(), "victim", func(context.Context) (bool, error) { looks++; return false, nil })
					l.Attempt(t.Context(), "stranger"+strconv.Itoa(i), wrong)
				}
				if most := 5 + guesses/64; looks > most {
					t.Errorf("%d looks for %d guesses at others, want at most %d", looks, guesses, most)
				}
			})
		})
	}
}

func TestMemoryStore_givesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := lockout.NewMemoryStore(0)
		l := newLockout(t, lockout.Config{Store: store, Block: time.Minute})
		stays := newLockout(t, lockout.Config{Name: "stays", Store: store})
		before := heap()
		for i := range 50_000 {
			guess(t, l, strconv.Itoa(i), 1)
		}
		for i := range 1000 {
			guess(t, stays, strconv.Itoa(i), 1)
		}
		full := heap() - before
		time.Sleep(time.Minute)
		for range 300 { // 131,072 keys are 256 shards, swept in turn
			time.Sleep(10 * time.Millisecond)
			wantStatus(t, l, "k", 5, 0)
		}
		if left := int64(heap()) - int64(before); left > int64(full)/16 {
			t.Errorf("%d bytes of %d are left", left, full)
		}
		wantStatus(t, stays, "7", 4, 0)
	})
}
