package drivertest

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuerredis"
	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
)

// histories is how many histories TestLinearisable makes for each store and kind
// of grace; GATEHOUSE_HISTORIES=10000 asks for more.
func histories() int {
	if n, err := strconv.Atoi(os.Getenv("GATEHOUSE_HISTORIES")); err == nil {
		return n
	}
	return 60
}

// TestLinearisable refreshes, reuses and revokes one session through three
// issuers at once, with latency and lost answers, and asks whether there is an
// order of all of it in which each step obeys the rules.
func TestLinearisable(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) issuer.Store{
		"memory": func(t *testing.T) issuer.Store { return issuer.NewMemoryStore() },
		"SQLite": func(t *testing.T) issuer.Store {
			s, _ := openSQLite(t, newFile(t), issuersql.Config{Timeout: patience})
			return s
		},
		"PostgreSQL": func(t *testing.T) issuer.Store {
			s, _ := openPostgres(t, postgres(t).address(), issuersql.Config{Timeout: patience})
			return s
		},
		"Redis": func(t *testing.T) issuer.Store {
			return openRedis(t, newRedis(t, always...).address(), issuerredis.Config{})
		},
	} {
		t.Run("RF-33 "+name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			for _, grace := range []time.Duration{0, time.Minute} {
				var some sync.WaitGroup
				places := make(chan struct{}, 8)
				for range histories() {
					places <- struct{}{}
					some.Go(func() {
						defer func() { <-places }()
						check(t, s, grace)
					})
				}
				some.Wait()
			}
		})
	}
}

// step is what a client asks, and answer what it hears.
type step struct {
	revoke     bool
	generation int // of the token that is presented
}

type answer int

const (
	unknown answer = iota // an error: it may have been done, now or later
	done
	reused
	refused
)

// state is a session as the rules see it.
type state struct {
	generation int
	ended      bool
}

// rules are one-time tokens. With grace, which no history outlasts, the token
// before the current one gets the same successor.
func rules(graced bool) porcupine.Model {
	stale := func(s state, generation int) bool {
		return generation < s.generation && !(graced && generation+1 == s.generation)
	}
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{state{}} },
		Step: func(from, input, output any) []any {
			s, in, out := from.(state), input.(step), output.(answer)
			next, over := state{s.generation + 1, false}, state{s.generation, true}
			current := !s.ended && in.generation == s.generation
			switch {
			case in.revoke && out == done:
				return []any{over}
			case in.revoke:
				return []any{s, over}
			case out == unknown && current:
				return []any{s, next}
			case out == unknown && stale(s, in.generation):
				return []any{s, over}
			case out == unknown:
				return []any{s}
			case out == done && current:
				return []any{next}
			case out == done && !s.ended && graced && in.generation+1 == s.generation:
				return []any{s}
			case out == reused && stale(s, in.generation):
				return []any{over}
			case out == refused && s.ended:
				return []any{s}
			}
			return nil
		},
	}
	return m.ToModel()
}

// history is one session and what its clients did.
type history struct {
	began time.Time

	mu     sync.Mutex
	tokens []string // by generation
	steps  []porcupine.Operation
}

func check(t *testing.T, s issuer.Store, grace time.Duration) {
	var calls atomic.Int64
	lossy := issuertest.Slow(issuertest.Faulty(s, func(int) issuertest.Fault {
		if calls.Add(1) > 2 && rand.N(25) == 0 { // but for Issue
			return issuertest.Unheard
		}
		return issuertest.None
	}), 2*time.Millisecond)
	h := &history{began: time.Now()}
	var nodes []*tokens
	for range 3 {
		nodes = append(nodes, newNode(t, lossy, grace, secret))
	}
	pair, err := nodes[0].Issue(context.Background(), claims.Claims[struct{}]{Subject: "alice"})
	if err != nil {
		t.Errorf("Issue: %v", err)
		return
	}
	h.tokens = []string{pair.RefreshToken}
	var all sync.WaitGroup
	for i := range 5 {
		all.Go(func() {
			for range 4 {
				h.step(t, nodes[i%len(nodes)], i)
			}
		})
	}
	all.Wait()
	end := int64(time.Since(h.began))
	for i := range h.steps {
		if h.steps[i].Output == unknown {
			h.steps[i].Return = end
		}
	}
	if r := porcupine.CheckOperationsTimeout(rules(grace > 0), h.steps, 20*time.Second); r != porcupine.Ok {
		t.Errorf("grace %v: %s: %v", grace, r, h.steps)
	}
}

// step presents one of the last tokens, mostly the last, or revokes by it.
func (h *history) step(t *testing.T, node *tokens, client int) {
	h.mu.Lock()
	in := step{revoke: rand.N(25) == 0, generation: len(h.tokens) - 1}
	if rand.N(6) == 0 {
		in.generation = max(0, in.generation-rand.N(3))
	}
	token := h.tokens[in.generation]
	h.mu.Unlock()

	call := int64(time.Since(h.began))
	var pair issuer.Pair
	var err error
	if in.revoke {
		err = node.Revoke(context.Background(), token)
	} else {
		pair, err = node.Refresh(context.Background(), token)
	}
	op := porcupine.Operation{ClientId: client, Input: in, Call: call, Return: int64(time.Since(h.began))}
	switch {
	case err == nil:
		op.Output = done
	case errors.Is(err, issuer.ErrReused):
		op.Output = reused
	case errors.Is(err, issuer.ErrGrant):
		op.Output = refused
	default:
		op.Output = unknown
	}

	h.mu.Lock()
	defer h.mu.Unlock()
	h.steps = append(h.steps, op)
	if in.revoke || err != nil {
		return
	}
	if len(h.tokens) == in.generation+1 {
		h.tokens = append(h.tokens, pair.RefreshToken)
	} else if h.tokens[in.generation+1] != pair.RefreshToken {
		t.Error("one token got two successors that differ")
	}
}
