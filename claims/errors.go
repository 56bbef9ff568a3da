package claims

import (
	"errors"
	"fmt"
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

// The reasons for which a token is refused. They stay unexported because no
// caller should branch on them: whoever presents the token learns none, and
// the log has the text.
var (
	errTooLarge     = refusal("larger than allowed")
	errSegments     = refusal("not three dot-separated segments")
	errBase64       = refusal("segment is not canonical base64url")
	errSyntax       = refusal("not a strict JSON object")
	errDuplicate    = refusal("duplicate member")
	errHeader       = refusal("unacceptable header parameter")
	errAlgorithm    = refusal("unacceptable algorithm")
	errKeyID        = refusal("unacceptable kid")
	errType         = refusal("wrong typ")
	errUnknownKey   = refusal("no key fits")
	errSignature    = refusal("signature does not verify")
	errMemberType   = refusal("member has the wrong type")
	errMissing      = refusal("required member is missing")
	errDate         = refusal("date out of range")
	errNotYet       = refusal("not valid yet")
	errIssuer       = refusal("wrong issuer")
	errAudience     = refusal("wrong audience")
	errUse          = refusal("wrong use")
	errSubject      = refusal("unacceptable subject")
	errUnencodable  = errors.New("claims: cannot be written")
	errDialect      = errors.New("claims: Dialect")
	errKeyMaterial  = errors.New("claims: unusable key")
	errPEM          = errors.New("claims: PEM")
	errApp          = errors.New("claims: App")
	errVerifier     = errors.New("claims: Config")
	errNoVerifier   = errors.New("claims: verifier was not made by NewVerifier")
	errKeySetAnswer = errors.New("claims: key set could not answer")
)

func refusal(reason string) error { return fmt.Errorf("%w: %s", ErrInvalid, reason) }

// quoted renders a stranger's bytes for an error text: escaped and short, so
// that a log line stays one line.
func quoted(s string) string {
	const most = 64
	if len(s) > most {
		return fmt.Sprintf("%+q...", s[:most])
	}
	return fmt.Sprintf("%+q", s)
}
