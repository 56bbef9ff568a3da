package signing

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// Window says for how long a key of a [Schedule] is offered to verifiers, beyond the
// time in which it signs. Negative durations count as 0. The zero Window offers the
// key that signs and no other: tokens of a key are refused as soon as the next one
// signs.
type Window struct {
	// Lead is how long before it signs a key is offered, so that verifiers have
	// it in time: longer than they keep what they fetched.
	Lead time.Duration
	// Hold is how long a key is still offered after its successor has begun to
	// sign: as long as its last token is valid, plus how far clocks may be off.
	Hold time.Duration
}

// KeySet returns the verifying halves of the keys that a window offers, best
// first: the one that signs, those before it, those to come. It follows the
// schedule. While the schedule has no keys its Keys returns an error, and verifiers
// answer 503.
func (s *Schedule) KeySet(w Window) claims.KeySet { return s.keyring(w) }

func (s *Schedule) keyring(w Window) *keyring {
	return &keyring{schedule: s, lead: max(w.Lead, 0), hold: max(w.Hold, 0)}
}

// keyring is a schedule seen through a window.
type keyring struct {
	schedule   *Schedule
	lead, hold time.Duration
	last       atomic.Pointer[plan]
}

// plan is what a keyring offers between two moments, worked out once.
type plan struct {
	keys        *[]*Key // of this version of the schedule
	from, until time.Time
	offered     []*Key
	set         claims.KeySet
}

// distant is a moment after all others.
var distant = time.Unix(1<<40, 0)

// at returns the plan for now.
func (r *keyring) at(now time.Time) (*plan, error) {
	keys, err := r.schedule.current()
	if err != nil {
		return nil, err
	}
	// Verifiers ask for every token, so a plan is kept until the schedule is replaced or
	// a key comes or goes. It is not for a caller that read the clock before it was made.
	if p := r.last.Load(); p != nil && p.keys == keys && !now.Before(p.from) && now.Before(p.until) {
		return p, nil
	}
	p := r.plan(*keys, now)
	p.keys = keys
	public := make([]*claims.Key, len(p.offered))
	for i, k := range p.offered {
		public[i] = k.public
	}
	if len(public) > 0 { // else no key is offered yet: no token can be genuine
		if p.set, err = claims.NewKeySet(public...); err != nil {
			return nil, fmt.Errorf("signing: %w", err)
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
	current := signs(keys, now)
	for i := current; i >= 0; i-- {
		// A key signed until its successor's From, and not until now: what counts is
		// when its last token was signed. The current key has no last token yet.
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

// Algorithms returns the algorithms of the keys for kid, and where they are set, for the
// log of a verifier.
func (r *keyring) Algorithms(kid string) (algorithms []string, field string) {
	p, err := r.at(time.Now())
	if err != nil {
		return nil, ""
	}
	if set, ok := p.set.(interface {
		Algorithms(kid string) ([]string, string)
	}); ok {
		algorithms, _ = set.Algorithms(kid)
	}
	return algorithms, "signing.NewKey"
}
