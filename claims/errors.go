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
var ErrInvalid = jws.ErrInvalid

// ErrExpired says that the token was genuine in every other respect and its
// expiry has passed. It is only given after the signature held, so it is never
// an oracle for forgers. It also matches [ErrInvalid].
var ErrExpired = fmt.Errorf("%w: expired", ErrInvalid)

// The reasons for which a token is refused, each in a refusal. They stay unexported
// because no caller should branch on them: the client learns none, and the log has the
// text. More of them are in packages jws and strict.
var (
	errUnknownKey   = errors.New("no key fits")
	errSignature    = errors.New("signature does not verify")
	errMemberType   = errors.New("member has the wrong type")
	errMissing      = errors.New("required member is missing")
	errDate         = errors.New("date out of range")
	errLife         = errors.New("would live too long")
	errNotYet       = errors.New("not valid yet")
	errIssuer       = errors.New("wrong issuer")
	errAudience     = errors.New("wrong audience")
	errKind         = errors.New("another kind of token")
	errUse          = errors.New("wrong use")
	errSubject      = errors.New("unacceptable subject")
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

// refusal is what Verify returns about a token. See "Why a token was refused".
type refusal = jws.Refusal

func refuse(reason error, at string, expected, found any, field string) *refusal {
	return &refusal{Reason: reason, At: at, Expected: expected, Found: found, Field: field}
}

// words, in a refusal, are printed as they stand.
type words = jws.Words

// What a member says that should not be there is nobody's business: it may be a secret.
const (
	noMember  = words("no such member")
	oneMember = words("one")
)

// In the place of a field they say that none should be set.
const (
	noneMalformed = "none: malformed"
	noneIssuer    = "none: wrong issuer"
	noneSignature = "none: wrong signature"
	noneExpired   = "none: expired"
	noneAccess    = "none: access token"
	noneRefresh   = "none: refresh token"
	noneID        = "none: ID token"
	noneLogout    = "none: logout token"
	noneEarly     = "none: not valid yet"
)

// quoted renders a stranger's bytes for an error text.
func quoted(s string) string { return strict.Quoted(s) }
