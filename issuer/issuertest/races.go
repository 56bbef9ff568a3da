package issuertest

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// latency is what Slow adds where callers shall overlap.
const latency = 5 * time.Millisecond

// atOnce runs n goroutines and waits for them.
func atOnce(n int, run func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { run(i) })
	}
	all.Wait()
}

func oneWins(t *testing.T, open opener) {
	s := Slow(open(t), latency)
	r := fresh(t, s, name())
	for version := uint64(1); version <= 4; version++ {
		r.Version = version
		var won atomic.Int64
		atOnce(50, func(i int) {
			mine := r
			mine.Data = bytes.Repeat([]byte{byte(i)}, 50+i) // so a mixture of two would show
			swapped, err := s.Swap(t.Context(), mine)
			if err != nil {
				t.Errorf("Swap: %v", err)
			}
			if swapped {
				won.Add(1)
			}
		})
		if won.Load() != 1 {
			t.Errorf("%d of 50 swaps to version %d won", won.Load(), version)
		}
		got, _ := load(t, s, r.Session)
		if got.Version != version || len(got.Data) == 0 || len(got.Data) != 50+int(got.Data[0]) {
			t.Errorf("version %d, data of %d bytes", got.Version, len(got.Data))
		}
	}
}

func noneLost(t *testing.T, open opener) {
	s := open(t)
	r := fresh(t, s, name())
	r.Data = nil
	swap(t, s, r, true)
	const writers, each = 8, 10
	atOnce(writers, func(i int) {
		for done := 0; done < each; {
			mine, _, err := s.Load(t.Context(), r.Session)
			if err != nil {
				t.Errorf("Load: %v", err)
				return
			}
			mine.Version++
			mine.Data = append(mine.Data, byte(i))
			swapped, err := s.Swap(t.Context(), mine)
			if err != nil {
				t.Errorf("Swap: %v", err)
				return
			}
			if swapped {
				done++
			}
		}
	})
	got, _ := load(t, s, r.Session)
	if got.Version != 1+writers*each {
		t.Errorf("version %d after %d swaps", got.Version, 1+writers*each)
	}
	for i := range writers {
		if n := bytes.Count(got.Data, []byte{byte(i)}); n != each {
			t.Errorf("%d of writer %d's %d changes are there", n, i, each)
		}
	}
}

// nodes returns issuers that share a store and a key, as machines do.
func nodes(t *testing.T, s issuer.Store, grace time.Duration) []*issuer.Issuer[struct{}] {
	t.Helper()
	key, err := signing.NewSecret("HS256", "", []byte(name()+name()), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := signing.NewSchedule(key)
	if err != nil {
		t.Fatal(err)
	}
	var all []*issuer.Issuer[struct{}]
	for range 3 {
		node, err := issuer.New(issuer.Config[struct{}]{
			Issuer: "https://id.example", Audience: []string{"api"}, Keys: keys, Store: s, Grace: grace,
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, node)
	}
	return all
}

func issue(t *testing.T, node *issuer.Issuer[struct{}], subject string) issuer.Pair {
	t.Helper()
	pair, err := node.Issue(t.Context(), claims.Claims[struct{}]{Subject: subject})
	if err != nil {
		t.Fatalf("Issue: %v", err)
	}
	return pair
}

// callers is how many present one refresh token at once.
const callers = 1000

// oneSuccess presents one token a thousand times at once, without grace. Exactly one
// caller gets a successor. The tokens of all others are spent tokens that came back, so
// the session has ended.
func oneSuccess(t *testing.T, open opener) {
	all := nodes(t, Slow(open(t), latency), 0)
	first := issue(t, all[0], name())
	var mu sync.Mutex
	var successors []issuer.Pair
	atOnce(callers, func(i int) {
		pair, err := all[i%len(all)].Refresh(t.Context(), first.RefreshToken)
		switch {
		case err == nil:
			mu.Lock()
			successors = append(successors, pair)
			mu.Unlock()
		case !errors.Is(err, issuer.ErrGrant):
			t.Errorf("Refresh: %v", err)
		}
	})
	if len(successors) != 1 {
		t.Fatalf("%d of %d callers got a successor", len(successors), callers)
	}
	if _, err := all[0].Refresh(t.Context(), successors[0].RefreshToken); !errors.Is(err, issuer.ErrGrant) {
		t.Errorf("the session lives on after reuse: %v", err)
	}
}

// oneSuccessor is oneSuccess within the grace: all get the same successor.
func oneSuccessor(t *testing.T, open opener) {
	all := nodes(t, Slow(open(t), latency), time.Minute)
	first := issue(t, all[0], name())
	successors := make([]string, callers)
	atOnce(callers, func(i int) {
		pair, err := all[i%len(all)].Refresh(t.Context(), first.RefreshToken)
		if err != nil {
			t.Errorf("Refresh: %v", err)
		}
		successors[i] = pair.RefreshToken
	})
	for _, token := range successors {
		if token != successors[0] {
			t.Fatal("two successors differ")
		}
	}
	if _, err := all[1].Refresh(t.Context(), successors[0]); err != nil {
		t.Errorf("the successor is refused: %v", err)
	}
	if _, err := all[2].Refresh(t.Context(), first.RefreshToken); !errors.Is(err, issuer.ErrReused) {
		t.Errorf("a token two generations old: %v", err)
	}
}

// revocationWins ends sessions while they are refreshed. Whatever order the
// store makes of it, they have ended afterwards.
func revocationWins(t *testing.T, open opener) {
	all := nodes(t, Slow(open(t), latency), time.Minute)
	subject := name()
	pairs := make([]issuer.Pair, 20)
	for i := range pairs {
		pairs[i] = issue(t, all[0], subject)
	}
	var refreshing sync.WaitGroup
	for i := range pairs {
		refreshing.Go(func() {
			for range 20 {
				next, err := all[i%len(all)].Refresh(t.Context(), pairs[i].RefreshToken)
				if err != nil {
					return
				}
				pairs[i] = next
			}
		})
	}
	if err := all[1].RevokeAll(t.Context(), subject); err != nil {
		t.Errorf("RevokeAll: %v", err)
	}
	refreshing.Wait()
	for _, pair := range pairs {
		if _, err := all[2].Refresh(t.Context(), pair.RefreshToken); !errors.Is(err, issuer.ErrGrant) {
			t.Errorf("a revoked session is refreshed: %v", err)
		}
	}
	if live, err := all[0].Sessions(t.Context(), subject); err != nil || len(live) != 0 {
		t.Errorf("%d sessions live, %v", len(live), err)
	}
}
