package issuerredis

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
)

// A record's value, numbers big-endian:
//
//	1 byte   format, 1
//	8 bytes  version
//	8 bytes  expiry, milliseconds since 1970
//	8 bytes  listed: the subject's list has the session until then
//	2 bytes  length of subject
//	         subject
//	         data
//
// The scripts know the fields before the subject, and nothing of the rest.
const (
	format    = 1
	atExpiry  = 1 + 8
	atSubject = 1 + 8 + 8 + 8
	headSize  = atSubject + 2
)

var errUnreadable = errors.New("issuerredis: record can't be read")

// tail returns what comes after listed.
func tail(r issuer.Record) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(r.Subject)+len(r.Data)), uint16(len(r.Subject)))
	return append(append(b, r.Subject...), r.Data...)
}

// parse reads a value back.
func parse(session, value string) (issuer.Record, error) {
	// A later version may have written it. It stays as it is, and the issuer answers
	// 503 for this session.
	if value != "" && value[0] != format {
		return issuer.Record{}, fmt.Errorf("%w: session %q is stored in format %d, this version reads %d", errUnreadable, session, value[0], format)
	}
	if len(value) < headSize {
		return issuer.Record{}, fmt.Errorf("%w: session %q is cut short", errUnreadable, session)
	}
	b := []byte(value)
	end := headSize + int(binary.BigEndian.Uint16(b[atSubject:]))
	version := binary.BigEndian.Uint64(b[1:])
	if version == 0 || end > len(b) {
		return issuer.Record{}, fmt.Errorf("%w: session %q is cut short or has no version", errUnreadable, session)
	}
	return issuer.Record{
		Session: session, Version: version,
		Expiry:  time.UnixMilli(int64(binary.BigEndian.Uint64(b[atExpiry:]))),
		Subject: string(b[headSize:end]), Data: b[end:],
	}, nil
}

// number writes a version as it stands in a value.
func number(version uint64) []byte { return binary.BigEndian.AppendUint64(nil, version) }
