package ratelimitredis_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimitredis"
)

// guesserVariable makes this program an application process that guesses.
const guesserVariable = "GATEHOUSE_TEST_GUESSER"

// orders are what such a process is told.
type orders struct {
	Address, Prefix string
	Guesses         int
	Block           time.Duration
	Start           time.Time     // when all begin
	Over            time.Duration // how long the guesses are spread
	HangUp          bool          // clients close their connections
}

// results are what it says when it is done.
type results struct {
	Looks, Blocked, Failed int64
}

func guesser() {
	var o orders
	if err := json.Unmarshal([]byte(os.Getenv(guesserVariable)), &o); err != nil {
		panic(err)
	}
	client := redis.NewClient(options(o.Address))
	store, err := ratelimitredis.New(client, ratelimitredis.Config{Prefix: o.Prefix, Timeout: 5 * time.Second})
	if err != nil {
		panic(err)
	}
	guesses, err := lockout.New(lockout.Config{Name: "recovery", Store: store, Block: o.Block, Timeout: 5 * time.Second, Logger: silent})
	if err != nil {
		panic(err)
	}
	json.NewEncoder(os.Stdout).Encode(o.guess(guesses))
}

func (o orders) guess(guesses *lockout.Lockout) results {
	var looks, blocked, failed atomic.Int64
	time.Sleep(time.Until(o.Start))
	var wg sync.WaitGroup
	for i := range o.Guesses {
		wg.Go(func() {
			time.Sleep(o.Over * time.Duration(i) / time.Duration(o.Guesses))
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if o.HangUp {
				time.AfterFunc(time.Duration(rand.IntN(int(5*time.Millisecond))), cancel)
			}
			_, err := guesses.Attempt(ctx, "ann@example.com", func(context.Context) (bool, error) {
				looks.Add(1)
				return false, nil
			})
			switch {
			case errors.Is(err, lockout.ErrBlocked):
				blocked.Add(1)
			case err != nil:
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	return results{looks.Load(), blocked.Load(), failed.Load()}
}

// processes has three processes guess a thousand times in all.
func processes(t *testing.T, o orders) (sum results) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	if o.Start.IsZero() {
		o.Start = time.Now().Add(500 * time.Millisecond) // when all are up
	}
	for _, o.Guesses = range []int{333, 333, 334} {
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), guesserVariable+"="+string(text))
			var errors bytes.Buffer
			c.Stderr = &errors
			out, err := c.Output()
			var r results
			if err == nil {
				err = json.Unmarshal(out, &r)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("process: %v\n%s\n%s", err, out, &errors)
			}
			sum.Looks, sum.Blocked, sum.Failed = sum.Looks+r.Looks, sum.Blocked+r.Blocked, sum.Failed+r.Failed
		})
	}
	wg.Wait()
	t.Logf("looked at %d, blocked %d, failed %d", sum.Looks, sum.Blocked, sum.Failed)
	if sum.Looks+sum.Blocked+sum.Failed != 1000 {
		t.Errorf("%d of 1000 guesses were answered", sum.Looks+sum.Blocked+sum.Failed)
	}
	return sum
}

const day = 24 * time.Hour

// A thousand parallel guesses over three processes and one Redis.
func TestThreeProcesses(t *testing.T) {
	t.Parallel()
	s := anyServer(t)
	t.Run("LO-03 LO-18 LO-36 in parallel", func(t *testing.T) {
		if sum := processes(t, orders{Address: s.address, Prefix: freshPrefix(), Block: day}); sum.Looks != 5 || sum.Failed != 0 {
			t.Errorf("%+v", sum)
		}
	})
	t.Run("LO-36 clients hang up", func(t *testing.T) {
		if sum := processes(t, orders{Address: s.address, Prefix: freshPrefix(), Block: day, HangUp: true}); sum.Looks > 5 {
			t.Errorf("%+v", sum)
		}
	})
	t.Run("LO-36 replies are lost", func(t *testing.T) {
		p := newProxy(t, s.address)
		p.lose.Store(30)
		o := orders{Address: p.address(), Prefix: freshPrefix(), Block: day}
		if sum := processes(t, o); sum.Looks > 5 || p.lost.Load() == 0 {
			t.Errorf("%+v, %d replies lost", sum, p.lost.Load())
		}
	})
	t.Run("LO-36 as the block ends", func(t *testing.T) {
		prefix := freshPrefix()
		const block = 3 * time.Second
		guesses := newLockout(t, newStore(t, s.client(t), ratelimitredis.Config{Prefix: prefix}), block)
		for range 5 {
			wrong(t, guesses, "ann@example.com")
		}
		_, wait, err := guesses.Status(t.Context(), "ann@example.com")
		if err != nil {
			t.Fatal(err)
		}
		o := orders{Address: s.address, Prefix: prefix, Block: block, Start: time.Now().Add(wait - 100*time.Millisecond), Over: 200 * time.Millisecond}
		if sum := processes(t, o); sum.Looks != 5 || sum.Blocked == 0 {
			t.Errorf("%+v", sum)
		}
	})
}

func newLockout(t testing.TB, store lockout.Store, block time.Duration) *lockout.Lockout {
	t.Helper()
	l, err := lockout.New(lockout.Config{Name: "recovery", Store: store, Block: block, Timeout: 5 * time.Second, Logger: silent})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func wrong(t testing.TB, l *lockout.Lockout, key string) {
	t.Helper()
	if o, err := l.Attempt(context.Background(), key, func(context.Context) (bool, error) { return false, nil }); o.Right || err != nil {
		t.Errorf("Attempt: %+v, %v", o, err)
	}
}

// A reply that is lost is asked for again, and charges nobody twice.
func TestLostReplies(t *testing.T) {
	p := newProxy(t, anyServer(t).address)
	client := redis.NewClient(options(p.address()))
	defer client.Close()
	store := newStore(t, client, ratelimitredis.Config{})
	guesses := newLockout(t, store, day)
	if take, apply := both(store, "warm-up"); take != nil || apply != nil { // connected, scripts known
		t.Fatal(take, apply)
	}
	for tries := range 4 {
		p.next.Store(true)
		wrong(t, guesses, "k")
		if left, _, err := guesses.Status(t.Context(), "k"); left != 4-tries || err != nil {
			t.Errorf("%d left, want %d (%v)", left, 4-tries, err)
		}
	}
	p.next.Store(true)
	if ok, err := store.Take(t.Context(), []ratelimit.Cell{cell("k", 1, 5)}); ok || err == nil {
		t.Errorf("Take without a reply: %v, %v", ok, err)
	}
	if ok, err := store.Take(t.Context(), []ratelimit.Cell{cell("k", 4, 5)}); !ok || err != nil {
		t.Errorf("Take was sent twice: %v, %v", ok, err)
	}
	if p.lost.Load() != 5 {
		t.Errorf("%d replies lost, want 5", p.lost.Load())
	}
}

// What is refunded or forgiven in parallel with guesses adds up.
func TestSettlements(t *testing.T) {
	store := newStore(t, anyServer(t).client(t), ratelimitredis.Config{})
	guesses := newLockout(t, store, day)
	undecided := fmt.Errorf("%w: no idea", lockout.ErrUndecided)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			key := fmt.Sprint(i % 2)
			_, err := guesses.Attempt(context.Background(), key, func(context.Context) (bool, error) {
				time.Sleep(time.Millisecond)
				return i%2 == 1, map[bool]error{true: undecided}[i%2 == 0]
			})
			if err != nil && !errors.Is(err, undecided) && !errors.Is(err, lockout.ErrBlocked) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, key := range []string{"0", "1"} {
		if left, _, err := guesses.Status(t.Context(), key); left != 5 || err != nil {
			t.Errorf("%s: %d left of 5, %v", key, left, err)
		}
	}
}
