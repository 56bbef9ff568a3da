package signing

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// Sign returns a token that is signed by the key that signs now. It calls input
// once, with the header that the token must have. What input returns is signed: the
// JWS signing input (RFC 7515 §5.1) that a [claims.Encoder] writes for that header.
//
// The token has a session only if package issuer minted it. Give each kind of
// token an audience or a type of its own: the package documentation says why.
//
// Nothing but a token of this key is signed. It is an error if what input returns
// is not two segments, or if its header names another algorithm, or another kid.
// The header may have no kid.
//
// With an error there is no token. An error of input is wrapped. A ctx that has
// ended is an error. ctx is for signers that ask another machine.
func (s *Schedule) Sign(ctx context.Context, input func(claims.Header) (string, error)) (string, error) {
	key, err := s.signing(time.Now())
	if err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	text, err := input(claims.Header{Algorithm: key.Algorithm(), KeyID: key.ID()})
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	// The signature says that this key stands behind its header. A header that names
	// another key or algorithm would be a token that nobody can verify, or worse, one
	// that somebody verifies as another's.
	if err := key.fits(text); err != nil {
		return "", err
	}
	sig, err := key.sign(text)
	if err != nil {
		return "", fmt.Errorf("signing: %v: %w", key, err)
	}
	var room [512]byte // on the stack
	return text + "." + string(base64.RawURLEncoding.AppendEncode(room[:0], sig)), nil
}

// signing returns the key that signs now.
func (s *Schedule) signing(now time.Time) (*Key, error) {
	keys, err := s.current()
	if err != nil {
		return nil, err
	}
	if i := signs(*keys, now); i >= 0 {
		return (*keys)[i], nil
	}
	first := (*keys)[0]
	return nil, fmt.Errorf("signing: no key signs yet: the first, %v, signs from %v", first, first.from)
}

// headers are the two headers that a key signed last and that fit it. A pair of
// tokens has two, and they stay the same for as long as the key signs.
type headers [2]atomic.Pointer[string]

// fits returns why a signing input is not one for this key.
func (k *Key) fits(input string) error {
	header, payload, _ := strings.Cut(input, ".")
	if payload == "" || strings.IndexByte(payload, '.') >= 0 {
		return errors.New("signing: what is to be signed is not a header and a payload")
	}
	// To read the header costs as much as a tenth of an HMAC pair. It is almost
	// always one of the last two.
	for i := range k.signed {
		if known := k.signed[i].Load(); known != nil && *known == header {
			return nil
		}
	}
	if err := k.named(header); err != nil {
		return err
	}
	known := strings.Clone(header) // or the claims behind it would stay in memory too
	k.signed[1].Store(k.signed[0].Load())
	k.signed[0].Store(&known)
	return nil
}

// named returns why a header, encoded, does not name this key.
func (k *Key) named(header string) error {
	var said struct {
		Algorithm string  `json:"alg"`
		KeyID     *string `json:"kid"`
	}
	text, err := base64.RawURLEncoding.DecodeString(header)
	if err == nil {
		err = json.Unmarshal(text, &said)
	}
	switch {
	case err != nil:
		return errors.New("signing: what is to be signed has a header that can't be read")
	case said.Algorithm != k.Algorithm() || said.KeyID != nil && *said.KeyID != k.ID():
		return fmt.Errorf("signing: what is to be signed has a header that does not name the %v", k)
	}
	return nil
}
