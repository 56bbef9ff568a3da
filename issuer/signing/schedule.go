package signing

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Schedule says which key signs when. All that follows from it follows from its
// keys and the time, so machines that have the same keys agree without talking.
//
// Of the keys whose From has come, by the machine's clock, the latest signs. While
// none has come nothing is signed. A Schedule is safe for concurrent use. Its zero
// value has no keys, signs nothing and verifies nothing.
type Schedule struct {
	keys atomic.Pointer[[]*Key] // by From
	dir  *keyDir                // nil: they come from nowhere else
}

// NewSchedule returns a schedule of keys, in any order. It is an error to give
// none, or two that begin at the same time or have the same id.
func NewSchedule(keys ...*Key) (*Schedule, error) {
	s := new(Schedule)
	if err := s.Replace(keys...); err != nil {
		return nil, err
	}
	return s, nil
}

// Replace puts other keys in place of all, at once and while serving, or
// changes nothing and says what is wrong with them. Carry over every key whose
// tokens shall still be valid; a key that is left out is withdrawn: from this
// moment it neither signs nor verifies here.
//
// The keys of a schedule from LoadSchedule are not replaced: change its files.
func (s *Schedule) Replace(keys ...*Key) error {
	if s.dir != nil {
		return errors.New("signing: the keys of this schedule come from " + s.dir.path)
	}
	return s.replace(keys)
}

func (s *Schedule) replace(keys []*Key) error {
	keys = slices.Clone(keys)
	if len(keys) == 0 {
		return errors.New("signing: a schedule needs at least one key")
	}
	for i, k := range keys {
		if k == nil || k.sign == nil {
			return fmt.Errorf("signing: key %d of the schedule was not made by NewKey or NewSecret", i)
		}
	}
	slices.SortStableFunc(keys, func(a, b *Key) int { return a.from.Compare(b.from) })
	var mistakes []error
	for i, k := range keys {
		for _, other := range keys[:i] {
			if k.from.Equal(other.from) {
				mistakes = append(mistakes, fmt.Errorf("signing: %v and %v both sign from %v", other, k, k.from))
			}
			if same(k, other) {
				mistakes = append(mistakes, fmt.Errorf("signing: %v is in the schedule twice", k))
			}
		}
	}
	if mistakes != nil {
		return errors.Join(mistakes...)
	}
	s.keys.Store(&keys)
	return nil
}

// same reports whether two keys can't be told apart, or are one.
func same(a, b *Key) bool { return a == b || a.ID() != "" && a.ID() == b.ID() }

// Keys returns the keys, in the order in which they sign; none while all are
// withdrawn, and nil if the schedule was not made by NewSchedule or LoadSchedule.
func (s *Schedule) Keys() []*Key {
	keys, err := s.current()
	if err == errNoSchedule {
		return nil
	}
	return append([]*Key{}, *keys...)
}

var (
	errNoSchedule = errors.New("signing: the Schedule was not made by NewSchedule or LoadSchedule")
	// errNoKeys says nothing about any token: a verifier answers 503.
	errNoKeys = errors.New("signing: all keys are withdrawn")
)

// current returns the keys of now, by From. With errNoKeys there are none.
func (s *Schedule) current() (*[]*Key, error) {
	if s == nil {
		return nil, errNoSchedule
	}
	s.dir.look(s)
	keys := s.keys.Load()
	switch {
	case keys == nil:
		return nil, errNoSchedule
	case len(*keys) == 0:
		return keys, errNoKeys
	}
	return keys, nil
}

// signs returns the index of the key that signs at a moment, -1 if none does.
func signs(keys []*Key, now time.Time) int {
	i := len(keys) - 1
	for i >= 0 && now.Before(keys[i].from) {
		i--
	}
	return i
}
