package claims

import (
	"context"
	"encoding/base64"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

const (
	// maxTries bounds how many keys one token can make a verifier try.
	maxTries = 16
	// maxSubject bounds sub in bytes.
	maxSubject = 1024
	// maxIssuer bounds an iss that is judged by a rule, in bytes.
	maxIssuer = 1024
)

// unverified is a token that was read and not believed yet.
type unverified struct {
	header  *jws.Header
	encoded string // the header's segment; "" if it is remembered already
	signed  string // header and payload segments: what the signature is over
	sig     []byte // the signature
}

// Verifier checks tokens. It is safe for concurrent use. Its zero value can't
// check anything and refuses with an error that is not [ErrInvalid].
type Verifier[T any] struct {
	issuers atomic.Pointer[issuers[T]] // who is trusted
	joining sync.Mutex                 // held for changing it
	headers headerMemory
	tokens  *tokenMemory[T] // nil: none are remembered
}

// NewVerifier returns a Verifier, or every mistake in c.
func NewVerifier[T any](c Config) (*Verifier[T], error) {
	c, err := c.settled()
	app, appErr := newAppReader(reflect.TypeFor[T](), c.Dialect.names())
	if err = errors.Join(err, appErr); err != nil {
		return nil, err
	}
	only := &trusted[T]{Config: c, app: app, kinds: c.Dialect.kindRules()}
	if c.AllowIssuer != nil {
		only.byIssuer, _ = c.Keys.(interface {
			KeysOf(ctx context.Context, issuer string, h Header) ([]*Key, error)
		})
	}
	v := new(Verifier[T])
	v.issuers.Store(&issuers[T]{only: only, maxBytes: c.MaxBytes, maxMembers: c.MaxMembers})
	if c.Remember > 0 {
		v.tokens = newTokenMemory[T](c.Remember)
	}
	return v, nil
}

// Verify checks token and returns what it says. The error is one of three
// classes: [ErrExpired], [ErrInvalid], or anything else, which means that the
// token could not be checked. With an error there are no claims.
//
// The token is read once, strictly: see the package documentation for what is
// refused. Nothing is decoded of a token that is too long, and no key is
// touched for one that is not well-formed. The clock is read once, after the key
// set has answered.
func (v *Verifier[T]) Verify(ctx context.Context, token string) (*Claims[T], error) {
	c, err := v.VerifyShared(ctx, token)
	if err != nil || v.tokens == nil {
		return c, err
	}
	own := c.Clone()
	return &own, nil
}

// VerifyShared is Verify for callers that change nothing in the claims, not even
// by an append: other requests may hold the same. It spares them a
// [Claims.Clone]. Guards use it, and give clones to handlers.
func (v *Verifier[T]) VerifyShared(ctx context.Context, token string) (*Claims[T], error) {
	if v == nil || v.issuers.Load() == nil {
		return nil, errNoVerifier
	}
	return v.verify(ctx, token, time.Now)
}

// verify answers from memory if it can. clock is read once, where the dates are
// checked.
func (v *Verifier[T]) verify(ctx context.Context, token string, clock func() time.Time) (*Claims[T], error) {
	// A token that is too long is refused without the work of a digest.
	known := v.issuers.Load()
	if v.tokens == nil || len(token) > known.maxBytes {
		r, _, err := v.examine(ctx, known, token, clock)
		if err != nil {
			return nil, err
		}
		return &r.claims, nil
	}
	d := digestOf(token)
	if r := v.tokens.recall(&d); r != nil {
		if good, err := r.recheck(ctx, clock); err != nil {
			return nil, err
		} else if good {
			return &r.claims, nil
		}
		// Its key was withdrawn. Another key may verify it still, which only its
		// signature can tell.
	}
	r, now, err := v.examine(ctx, known, token, clock)
	if err != nil {
		return nil, err
	}
	r.digest, r.bytes = d, int64(len(token))
	v.tokens.remember(r, now)
	return &r.claims, nil
}

// examine reads a token and checks everything. It returns when the dates were
// checked.
//
// The order is part of what errors say. What costs least comes first: form and
// registered claims touch no key. Then the signature, since from there on the words
// are the issuer's and not a stranger's: only they may cost reflection on App or a
// place in a memory. The clock comes last, so that ErrExpired says that the token
// was good in every other respect, and so that the time that a key set takes to
// answer counts.
func (v *Verifier[T]) examine(ctx context.Context, known *issuers[T], token string, clock func() time.Time) (r *verified[T], now time.Time, err error) {
	var few [16]strict.Member
	u, members, count, err := v.read(token, known, few[:0])
	if err != nil {
		return nil, now, err
	}
	from, err := known.of(members)
	if err != nil {
		return nil, now, err
	}
	// Until here the widest bounds of all issuers held: only now is known whose do.
	if len(token) > from.MaxBytes {
		return nil, now, jws.TooLong(len(token), from.MaxBytes)
	}
	if count > from.MaxMembers {
		return nil, now, tooMany(jws.Amount{N: count, Of: "members"}, from.MaxMembers)
	}
	// On the stack, until the signature has held: a forged token takes no memory for
	// what it says.
	said := Claims[T]{Use: from.Use}
	if err := from.readClaims(&said, u.header, members); err != nil {
		return nil, now, err
	}
	if err := from.admits(ctx, said.Issuer); err != nil {
		return nil, now, err
	}
	key, err := from.checkSignature(ctx, &u, said.Issuer)
	if err != nil {
		return nil, now, err
	}
	if u.encoded != "" {
		v.headers.remember(u.encoded, u.header)
	}
	r = &verified[T]{from: from, header: headerOf(u.header), key: key, claims: said}
	if err := from.app.read(members, reflect.ValueOf(&r.claims.App).Elem()); err != nil {
		return nil, now, err
	}
	now = clock()
	return r, now, from.checkDates(&r.claims, now)
}

// read takes a token apart as far as that is the same for every issuer. It
// appends the payload's members to few; count is how many there are at all depths.
func (v *Verifier[T]) read(token string, known *issuers[T], few []strict.Member) (u unverified, members []strict.Member, count int, err error) {
	head, payload, signature, err := jws.Split(token, known.maxBytes)
	if err != nil {
		return u, nil, 0, err
	}
	u.signed = token[:len(head)+1+len(payload)]
	if u.header = v.headers.recall(head); u.header == nil {
		u.encoded = head
		if u.header, err = jws.ReadHeader(head); err != nil {
			return u, nil, 0, err
		}
	}
	// One buffer for both. Members are slices of it, so that it lives as long as
	// examine works on them, and no string of Claims refers to it.
	room := make([]byte, base64.RawURLEncoding.DecodedLen(len(signature)+len(payload)))
	if u.sig, err = jws.Decode(signature, room); err != nil {
		return u, nil, 0, jws.Malformed("signature", err)
	}
	text, err := jws.Decode(payload, room[len(u.sig):])
	if err != nil {
		return u, nil, 0, jws.Malformed("payload", err)
	}
	bounds := strict.Bounds{Depth: jws.Bounds.Depth, Members: known.maxMembers}
	members, count, err = strict.Counted(text, bounds, few)
	switch {
	case errors.Is(err, strict.ErrMembers):
		return u, nil, 0, tooMany(words("more"), bounds.Members)
	case err != nil:
		return u, nil, 0, jws.Malformed("payload", err)
	}
	return u, members, count, nil
}

// tooMany is the refusal of a payload with more than most members.
func tooMany(found any, most int) error {
	return refuse(jws.ErrTooLarge, "payload", jws.Amount{N: most, Of: "members at most"}, found, "Config.MaxMembers")
}
