package ratelimit

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/named"
)

// maxCells is how many limits one request may be under.
const maxCells = 8

// All is several limits at once, such as one by address and one by account. A request
// needs room in each. If one refuses, none is charged.
//
// The strictest answers: of those that refuse the one with the longest wait, else
// the one with the least left. Answers are written as the first limiter writes them,
// and are quiet if any of the limiters is.
//
// The limiters must differ in name and share one [Store]: set Config.Store, as
// without it each has its own. There may be 8 at most.
func All(limiters ...*Limiter) (*Limiter, error) {
	all := new(Limiter)
	names := make(map[string]bool)
	var errs []error
	for i, l := range limiters {
		if l == nil || len(l.parts) == 0 {
			return nil, fmt.Errorf("ratelimit: limiter %d of All is not made by New", i+1)
		}
		if i == 0 {
			*all = Limiter{store: l.store, memory: l.memory, breaker: l.breaker, responder: l.responder}
		}
		if l.store != all.store {
			errs = append(errs, fmt.Errorf("ratelimit: %s has another Store than %s: they can't be charged at once", l.parts[0].name, limiters[0].parts[0].name))
		}
		for _, p := range l.parts {
			if names[p.name] {
				errs = append(errs, fmt.Errorf("ratelimit: %s is given twice", p.name))
			}
			names[p.name] = true
			all.parts = append(all.parts, p)
		}
		all.responder.quiet = all.responder.quiet || l.responder.quiet
	}
	if n := len(all.parts); n < 1 || n > maxCells {
		errs = append(errs, fmt.Errorf("ratelimit: All of %d limits, must be 1 to %d", n, maxCells))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	all.responder.render(all.parts)
	return all, nil
}

// allowParts decides about several limits. ask says which key pays, and how much.
func (l *Limiter) allowParts(ctx context.Context, ask func(*policy) (key string, n int, err error)) (Decision, error) {
	if l == nil || len(l.parts) == 0 {
		return Decision{}, errZero
	}
	if l.memory != nil {
		// The same as below; but cells that an interface never sees stay on the stack.
		var buf [maxCells]Cell
		cells := buf[:len(l.parts)]
		if err := l.fill(cells, ask); err != nil {
			return Decision{}, err
		}
		ok, err := l.memory.Take(ctx, cells)
		if err != nil {
			return Decision{}, err
		}
		return strictest(l.parts, ok, cells), nil
	}
	cells := make([]Cell, len(l.parts))
	if err := l.fill(cells, ask); err != nil {
		return Decision{}, err
	}
	ok, err := l.store.Take(ctx, cells)
	if err != nil {
		return l.withoutStore(ctx, cells, err)
	}
	return strictest(l.parts, ok, cells), nil
}

// fill says what each limit takes, and of which key.
func (l *Limiter) fill(cells []Cell, ask func(*policy) (string, int, error)) error {
	for i, p := range l.parts {
		k, n, err := ask(p)
		switch {
		case err != nil:
			return err
		case n < 1 || n > p.limit.Burst:
			return p.costError(n)
		case k == "":
			return errNoKey
		}
		cells[i] = p.cell(named.Bound(k), n)
	}
	return nil
}

// strictest picks the answer. If the store refused, the cells that had room count as
// allowed: the answer is then one of the others.
func strictest(parts []*policy, ok bool, cells []Cell) Decision {
	var strict Decision
	for i, p := range parts {
		_, room := spend(cells[i].Debt, cells[i].Cost, cells[i].Tolerance)
		var d Decision
		p.decide(&d, ok || room, cells[i].Debt, int(cells[i].Cost/p.interval))
		if i == 0 || stricter(d, strict) {
			strict = d
		}
	}
	return strict
}

func stricter(a, b Decision) bool {
	switch {
	case a.Allowed != b.Allowed:
		return !a.Allowed
	case a.RetryAfter != b.RetryAfter:
		return a.RetryAfter > b.RetryAfter
	case a.Remaining != b.Remaining:
		return a.Remaining < b.Remaining
	default:
		return a.Reset > b.Reset
	}
}
