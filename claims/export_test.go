package claims

import (
	"context"
	"encoding/json"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The reasons, so that a test can name the one that it expects.
var (
	ErrTooLarge     = errTooLarge
	ErrSegments     = errSegments
	ErrBase64       = errBase64
	ErrSyntax       = errSyntax
	ErrDuplicate    = errDuplicate
	ErrHeader       = errHeader
	ErrAlgorithm    = errAlgorithm
	ErrKeyID        = errKeyID
	ErrType         = errType
	ErrUnknownKey   = errUnknownKey
	ErrSignature    = errSignature
	ErrMemberType   = errMemberType
	ErrMissing      = errMissing
	ErrDate         = errDate
	ErrNotYet       = errNotYet
	ErrIssuer       = errIssuer
	ErrAudience     = errAudience
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

// RememberedHeaders is how many headers v knows by heart.
func (v *Verifier[T]) RememberedHeaders() int {
	if known := v.headers.known.Load(); known != nil {
		return len(*known)
	}
	return 0
}

// Counting is k that also counts how often it is tried.
func Counting(k *Key, tries *int) *Key {
	return &Key{k.id, k.alg, countingMethod{k.method, tries}, k.material}
}

type countingMethod struct {
	jwt.SigningMethod
	tries *int
}

func (m countingMethod) Verify(signed string, signature []byte, key any) error {
	*m.tries++
	return m.SigningMethod.Verify(signed, signature, key)
}

// Member is one member of an object that was read.
type Member struct{ Name, Value string }

// ReadObject is readObject for tests.
func ReadObject(text []byte) ([]Member, error) {
	members, err := readObject(text, nil)
	var out []Member
	for _, m := range members {
		out = append(out, Member{string(m.name), string(m.value)})
	}
	return out, err
}

// Parse and Append are the two directions of a date.
func (f TimeFormat) Parse(raw []byte) (time.Time, error)          { return f.parse(raw) }
func (f TimeFormat) Append(b []byte, t time.Time) ([]byte, error) { return f.append(b, t) }

// Remembered counts the tokens that v remembers.
func (v *Verifier[T]) Remembered() (n int) {
	for i := range v.tokens.sets {
		for j := range v.tokens.sets[i] {
			if v.tokens.sets[i][j].Load() != nil {
				n++
			}
		}
	}
	return n
}

// RememberedSubjects are whose they are.
func (v *Verifier[T]) RememberedSubjects() (all []string) {
	for i := range v.tokens.sets {
		for j := range v.tokens.sets[i] {
			if r := v.tokens.sets[i][j].Load(); r != nil {
				all = append(all, r.claims.Subject)
			}
		}
	}
	return all
}

// RememberedBytes is how long what they say is together, as JSON.
func (v *Verifier[T]) RememberedBytes() (n int64) {
	for i := range v.tokens.sets {
		for j := range v.tokens.sets[i] {
			if r := v.tokens.sets[i][j].Load(); r != nil {
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
