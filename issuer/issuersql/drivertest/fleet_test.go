package drivertest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
)

const (
	clients  = 40
	pace     = 200 * time.Millisecond // of each client: 200 refreshes per second in all
	racers   = 4
	deadline = 2 * time.Second
	// slack is for the scheduler of a busy machine; a call that hangs hangs
	// longer.
	slack = 5 * time.Second
)

// fleet is clients that refresh in parallel while things break, and notices what
// must not happen:
//
//   - a token that a client was just told is refused;
//   - two callers get a successor of one token, or a session has two live tokens;
//   - a call outlasts its deadline.
type fleet struct {
	t              *testing.T
	strict, graced []gate // machines without and with grace
	forgetful      bool   // the store may lose what it confirmed: tell, don't fail
	stop           chan struct{}
	running        sync.WaitGroup
	refreshed      atomic.Int64
	unavailable    atomic.Int64
	loggedIn       atomic.Int64 // again, without grace after an answer was lost
	lost           atomic.Int64 // by a forgetful store

	mu       sync.Mutex
	sessions []*lineage
}

// lineage is the tokens of one session that clients were told, oldest first.
type lineage struct {
	tokens []string
	graced bool
	doubt  bool // the last was presented, and what became of it is not known
	over   bool // the client was told that it has to log in
}

func launch(t *testing.T, strict, graced []gate, forgetful bool) *fleet {
	f := &fleet{t: t, strict: strict, graced: graced, forgetful: forgetful, stop: make(chan struct{})}
	for i := range clients {
		f.running.Go(func() { f.client(i%2 == 0) })
	}
	for range racers {
		f.running.Go(f.racer)
	}
	return f
}

// land ends all clients, and judges what they hold.
func (f *fleet) land() {
	f.t.Helper()
	close(f.stop)
	f.running.Wait()
	for _, l := range f.sessions {
		f.judge(l)
	}
	if f.refreshed.Load() == 0 {
		f.t.Error("nothing was refreshed")
	}
	f.t.Logf("%d sessions, %d refreshes, %d answers that it can't be done now, %d logged in again, %d promises broken",
		len(f.sessions), f.refreshed.Load(), f.unavailable.Load(), f.loggedIn.Load(), f.lost.Load())
}

// broken says that a promise was broken that only a forgetful store may break.
func (f *fleet) broken(format string, a ...any) {
	f.t.Helper()
	if f.forgetful {
		f.lost.Add(1)
		return
	}
	f.t.Errorf(format, a...)
}

// pause waits for about d, and reports whether there is more to do.
func (f *fleet) pause(d time.Duration) bool {
	select {
	case <-f.stop:
		return false
	case <-time.After(d/2 + rand.N(d)):
		return true
	}
}

func (f *fleet) client(graced bool) {
	l := f.login(graced)
	for l != nil && f.pause(pace) {
		if f.step(l); l.over {
			f.loggedIn.Add(1)
			l = f.login(graced)
		}
	}
}

// login returns a new session, nil if there is no more time.
func (f *fleet) login(graced bool) *lineage {
	for {
		token, err := f.call(graced, func(ctx context.Context, g gate) (string, error) { return g.issue(ctx) })
		if err == nil {
			l := &lineage{tokens: []string{token}, graced: graced}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.sessions = append(f.sessions, l)
			return l
		}
		if errors.Is(err, issuer.ErrGrant) {
			f.t.Errorf("Issue: %v", err)
		}
		if !f.pause(pace) {
			return nil
		}
	}
}

// step refreshes once.
func (f *fleet) step(l *lineage) {
	token, err := f.refresh(l)
	switch {
	case err == nil:
		l.tokens, l.doubt = append(l.tokens, token), false
	case !errors.Is(err, issuer.ErrGrant):
		l.doubt = true
	case l.graced:
		f.broken("a client with grace was told a token that is dead (in doubt: %v): %v", l.doubt, err)
		l.over = true
	case !l.doubt:
		f.broken("a client was told a token that is dead: %v", err)
		l.over = true
	default: // its answer was lost, and the store had done it
		l.over = true
	}
}

func (f *fleet) refresh(l *lineage) (string, error) {
	token, err := f.call(l.graced, func(ctx context.Context, g gate) (string, error) {
		return g.refresh(ctx, l.tokens[len(l.tokens)-1])
	})
	if err == nil {
		f.refreshed.Add(1)
	}
	return token, err
}

// call calls some machine, and minds the time.
func (f *fleet) call(graced bool, do func(context.Context, gate) (string, error)) (string, error) {
	gates := f.strict
	if graced {
		gates = f.graced
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	began := time.Now()
	token, err := do(ctx, gates[rand.N(len(gates))])
	if took := time.Since(began); took > deadline+slack {
		f.t.Errorf("a call with a deadline of %v took %v", deadline, took)
	}
	if err != nil && token != "" {
		f.t.Errorf("a token and an error: %v", err)
	}
	if err != nil && !errors.Is(err, issuer.ErrGrant) {
		f.unavailable.Add(1)
	}
	return token, err
}

// racer presents tokens twice at once: at most one caller may get a successor.
func (f *fleet) racer() {
	for f.pause(pace) {
		l := f.login(false)
		if l == nil {
			return
		}
		var both sync.WaitGroup
		var won atomic.Int64
		for range 2 {
			both.Go(func() {
				if _, err := f.refresh(l); err == nil {
					won.Add(1)
				}
			})
		}
		both.Wait()
		if won.Load() > 1 {
			f.broken("one token got two successors")
		}
		l.over = true
	}
}

// judge presents all tokens of a session, the last first, to a machine without
// grace: at most one may be alive, and the last must be if it is not in doubt.
func (f *fleet) judge(l *lineage) {
	alive := 0
	for i := len(l.tokens) - 1; i >= 0; i-- {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		_, err := f.strict[0].refresh(ctx, l.tokens[i])
		cancel()
		last := i == len(l.tokens)-1
		switch {
		case err == nil:
			alive++
		case !errors.Is(err, issuer.ErrGrant):
			f.t.Errorf("afterwards a token can't be judged: %v", err)
		case last && !l.doubt && !l.over:
			f.broken("a client was told a token that is dead: %v", err)
		}
		if err == nil && !last {
			f.broken("a spent token is alive, %d from the last", len(l.tokens)-1-i)
		}
		if i < len(l.tokens)-3 {
			break // older ones fare like these
		}
	}
	if alive > 1 {
		f.t.Errorf("a session has %d live tokens", alive)
	}
}
