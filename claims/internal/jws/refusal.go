package jws

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// ErrInvalid is claims.ErrInvalid, which every Refusal matches.
var ErrInvalid = errors.New("claims: invalid token")

// Refusal is why a token is refused. It becomes text when somebody reads it, so that a
// flood of bad tokens formats nothing.
type Refusal struct {
	// Reason is the rule that the token breaks: an error of this package, of strict or
	// of claims.
	Reason error
	// At is where: a member, a header parameter, or a part of the token.
	At string
	// Expected and Found are a string, a list of strings (any of them), a JSON value as
	// it is written ([]byte), Words, or anything else that prints itself in one line.
	// A Found of nil is absent.
	Expected, Found any
	// Field is what to set so that such a token is accepted, as Type.Field. "none: WHAT"
	// says that nothing should be set, since the token is WHAT.
	Field string
}

// Error is one line, in the form that the documentation of package claims describes.
func (r *Refusal) Error() string {
	// claims.ErrExpired is a reason and an ErrInvalid, and begins as that does.
	rule := strings.TrimPrefix(r.Reason.Error(), ErrInvalid.Error()+": ")
	return fmt.Sprintf("%v: %s: %s: expected %s, found %s: %s",
		ErrInvalid, rule, r.At, Shown(r.Expected), Shown(r.Found), r.Field)
}

// Is makes a Refusal match ErrInvalid and its reason.
func (r *Refusal) Is(target error) bool { return target == ErrInvalid || errors.Is(r.Reason, target) }

// Words are printed as they stand. No stranger wrote them.
type Words string

// Amount is printed as "3 bytes".
type Amount struct {
	N  int
	Of string
}

func (a Amount) String() string { return fmt.Sprint(a.N, " ", a.Of) }

// Shown renders what was expected or found: short, in printable ASCII, in one line.
func Shown(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case Words:
		return string(v)
	case string:
		return strict.Quoted(v)
	case []string:
		return anyOf(v)
	case []byte:
		return written(v)
	case *strict.Fault:
		return v.Detail()
	}
	return fmt.Sprint(v)
}

// anyOf lists names as far as there is room for them.
func anyOf(names []string) string {
	const most = 128
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteString(" or ")
		}
		if b.Len() > most {
			fmt.Fprintf(&b, "%d more", len(names)-i)
			break
		}
		b.WriteString(strict.Quoted(name))
	}
	if len(names) == 0 {
		return "nothing"
	}
	return b.String()
}

// written renders a JSON value: a string by its text, all others as they stand.
func written(raw []byte) string {
	if text, ok := strict.Text(raw); ok {
		return strict.Quoted(text)
	}
	text, cut := strings.CutSuffix(strict.Quoted(string(raw)), `"...`)
	if !cut {
		text = strings.TrimSuffix(text, `"`)
	}
	text = strings.ReplaceAll(text[1:], `\"`, `"`)
	if cut {
		text += "..."
	}
	return text
}

// Malformed is the refusal of a part of a token that can't be read.
func Malformed(at string, err error) error {
	var f *strict.Fault
	if errors.As(err, &f) {
		return &Refusal{f.Rule, at, Words("one JSON object that has one reading"), f, "none: malformed"}
	}
	return &Refusal{err, at, Words("base64url without padding (RFC 7515, section 2)"), Words("something else"), "none: malformed"}
}
