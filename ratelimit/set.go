package ratelimit

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/alarm"
)

// A Set holds limits by name, so that routes say which they are under and
// configuration says what that means. It can be replaced while serving:
// requests see the old limits or the new, never a mixture. Safe for concurrent
// use. The zero Set and a nil one know no name, and so refuse.
//
// To read it from a file again while serving:
//
//	configs, err := ratelimit.ParsePolicies(text, base, keys)
//	if err == nil {
//		err = set.Replace(configs...)
//	}
type Set struct {
	mu      sync.Mutex // one Replace at a time
	own     *MemoryStore
	current atomic.Pointer[held]
}

// held is what a set holds at a time. What it does not is answered for all of it.
type held struct {
	limiters map[string]*Limiter
	answer   answer
}

// NewSet makes a set. Its error lists every mistake in all of them, and names
// given twice. Limits without a Store share one of the set's own.
func NewSet(configs ...Config) (*Set, error) {
	s := new(Set)
	if err := s.Replace(configs...); err != nil {
		return nil, err
	}
	return s, nil
}

// Replace puts these limits in the place of all that the set held, or reports
// every mistake and changes nothing. Buckets are kept: a limit of the same
// name goes on with what was spent, as the time that it took to refill then.
//
// Requests for names that the set does not have are told to the first Logger that
// the limits have.
func (s *Set) Replace(configs ...Config) error {
	if s == nil {
		return errors.New("ratelimit: Replace of a nil Set")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.own == nil {
		s.own = NewMemoryStore(0)
	}
	h := &held{limiters: make(map[string]*Limiter, len(configs)), answer: answer{alarm: new(alarm.Alarm)}}
	var errs []error
	for _, c := range configs {
		if c.Store == nil {
			c.Store = s.own
		}
		l, err := New(c)
		if err != nil {
			errs = append(errs, fmt.Errorf("ratelimit: policy %q: %w", c.Name, err))
		}
		if _, ok := h.limiters[c.Name]; ok {
			errs = append(errs, fmt.Errorf("ratelimit: policy %q is given twice", c.Name))
		}
		h.limiters[c.Name] = l
		if h.answer.logger == nil {
			h.answer.logger = c.Logger
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.current.Store(h)
	return nil
}

// Limiter gives the limit that has the name now, or, of several names, [All]
// of them. An unknown name is an error.
func (s *Set) Limiter(names ...string) (*Limiter, error) { return s.now().pick(names) }

// nothing is what a set that was not made holds.
var nothing = new(held)

func (s *Set) now() *held {
	if s != nil {
		if h := s.current.Load(); h != nil {
			return h
		}
	}
	return nothing
}

func (h *held) pick(names []string) (*Limiter, error) {
	limiters := make([]*Limiter, len(names))
	for i, name := range names {
		l, ok := h.limiters[name]
		if !ok {
			return nil, fmt.Errorf("%w: %q", errNoPolicy, name)
		}
		limiters[i] = l
	}
	if len(limiters) == 1 {
		return limiters[0], nil
	}
	return All(limiters...)
}

// Handler puts a route under the limits of these names, whatever they mean at
// the time of a request:
//
//	mux.Handle("POST /login", set.Handler("DefaultRateLimitAuth")(login))
//
// A name that the set does not have then, refuses every request with 503. If it
// does not have it now either, the Logger is told at once.
func (s *Set) Handler(names ...string) func(http.Handler) http.Handler {
	names = append([]string(nil), names...)
	h := s.now()
	l, err := h.pick(names)
	if err == nil {
		err = l.mistake()
	}
	h.answer.mounted(err)
	type picked struct {
		from    *held
		limiter *Limiter
		err     error
	}
	var last atomic.Pointer[picked]
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			from := s.now()
			p := last.Load()
			if p == nil || p.from != from {
				p = &picked{from: from}
				p.limiter, p.err = from.pick(names)
				last.Store(p)
			}
			if p.err != nil {
				from.answer.fail(w, r, p.err)
				return
			}
			p.limiter.serve(w, r, next)
		})
	}
}

// Choose puts each request under the limit that name gives for it, so that
// different parties have different limits:
//
//	set.Choose(func(r *http.Request) string { return "party-" + partyOf(r) })
//
// A request for which it gives a name that the set doesn't have is refused with
// 503. Mount it behind what finds out who is asking; as of a [KeyFunc], name must
// not read the body.
func (s *Set) Choose(name func(*http.Request) string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			from := s.now()
			limiter, err := from.pick([]string{name(r)})
			if err != nil {
				from.answer.fail(w, r, err)
				return
			}
			limiter.serve(w, r, next)
		})
	}
}
