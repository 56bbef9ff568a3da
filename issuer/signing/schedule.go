package signing

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Schedule says which key signs when. Of the keys whose From has come, by the
// machine's clock, the latest signs; before the first one's From nothing is signed.
// Machines that have the same keys agree without talking.
//
// A Schedule is safe for concurrent use. Its zero value has no keys: it signs
// nothing, and what verifies with its KeySet answers 503.
type Schedule struct {
	keys atomic.Pointer[[]*Key] // by From
	dir  *keyDir                // where LoadSchedule found them; nil if they were given
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

// Replace puts other keys in place of all that there are, at once and while
// serving. A key that is left out is withdrawn: from this moment it neither signs
// nor verifies here. Carry over every key whose tokens shall still be valid.
//
// With an error nothing has changed; it says what is wrong with the keys. The keys
// of a schedule from LoadSchedule can't be replaced: change its files.
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
	// Two keys from one time would sign by turns, depending on the order in which a
	// machine has them. One key twice would be offered twice, and withdrawn only if
	// both are left out.
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
	s.keys.Store(&keys) // as a whole, so that no caller sees half a change
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

// current returns the keys as they are now, by From. With errNoKeys there are none.
// The pointer is another after each change.
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

// signs returns the index of the key that signs at a moment, -1 if none signs yet.
func signs(keys []*Key, now time.Time) int {
	i := len(keys) - 1
	for i >= 0 && now.Before(keys[i].from) {
		i--
	}
	return i
}
