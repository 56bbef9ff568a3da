package claims

import (
	"errors"
	"fmt"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// ErrInvalid is matched by every error that is about the token: it is
// malformed, forged, meant for somebody else, of another use, or out of its
// dates. A caller answers 401.
//
// An error of [Verifier.Verify] that does not match ErrInvalid says nothing
// about the token: it could not be checked (keys out of reach, context ended).
// A caller answers 503 and neither admits nor logs anybody out.
var ErrInvalid = errors.New("claims: invalid token")

// ErrExpired says that the token was genuine in every other respect and its
// expiry has passed. It is only given after the signature held, so it is never
// an oracle for forgers. It also matches [ErrInvalid].
var ErrExpired = fmt.Errorf("%w: expired", ErrInvalid)

// The reasons for which a token is refused. They stay unexported because no caller
// should branch on them: the client learns none, and the log has the text. More of
// them are in packages jws and strict.
var (
	errTooLarge     = invalid(jws.ErrTooLarge)
	errType         = invalid(jws.ErrType)
	errUnknownKey   = refusal("no key fits")
	errSignature    = refusal("signature does not verify")
	errMemberType   = refusal("member has the wrong type")
	errMissing      = refusal("required member is missing")
	errDate         = refusal("date out of range")
	errLife         = refusal("would live too long")
	errNotYet       = refusal("not valid yet")
	errIssuer       = refusal("wrong issuer")
	errAudience     = refusal("wrong audience")
	errKind         = refusal("another kind of token")
	errUse          = refusal("wrong use")
	errSubject      = refusal("unacceptable subject")
	errUnencodable  = errors.New("claims: cannot be written")
	errDialect      = errors.New("claims: Dialect")
	errKeyMaterial  = errors.New("claims: unusable key")
	errPEM          = errors.New("claims: PEM")
	errApp          = errors.New("claims: App")
	errVerifier     = errors.New("claims: Config")
	errNoVerifier   = errors.New("claims: verifier was not made by NewVerifier")
	errRuleAnswer   = errors.New("claims: AllowIssuer could not answer")
	errKeySetAnswer = errors.New("claims: key set could not answer")
)

func refusal(reason string) error { return fmt.Errorf("%w: %s", ErrInvalid, reason) }

// invalid makes a refusal of an error of package jws or strict.
func invalid(err error) error { return fmt.Errorf("%w: %w", ErrInvalid, err) }

// quoted renders a stranger's bytes for an error text.
func quoted(s string) string { return strict.Quoted(s) }
