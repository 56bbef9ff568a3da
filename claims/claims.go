package claims

import (
	"context"
	"fmt"
	"reflect"
	"time"
)

// Claims is what one verified token says. T is the application's own part: a
// struct, or map[string]any, that is filled from the same JSON object as the
// registered claims. An application without a part of its own takes struct{}.
//
// Fields of a struct are filled by their json names, exactly. A map gets every
// member that has no field here. In a map, and in a field of type any, numbers are
// [json.Number]: every digit of an id above 2^53 is kept, also when the map is
// written again.
//
// A caller that gets Claims may change them, since they are a [Claims.Clone]. Only
// those of [Verifier.VerifyShared] belong to others too.
type Claims[T any] struct {
	Issuer    string    // iss, RFC 7519 §4.1.1
	Subject   string    // sub, §4.1.2; with Dialect.ObjectSubject its compact JSON text
	Audience  []string  // aud, §4.1.3
	Expiry    time.Time // exp, §4.1.4: refused at and after this moment
	NotBefore time.Time // nbf, §4.1.5: zero if absent
	IssuedAt  time.Time // iat, §4.1.6: zero if absent
	ID        string    // jti, §4.1.7
	Session   string    // sid: the session that the token belongs to, if it says so
	Party     Party     // the kind of account; "" if the token names none
	Scope     []string  // scope, RFC 8693 §4.2
	Use       Use       // what the token may be used for
	AccessID  string    // on a refresh token of a dialect with RefreshMark: the ID of its access token
	// Confirmation is cnf: the key that the token is bound to. If it is not zero, the
	// token alone proves nothing, and guards refuse it. [Verifier.Verify] does not: see
	// "Bound tokens".
	Confirmation Confirmation
	App          T
}

// registered are the members that have a field of Claims in every dialect, in
// the order in which they are written if the Dialect names none.
//
// A further one takes three edits: its field in Claims, its name here, and where
// it is read and written. If it is a plain string, text is where; otherwise
// trusted.fill and Encoder.member. A test finds the fields that were forgotten.
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "cnf"}

// text returns the field of a registered member that is an optional string, nil
// for every other member.
func (c *Claims[T]) text(name string) *string {
	switch name {
	case "jti":
		return &c.ID
	case "sid":
		return &c.Session
	}
	return nil
}

// Party is the kind of account that a token was issued to, such as "Admin" or
// "Contractor". Applications declare theirs as constants; comparison is exact.
// The zero Party stands for no account and passes no guard that asks for one.
type Party string

// Use is what a token may be used for. The zero Use stands for [Access]
// wherever it configures something.
type Use string

// The uses of RFC 6749 §1.4 and §1.5. A token of one never passes as the other.
const (
	Access  Use = "access"
	Refresh Use = "refresh"
)

// contextKey is a type of its own for each T. Neither another package nor another
// T can store under it.
type contextKey[T any] struct{}

// NewContext returns a copy of ctx that carries c. It is for guards and for
// tests of handlers.
func NewContext[T any](ctx context.Context, c *Claims[T]) context.Context {
	return context.WithValue(ctx, contextKey[T]{}, c)
}

// FromContext returns the claims of the caller that a guard of the same T
// admitted. They are a [Claims.Clone], since requests may share the original.
// Without such a guard, or with an anonymous caller, it returns empty Claims and
// false.
func FromContext[T any](ctx context.Context) (Claims[T], bool) {
	if c, ok := ctx.Value(contextKey[T]{}).(*Claims[T]); ok && c != nil {
		return c.Clone(), true
	}
	return Claims[T]{}, false
}

// MustFromContext is FromContext for handlers that run only behind a guard that
// demands a token. Without a caller it panics: a route whose guard was forgotten,
// or has another T, then answers no request.
func MustFromContext[T any](ctx context.Context) Claims[T] {
	c, ok := FromContext[T](ctx)
	if !ok {
		panic(fmt.Sprintf("claims: no caller of type Claims[%v] in the context: is the handler behind a guard of that type?", reflect.TypeFor[T]()))
	}
	return c
}
