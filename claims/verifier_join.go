package claims

import (
	"errors"
	"fmt"
	"hash/maphash"
	"maps"

	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// Join returns a Verifier for the tokens of several issuers. A token is parsed
// once; its iss chooses the one verifier that then checks everything else,
// with its own keys, audiences and dialect. A key of one issuer never vouches
// for another (RFC 8725 §3.8).
//
// Two issuers may give one sub to different people (RFC 7519 §4.1.2): behind a
// joined verifier a caller is Issuer and Subject together. The same holds for
// parties and scopes: a partner's "Admin" is not ours. A guard's From tells them
// apart.
//
// At most one of the verifiers may be for tokens without iss
// (Dialect.InsecureNoIssuer): such tokens go to it, for as long as old tokens are in
// use beside new ones. At most one may have a rule (Config.AllowIssuer): tokens of
// issuers that no other verifier names go to it. It is an error to join no
// verifiers, or two of one issuer.
//
// [Verifier.Add], [Verifier.Replace] and [Verifier.Remove] change who is trusted
// while tokens are verified. There is one memory of tokens for all, as large as that
// of the verifier that remembers most when they are joined.
func Join[T any](verifiers ...*Verifier[T]) (*Verifier[T], error) {
	if len(verifiers) == 0 {
		return nil, fmt.Errorf("%w: nothing to join", errVerifier)
	}
	next := (&issuers[T]{}).copied()
	var mistakes []error
	for i, v := range verifiers {
		if err := next.add(v); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%w: verifier %d: %w", errVerifier, i, err))
		}
	}
	if mistakes != nil {
		return nil, errors.Join(mistakes...)
	}
	joined := new(Verifier[T])
	joined.issuers.Store(next)
	remember := -1
	for _, from := range next.all() {
		remember = max(remember, from.Remember)
	}
	if remember > 0 {
		joined.tokens = newTokenMemory[T](remember)
	}
	return joined, nil
}

// Add makes a joined verifier trust the issuers of other verifiers too, all of them or,
// with an error, none. Nothing that is remembered is lost. It is an error to add an
// issuer that is there already, so that nobody who may name a tenant's issuer takes
// over another's; to change a tenant, use [Verifier.Replace].
//
// Add, Replace and Remove are safe for concurrent use, also while tokens are verified.
// They take microseconds also with a thousand issuers.
func (v *Verifier[T]) Add(others ...*Verifier[T]) error {
	return v.change(func(next *issuers[T]) (gone []*trusted[T], err error) {
		var mistakes []error
		for i, other := range others {
			if err := next.add(other); err != nil {
				mistakes = append(mistakes, fmt.Errorf("%w: Add: verifier %d: %w", errVerifier, i, err))
			}
		}
		return nil, errors.Join(mistakes...)
	})
}

// Replace puts another verifier in the place of the one that a joined verifier has for
// the same issuer, at once: there is no moment at which the issuer is not trusted. Its
// tokens are checked anew. It is an error if the issuer is not there.
func (v *Verifier[T]) Replace(other *Verifier[T]) error {
	return v.change(func(next *issuers[T]) (gone []*trusted[T], err error) {
		if other == nil || other.issuers.Load() == nil {
			return nil, fmt.Errorf("%w: Replace: %w", errVerifier, errNoVerifier)
		}
		for _, from := range other.issuers.Load().all() {
			place := next.place(from)
			if *place == nil {
				return nil, fmt.Errorf("%w: Replace: %s is not joined", errVerifier, from.name())
			}
			gone = append(gone, *place)
			next.put(from.fresh())
		}
		return gone, nil
	})
}

// Remove makes a joined verifier refuse the tokens of an issuer from now on, those that
// it remembers too, and reports whether it trusted the issuer by name. "" is the
// verifier for tokens without iss. What a rule allows is the rule's to refuse. A
// verifier whose last issuer is removed refuses every token.
func (v *Verifier[T]) Remove(issuer string) bool {
	removed := false
	err := v.change(func(next *issuers[T]) (gone []*trusted[T], err error) {
		place := next.named.get(issuer)
		if issuer == "" {
			place, next.unnamed = next.unnamed, nil
		}
		if removed = place != nil; removed {
			gone = append(gone, place)
			next.named.set(issuer, nil)
		}
		return gone, nil
	})
	return err == nil && removed
}

// change puts a changed copy of the issuers into use, unless there is an error.
func (v *Verifier[T]) change(edit func(next *issuers[T]) (gone []*trusted[T], err error)) error {
	if v == nil || v.issuers.Load() == nil {
		return errNoVerifier
	}
	v.joining.Lock()
	defer v.joining.Unlock()
	now := v.issuers.Load()
	if now.only != nil {
		return fmt.Errorf("%w: the verifier was made by NewVerifier, not by Join", errVerifier)
	}
	next := now.copied()
	gone, err := edit(next)
	if err != nil {
		return err
	}
	v.issuers.Store(next)
	// Only after that: what is verified from here on finds the new issuers, and what
	// is remembered of the old ones, also by a check that has just begun, is void.
	for _, from := range gone {
		from.gone.Store(true)
	}
	return nil
}

// issuers are those whom a Verifier trusts. They never change: a changed copy takes
// their place.
type issuers[T any] struct {
	only *trusted[T] // the one of NewVerifier; the others are then unset

	named   *shelves[T]
	unnamed *trusted[T] // for tokens without iss
	ruled   *trusted[T] // for issuers that are allowed by a rule

	maxBytes, maxMembers int // the widest of all: which hold is known only later
}

// shelves hold the named issuers, spread by a hash: a change copies one shelf, not all
// that a thousand tenants fill.
type shelves[T any] [256]map[string]*trusted[T]

var shelfSeed = maphash.MakeSeed()

func shelfOf(issuer string) uint8 { return uint8(maphash.String(shelfSeed, issuer)) }

// get returns what is there under a name, nil if nothing is.
func (s *shelves[T]) get(issuer string) *trusted[T] { return s[shelfOf(issuer)][issuer] }

// set puts from under its name, or removes what is there if from is nil. The shelf is
// replaced, since requests may be reading it.
func (s *shelves[T]) set(issuer string, from *trusted[T]) {
	place := &s[shelfOf(issuer)]
	next := make(map[string]*trusted[T], len(*place)+1)
	maps.Copy(next, *place)
	if next[issuer] = from; from == nil {
		delete(next, issuer)
	}
	*place = next
}

// of returns the issuer that a payload names, or the one for those that name none.
func (s *issuers[T]) of(members []strict.Member) (*trusted[T], error) {
	if s.only != nil {
		return s.only, nil
	}
	// A stranger's word, still: it only chooses the judge. The keys of that issuer must
	// then have signed the token (RFC 8725 §3.8).
	value := memberOf(members, "iss")
	if value == nil {
		if s.unnamed == nil {
			return nil, refuse(errIssuer, "iss", joinedIssuers, nil, "Dialect.InsecureNoIssuer")
		}
		return s.unnamed, nil
	}
	issuer, ok := strict.Text(value)
	if !ok || issuer == "" {
		return nil, refuse(errIssuer, "iss", joinedIssuers, value, noneMalformed)
	}
	if from := s.named.get(issuer); from != nil {
		return from, nil
	}
	if s.ruled != nil {
		return s.ruled, nil
	}
	return nil, refuse(errIssuer, "iss", joinedIssuers, value, "Config.Issuer")
}

const joinedIssuers = words("an issuer that was joined")

// copied returns a copy that can be changed.
func (s *issuers[T]) copied() *issuers[T] {
	next := *s
	next.named = new(shelves[T])
	if s.named != nil {
		*next.named = *s.named
	}
	return &next
}

// all returns them in any order.
func (s *issuers[T]) all() (all []*trusted[T]) {
	for _, from := range []*trusted[T]{s.only, s.unnamed, s.ruled} {
		if from != nil {
			all = append(all, from)
		}
	}
	if s.named == nil {
		return all
	}
	for _, shelf := range s.named {
		for _, from := range shelf {
			all = append(all, from)
		}
	}
	return all
}

// place returns where from belongs, nil there if the place is free.
func (s *issuers[T]) place(from *trusted[T]) **trusted[T] {
	switch {
	case from.AllowIssuer != nil:
		return &s.ruled
	case from.Issuer == "":
		return &s.unnamed
	}
	there := s.named.get(from.Issuer)
	return &there
}

// put sets the place of from, and widens the bounds for it.
func (s *issuers[T]) put(from *trusted[T]) {
	if from.AllowIssuer == nil && from.Issuer != "" {
		s.named.set(from.Issuer, from)
	} else {
		*s.place(from) = from
	}
	s.maxBytes, s.maxMembers = max(s.maxBytes, from.MaxBytes), max(s.maxMembers, from.MaxMembers)
}

// add puts all issuers of v in, each with a state of its own.
func (s *issuers[T]) add(v *Verifier[T]) error {
	if v == nil || v.issuers.Load() == nil {
		return errNoVerifier
	}
	var mistakes []error
	for _, from := range v.issuers.Load().all() {
		if *s.place(from) != nil {
			mistakes = append(mistakes, fmt.Errorf("%s is there already", from.name()))
			continue
		}
		s.put(from.fresh())
	}
	return errors.Join(mistakes...)
}

// name says which tokens t is for.
func (t *trusted[T]) name() string {
	switch {
	case t.AllowIssuer != nil:
		return "a verifier with AllowIssuer"
	case t.Issuer == "":
		return "a verifier for tokens without iss"
	}
	return fmt.Sprintf("issuer %q", t.Issuer)
}
