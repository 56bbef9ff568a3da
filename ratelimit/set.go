package ratelimit

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/alarm"
)

// A Set holds limits by name: routes name a limit, and configuration says what it is.
// It can be replaced while serving. Each request sees the old limits or the new,
// never a mixture. A Set is safe for concurrent use. The zero Set and a nil one know
// no name, and so refuse.
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

// held is the content of a Set at one moment. Requests for a name that it lacks get
// responder.
type held struct {
	limiters  map[string]*Limiter
	responder responder
}

// NewSet makes a set. Its error lists every mistake in all configs, and names given
// twice. Limits without a Store share one [MemoryStore] of the set's own.
func NewSet(configs ...Config) (*Set, error) {
	s := new(Set)
	if err := s.Replace(configs...); err != nil {
		return nil, err
	}
	return s, nil
}

// Replace puts these limits in the place of all that the set held, or reports every
// mistake and changes nothing. Buckets are kept: a limit of the same name goes on with
// the time that the old one still needed to refill.
//
// The first Logger that the limits have hears of requests for names that the set
// doesn't have.
func (s *Set) Replace(configs ...Config) error {
	if s == nil {
		return errors.New("ratelimit: Replace of a nil Set")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.own == nil {
		s.own = NewMemoryStore(0)
	}
	h := &held{limiters: make(map[string]*Limiter, len(configs)), responder: responder{alarm: new(alarm.Alarm)}}
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
		if h.responder.logger == nil {
			h.responder.logger = c.Logger
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.current.Store(h)
	return nil
}

// Limiter returns the limit that has the name now, or [All] of several names. An
// unknown name is an error.
func (s *Set) Limiter(names ...string) (*Limiter, error) { return s.now().pick(names) }

// nothing is what a Set holds that NewSet didn't make.
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
// While the set lacks a name every request is refused with 503. If it lacks one now,
// the Logger hears of it at once.
func (s *Set) Handler(names ...string) func(http.Handler) http.Handler {
	names = append([]string(nil), names...)
	h := s.now()
	l, err := h.pick(names)
	if err == nil {
		err = l.mistake()
	}
	h.responder.mounted(err)
	type picked struct {
		from    *held
		limiter *Limiter
		err     error
	}
	var last atomic.Pointer[picked] // picked anew after each Replace, not for each request
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
				from.responder.fail(w, r, p.err)
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
// If the set lacks that name the request is refused with 503. Mount it behind what
// finds out the caller. Like a [KeyFunc], name must not read the body.
func (s *Set) Choose(name func(*http.Request) string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			from := s.now()
			limiter, err := from.pick([]string{name(r)})
			if err != nil {
				from.responder.fail(w, r, err)
				return
			}
			limiter.serve(w, r, next)
		})
	}
}
