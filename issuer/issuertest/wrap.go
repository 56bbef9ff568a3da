package issuertest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
)

// Slow returns a store that waits before and after each call to store, half of
// d each, so that callers overlap as they do over a network. It stops waiting
// when the context ends, and then returns its error.
func Slow(store issuer.Store, d time.Duration) issuer.Store {
	return &wrapped{store: store, around: func(ctx context.Context, call func() error) error {
		if err := wait(ctx, d/2); err != nil {
			return err
		}
		if err := call(); err != nil {
			return err
		}
		return wait(ctx, d-d/2)
	}}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Fault is what goes wrong with one call to a [Faulty] store.
type Fault int

const (
	None    Fault = iota
	Unsent        // the call never reached the store
	Unheard       // the store did it, and its answer was lost
)

// ErrFault is the error that a [Faulty] store returns.
var ErrFault = errors.New("issuertest: injected fault")

// Faulty returns a store whose calls, counted from 0 over all methods, go wrong
// as fault says. fault must be safe for concurrent use.
func Faulty(store issuer.Store, fault func(call int) Fault) issuer.Store {
	var calls atomic.Int64
	return &wrapped{store: store, around: func(_ context.Context, call func() error) error {
		f := fault(int(calls.Add(1) - 1))
		if f == Unsent {
			return ErrFault
		}
		err := call()
		if f == Unheard {
			return ErrFault
		}
		return err
	}}
}

// wrapped is a store with something around each call.
type wrapped struct {
	store  issuer.Store
	around func(ctx context.Context, call func() error) error
}

func (w *wrapped) Load(ctx context.Context, session string) (r issuer.Record, now time.Time, err error) {
	err = w.around(ctx, func() (err error) {
		r, now, err = w.store.Load(ctx, session)
		return err
	})
	if err != nil {
		return issuer.Record{}, time.Time{}, err
	}
	return r, now, nil
}

func (w *wrapped) Swap(ctx context.Context, r issuer.Record) (swapped bool, err error) {
	err = w.around(ctx, func() (err error) {
		swapped, err = w.store.Swap(ctx, r)
		return err
	})
	return swapped && err == nil, err
}

func (w *wrapped) List(ctx context.Context, subject string) (records []issuer.Record, err error) {
	err = w.around(ctx, func() (err error) {
		records, err = w.store.List(ctx, subject)
		return err
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}
