package ratelimittest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// ErrFault is what [Faults] fails with.
var ErrFault = errors.New("ratelimittest: injected fault")

// Faults is a store as it is seen over a bad network. The fields are set
// before use and not changed while in use.
type Faults struct {
	Store ratelimit.Store

	// Latency passes before and after each step.
	Latency time.Duration

	// Before says whether to fail the call of this number, the first being 1,
	// before its step is taken; After, whether to lose its reply. Nil fails
	// none.
	Before, After func(call int) bool

	calls atomic.Int64
}

// Take passes on to the store.
func (f *Faults) Take(ctx context.Context, cells []ratelimit.Cell) (ok bool, err error) {
	err = f.around(func() (err error) {
		ok, err = f.Store.Take(ctx, cells)
		return err
	})
	return ok && err == nil, err
}

// Calls is how many calls there have been.
func (f *Faults) Calls() int { return int(f.calls.Load()) }

func (f *Faults) around(step func() error) error {
	call := int(f.calls.Add(1))
	time.Sleep(f.Latency)
	if f.Before != nil && f.Before(call) {
		return ErrFault
	}
	err := step()
	time.Sleep(f.Latency)
	if f.After != nil && f.After(call) {
		return ErrFault
	}
	return err
}
