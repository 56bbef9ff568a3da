package claims

import (
	"context"
	"encoding/json"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// The reasons, so that a test can name the one that it expects.
var (
	ErrTooLarge     = jws.ErrTooLarge
	ErrSegments     = jws.ErrSegments
	ErrBase64       = jws.ErrBase64
	ErrSyntax       = strict.ErrSyntax
	ErrDuplicate    = strict.ErrDuplicate
	ErrHeader       = jws.ErrHeader
	ErrAlgorithm    = jws.ErrAlgorithm
	ErrKeyID        = jws.ErrKeyID
	ErrType         = jws.ErrType
	ErrUnknownKey   = errUnknownKey
	ErrSignature    = errSignature
	ErrMemberType   = errMemberType
	ErrMissing      = errMissing
	ErrDate         = errDate
	ErrLife         = errLife
	ErrNotYet       = errNotYet
	ErrIssuer       = errIssuer
	ErrAudience     = errAudience
	ErrKind         = errKind
	ErrUse          = errUse
	ErrSubject      = errSubject
	ErrUnencodable  = errUnencodable
	ErrDialect      = errDialect
	ErrKeyMaterial  = errKeyMaterial
	ErrPEM          = errPEM
	ErrApp          = errApp
	ErrVerifier     = errVerifier
	ErrNoVerifier   = errNoVerifier
	ErrKeySetAnswer = errKeySetAnswer
)

// VerifyAt is Verify at a moment of the test's choice.
func (v *Verifier[T]) VerifyAt(ctx context.Context, token string, now time.Time) (*Claims[T], error) {
	return v.verify(ctx, token, func() time.Time { return now })
}

// ExplainAt is Explain at a moment of the test's choice.
func (v *Verifier[T]) ExplainAt(ctx context.Context, token string, now time.Time) ([]Check, error) {
	return v.explain(ctx, token, func() time.Time { return now })
}

// RememberedHeaders is how many headers v knows by heart.
func (v *Verifier[T]) RememberedHeaders() int {
	if known := v.headers.known.Load(); known != nil {
		return len(*known)
	}
	return 0
}

// Counting is k that also counts how often it is tried.
func Counting(k *Key, tries *int) *Key {
	counted := *k
	counted.jws.Method = countingMethod{k.jws.Method, tries}
	return &counted
}

type countingMethod struct {
	jwt.SigningMethod
	tries *int
}

func (m countingMethod) Verify(signed string, signature []byte, key any) error {
	*m.tries++
	return m.SigningMethod.Verify(signed, signature, key)
}

// Parse and Append are the two directions of a date.
func (f TimeFormat) Parse(raw []byte) (time.Time, error)          { return f.read("exp", raw) }
func (f TimeFormat) Append(b []byte, t time.Time) ([]byte, error) { return f.append(b, t) }

func (v *Verifier[T]) groups() (all []*group[T]) {
	if groups := v.tokens.groups.Load(); groups != nil {
		for i := range *groups {
			all = append(all, &(*groups)[i])
		}
	}
	return all
}

// Remembered counts the tokens that v remembers.
func (v *Verifier[T]) Remembered() (n int) {
	for _, g := range v.groups() {
		for j := range g {
			if g[j].Load() != nil {
				n++
			}
		}
	}
	return n
}

// RememberedSubjects are whose they are.
func (v *Verifier[T]) RememberedSubjects() (all []string) {
	for _, g := range v.groups() {
		for j := range g {
			if r := g[j].Load(); r != nil {
				all = append(all, r.claims.Subject)
			}
		}
	}
	return all
}

// RememberedBytes is how long what they say is together, as JSON.
func (v *Verifier[T]) RememberedBytes() (n int64) {
	for _, g := range v.groups() {
		for j := range g {
			if r := g[j].Load(); r != nil {
				text, err := json.Marshal(r.claims)
				if err != nil {
					panic(err)
				}
				n += int64(len(text))
			}
		}
	}
	return n
}
