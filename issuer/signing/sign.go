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

// Sign returns a token signed by the key that signs now. It calls input with the
// header that the token must have, and signs the JWS signing input (RFC 7515
// §5.1) that input returns: what [claims.Encoder] writes for that header.
//
// Sign signs nothing else: it is an error if what input returns is not two
// segments, or if its header names another algorithm than the one given, or
// another kid. It may leave the kid out.
//
// An error of input is returned, wrapped. With an error there is no token. ctx
// bounds how long a signer may take that asks another machine.
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
	if err := key.names(text); err != nil {
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

// headers are the two headers that a key has signed last: a pair has two, and
// they stay the same for as long as the key signs.
type headers [2]atomic.Pointer[string]

// names returns why a signing input is not one for this key.
func (k *Key) names(input string) error {
	header, payload, _ := strings.Cut(input, ".")
	if payload == "" || strings.IndexByte(payload, '.') >= 0 {
		return errors.New("signing: what is to be signed is not a header and a payload")
	}
	for i := range k.signed {
		if known := k.signed[i].Load(); known != nil && *known == header {
			return nil
		}
	}
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
		return fmt.Errorf("signing: what is to be signed names a key that is not the %v", k)
	}
	header = strings.Clone(header) // not the whole input
	k.signed[1].Store(k.signed[0].Load())
	k.signed[0].Store(&header)
	return nil
}
