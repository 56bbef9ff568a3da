package issuer

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
)

// ids makes and reads the ids of sessions and tokens.
//
// A session is 16 random bytes in base64url. The jti of its refresh tokens is
// "session.generation", that of its access tokens "session.generation.random",
// so that two access tokens of one generation differ.
//
// As UUIDs (version 8, RFC 9562 §5.8) a session has 10 bytes. The jti holds 6 of them
// in front and 4 at the end. Between them stand the version, the variant, 18 bits that
// are random in access tokens and 0 in refresh tokens, and 24 bits of generation.
type ids struct{ uuids bool }

var errID = errors.New("issuer: jti is not one of ours")

func (f ids) sessionBytes() int {
	if f.uuids {
		return 10
	}
	return 16
}

// newSession returns the id of a new session.
func (f ids) newSession() string {
	var random [16]byte
	rand.Read(random[:]) // never fails
	var room [24]byte
	return string(base64.RawURLEncoding.AppendEncode(room[:0], random[:f.sessionBytes()]))
}

// maxGeneration is the last generation that a session may have.
func (f ids) maxGeneration() uint64 {
	if f.uuids {
		return 1<<24 - 1
	}
	return 1<<63 - 1
}

// refresh returns the jti of a refresh token.
func (f ids) refresh(session string, generation uint64) string {
	if f.uuids {
		return uuid(session, generation, 0)
	}
	return session + "." + strconv.FormatUint(generation, 10)
}

// newAccess returns a new jti for an access token.
func (f ids) newAccess(session string, generation uint64) string {
	var b [8]byte
	rand.Read(b[:])
	if f.uuids {
		// Never 0, which marks a refresh token.
		return uuid(session, generation, max(1, binary.BigEndian.Uint32(b[:])&(1<<18-1)))
	}
	var room [64]byte
	id := strconv.AppendUint(append(append(room[:0], session...), '.'), generation, 10)
	return string(base64.RawURLEncoding.AppendEncode(append(id, '.'), b[:]))
}

// parse reads a jti of either kind back. What it accepts is what refresh and
// access make, letter by letter.
func (f ids) parse(jti string) (session string, generation uint64, err error) {
	if f.uuids {
		return parseUUID(jti)
	}
	session, rest, _ := strings.Cut(jti, ".")
	number, random, isAccess := strings.Cut(rest, ".")
	generation, err = strconv.ParseUint(number, 10, 63)
	switch {
	case err != nil || strconv.FormatUint(generation, 10) != number:
		return "", 0, errID
	case !canonical(session, 16) || isAccess && !canonical(random, 8):
		return "", 0, errID
	}
	return session, generation, nil
}

// parseID reads a jti of either form. A UUID has no dot, and the other form at
// least one; length and hyphens may be the same.
func parseID(jti string) (session string, generation uint64, err error) {
	return ids{uuids: !strings.Contains(jti, ".")}.parse(jti)
}

// canonical reports whether s is what base64url makes of n bytes.
func canonical(s string, n int) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == n && !strings.ContainsAny(s, "\r\n")
}

func uuid(session string, generation uint64, random uint32) string {
	s, err := base64.RawURLEncoding.DecodeString(session)
	if err != nil || len(s) != 10 {
		return ""
	}
	var b [16]byte
	copy(b[:6], s)
	b[6], b[7], b[8] = 8<<4|byte(random>>14), byte(random>>6), 2<<6|byte(random&63)
	b[9], b[10], b[11] = byte(generation>>16), byte(generation>>8), byte(generation)
	copy(b[12:], s[6:])
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func parseUUID(jti string) (session string, generation uint64, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(jti, "-", ""))
	if err != nil || len(b) != 16 {
		return "", 0, errID
	}
	session = base64.RawURLEncoding.EncodeToString(append(b[:6:6], b[12:]...))
	generation = uint64(b[9])<<16 | uint64(b[10])<<8 | uint64(b[11])
	random := uint32(b[6]&15)<<14 | uint32(b[7])<<6 | uint32(b[8]&63)
	if uuid(session, generation, random) != jti {
		return "", 0, errID
	}
	return session, generation, nil
}
