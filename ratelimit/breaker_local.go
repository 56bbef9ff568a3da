package ratelimit

import (
	"context"
	"fmt"
)

// withoutStore decides when the store has failed with cause, as each limit wants it: by
// its share, openly, or not at all. If one refuses, all do. The buckets of the shares
// are the breaker's, so that all limiters over it share them.
func (l *Limiter) withoutStore(ctx context.Context, cells []Cell, cause error) (Decision, error) {
	cause = fmt.Errorf("ratelimit: store: %w", cause)
	var parts []*policy
	var local []Cell
	for i, p := range l.parts {
		switch {
		case p.local != nil:
			n := int(cells[i].Cost / p.interval)
			if n > p.local.limit.Burst { // the whole burst would have it, its share hasn't
				return Decision{}, fmt.Errorf("%w; %w", cause, p.local.costError(n))
			}
			parts, local = append(parts, p.local), append(local, p.local.cell(cells[i].Key, n))
		case !p.open:
			return Decision{}, cause
		}
	}
	if len(parts) == 0 {
		return Decision{Allowed: true, Local: true}, nil
	}
	ok, err := l.breaker.local.Take(ctx, local)
	if err != nil {
		return Decision{}, fmt.Errorf("%w; %w", cause, err)
	}
	d := strictest(parts, ok, local)
	d.Local = true
	return d, nil
}
