package issuer

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// keyring is a schedule with what its issuer adds: how long before it signs a
// key is offered, and how long after.
type keyring struct {
	schedule   *Schedule
	lead, hold time.Duration
	last       atomic.Pointer[plan]
}

// plan is what a keyring says between two moments, worked out once.
type plan struct {
	keys        *[]*Key // of this version of the schedule
	from, until time.Time
	offered     []*Key
	set         claims.KeySet
}

// distant is a moment after all others.
var distant = time.Unix(1<<40, 0)

// signing returns the index of the key that signs at a moment, -1 if none does.
func signing(keys []*Key, now time.Time) int {
	i := len(keys) - 1
	for i >= 0 && now.Before(keys[i].from) {
		i--
	}
	return i
}

// signs returns the key that signs now.
func (r *keyring) signs(now time.Time) (*Key, error) {
	keys := r.schedule.all()
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	if i := signing(keys, now); i >= 0 {
		return keys[i], nil
	}
	return nil, fmt.Errorf("issuer: no key signs yet: the first, %v, signs from %v", keys[0], keys[0].from)
}

// errNoKeys says nothing about any token: whoever verifies answers 503.
var errNoKeys = errors.New("issuer: all keys are withdrawn")

// at returns the plan for now.
func (r *keyring) at(now time.Time) (*plan, error) {
	r.schedule.all() // looks whether it has changed
	keys := r.schedule.keys.Load()
	if len(*keys) == 0 {
		return nil, errNoKeys
	}
	if p := r.last.Load(); p != nil && p.keys == keys && !now.Before(p.from) && now.Before(p.until) {
		return p, nil
	}
	p := r.plan(*keys, now)
	p.keys = keys
	public := make([]*claims.Key, len(p.offered))
	for i, k := range p.offered {
		public[i] = k.public
	}
	if len(public) > 0 {
		var err error
		if p.set, err = claims.NewKeySet(public...); err != nil {
			return nil, fmt.Errorf("issuer: %w", err)
		}
	}
	r.last.Store(p)
	return p, nil
}

// plan works out which keys are published and verify now, best first: the one
// that signs, those before it, those to come. It is a function of its arguments
// alone, and true until the next moment at which one comes or goes.
func (r *keyring) plan(keys []*Key, now time.Time) *plan {
	p := &plan{from: now, until: distant}
	changes := func(at time.Time) {
		if now.Before(at) && at.Before(p.until) {
			p.until = at
		}
	}
	current := signing(keys, now)
	for i := current; i >= 0; i-- {
		gone := distant
		if i+1 < len(keys) {
			gone = keys[i+1].from.Add(r.hold)
		}
		if now.Before(gone) {
			p.offered = append(p.offered, keys[i])
		}
		changes(gone)
	}
	for _, k := range keys[current+1:] {
		comes := k.from.Add(-r.lead)
		if !now.Before(comes) {
			p.offered = append(p.offered, k)
		}
		changes(comes)
		changes(k.from)
	}
	return p
}

// Keys makes a keyring a claims.KeySet.
func (r *keyring) Keys(ctx context.Context, h claims.Header) ([]*claims.Key, error) {
	p, err := r.at(time.Now())
	if err != nil || p.set == nil {
		return nil, err
	}
	return p.set.Keys(ctx, h)
}
