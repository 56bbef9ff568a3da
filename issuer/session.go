package issuer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// session is what the issuer knows of one session: a record that was read. Times are
// the store's.
type session struct {
	id      string
	subject string
	version uint64

	generation uint64    // of the refresh token that is not spent
	outdated   uint64    // access tokens up to this generation no longer count: see accessGeneration
	created    time.Time // when it was issued
	rotated    time.Time // when the generation began
	expiry     time.Time // when its refresh token expires
	absolute   time.Time // when it ends however often it is refreshed
	ended      string    // why it ended; "" while it lives
	pending    uint64    // the generation of the token that ended it, until the Event is raised; then 0
	label      string    // what the subject calls it
	grant      grant
}

// grant is what access tokens of a session say.
type grant struct {
	party claims.Party
	scope []string
	app   json.RawMessage
}

// Why a session ended, in records and events.
const (
	endReuse    = "reuse"
	endRollback = "rollback"
	endRevoked  = "revoked"
	endRefused  = "refused"
)

// body is a session on disk, after a byte for the format and sumSize bytes of
// checksum. Times are milliseconds since 1970.
//
// Versions that read format 1 ignore members that they don't know, so none is added
// here, and none gets another meaning. What a later version has to say stands in
// Extensions, under a name of its own, and only where it is needed: a version that
// does not know it refuses the session.
type body struct {
	Generation uint64          `json:"gen"`
	Outdated   uint64          `json:"outdated,omitempty"`
	Created    int64           `json:"created"`
	Rotated    int64           `json:"rotated"`
	Expiry     int64           `json:"exp"`
	Absolute   int64           `json:"abs"`
	Ended      string          `json:"ended,omitempty"`
	Pending    uint64          `json:"alarm,omitempty"`
	Label      string          `json:"label,omitempty"`
	Party      claims.Party    `json:"party,omitempty"`
	Scope      []string        `json:"scope,omitempty"`
	App        json.RawMessage `json:"app,omitempty"`
	Extensions json.RawMessage `json:"ext,omitempty"` // an object; this version writes none
}

// append writes b as encoding/json would, in a fifth of the time. App is what
// encoding/json has written. It is written at each refresh, where encoding/json would
// be a twentieth of the whole.
func (b *body) append(to []byte) []byte {
	to = strconv.AppendUint(append(to, `{"gen":`...), b.Generation, 10)
	if b.Outdated != 0 {
		to = strconv.AppendUint(append(to, `,"outdated":`...), b.Outdated, 10)
	}
	to = strconv.AppendInt(append(to, `,"created":`...), b.Created, 10)
	to = strconv.AppendInt(append(to, `,"rotated":`...), b.Rotated, 10)
	to = strconv.AppendInt(append(to, `,"exp":`...), b.Expiry, 10)
	to = strconv.AppendInt(append(to, `,"abs":`...), b.Absolute, 10)
	if b.Ended != "" {
		to = appendString(append(to, `,"ended":`...), b.Ended)
	}
	if b.Pending != 0 {
		to = strconv.AppendUint(append(to, `,"alarm":`...), b.Pending, 10)
	}
	if b.Label != "" {
		to = appendString(append(to, `,"label":`...), b.Label)
	}
	if b.Party != "" {
		to = appendString(append(to, `,"party":`...), string(b.Party))
	}
	if len(b.Scope) > 0 {
		to = appendString(append(to, `,"scope":[`...), b.Scope[0])
		for _, s := range b.Scope[1:] {
			to = appendString(append(to, ','), s)
		}
		to = append(to, ']')
	}
	if len(b.App) > 0 {
		to = append(append(to, `,"app":`...), b.App...)
	}
	if len(b.Extensions) > 0 {
		to = append(append(to, `,"ext":`...), b.Extensions...)
	}
	return append(to, '}')
}

// appendString appends s as a JSON string, as encoding/json would. Most strings have
// nothing to escape.
func appendString(to []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, _ := json.Marshal(s) // a string is never refused
			return append(to, text...)
		}
	}
	return append(append(append(to, '"'), s...), '"')
}

const (
	format  = 1
	sumSize = 8
)

// record writes s as the next version of its record.
func (s *session) record() (Record, error) {
	b := body{
		Generation: s.generation, Outdated: s.outdated, Ended: s.ended, Pending: s.pending, Label: s.label,
		Created: s.created.UnixMilli(), Rotated: s.rotated.UnixMilli(),
		Expiry: s.expiry.UnixMilli(), Absolute: s.absolute.UnixMilli(),
	}
	if s.ended == "" { // else nothing is granted any more, and App may be personal data
		b.Party, b.Scope, b.App = s.grant.party, s.grant.scope, s.grant.app
	}
	var room [512]byte // on the stack
	text := b.append(room[:0])
	r := Record{Session: s.id, Subject: s.subject, Version: s.version + 1, Expiry: s.expiry}
	checksum := sum(r, text)
	data := append(make([]byte, 0, 1+sumSize+len(text)), format)
	data = append(data, checksum[:]...)
	r.Data = append(data, text...)
	if len(r.Data) > maxData { // said here, or a store would say it in its own words
		return Record{}, fmt.Errorf("issuer: session has %d bytes, more than %d: its App is too large", len(r.Data), maxData)
	}
	return r, nil
}

const maxData = 64 << 10

// readSession reads a record back. It is an error if the record was damaged, or if a
// later version has written what this one doesn't know. Such a record must not pass
// for a session that is unknown: that would log its client out.
func readSession(r Record) (*session, error) {
	switch {
	case len(r.Data) < 1+sumSize:
		return nil, errors.New("issuer: session record is damaged: it is cut short")
	case r.Data[0] != format:
		return nil, fmt.Errorf("issuer: session record has format %d, this version reads %d", r.Data[0], format)
	}
	text := r.Data[1+sumSize:]
	if sum(r, text) != [sumSize]byte(r.Data[1:]) {
		return nil, errors.New("issuer: session record is damaged: its checksum is wrong")
	}
	var b body
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("issuer: session record is damaged: %w", err)
	}
	if b.Extensions != nil {
		return nil, unknownExtensions(b.Extensions)
	}
	return &session{
		id: r.Session, subject: r.Subject, version: r.Version,
		generation: b.Generation, outdated: b.Outdated, ended: b.Ended, pending: b.Pending, label: b.Label,
		created: time.UnixMilli(b.Created), rotated: time.UnixMilli(b.Rotated),
		expiry: time.UnixMilli(b.Expiry), absolute: time.UnixMilli(b.Absolute),
		grant: grant{b.Party, b.Scope, b.App},
	}, nil
}

// unknownExtensions says what a record has that this version can't heed. It may be
// what the session is bound to, or what forbids a refresh: to ignore it is not safe,
// and the next swap would lose it.
func unknownExtensions(text json.RawMessage) error {
	var named map[string]json.RawMessage
	if err := json.Unmarshal(text, &named); err != nil {
		return fmt.Errorf("issuer: session record is damaged: ext: %w", err)
	}
	names := slices.Sorted(maps.Keys(named))
	return fmt.Errorf("issuer: session record was written by a later version: this one does not know its extensions %q", names)
}

// sum ties text to the record in which it stands, so that a record that was damaged,
// mixed up or half restored is noticed. It does not defend against a program that may
// write to the store.
func sum(r Record, text []byte) [sumSize]byte {
	var room [512]byte // on the stack
	b := binary.BigEndian.AppendUint64(room[:0], uint64(len(r.Session)))
	b = append(b, r.Session...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(r.Subject)))
	b = append(b, r.Subject...)
	b = binary.BigEndian.AppendUint64(b, r.Version)
	digest := sha256.Sum256(append(b, text...))
	return [sumSize]byte(digest[:])
}
