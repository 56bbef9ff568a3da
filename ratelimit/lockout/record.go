package lockout

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Applied is what [Entry.Next] makes of a record.
type Applied struct {
	Charges int           // what [Store.Apply] returns
	Wait    time.Duration // and
	Record  []byte        // what is to be kept from now on; nil: nothing
	Changed bool          // whether that is something else than before
	Until   time.Time     // when it will say nothing any more
}

// Next is the arithmetic of [Store.Apply] for stores that keep bytes and can swap
// one value for another, if it is still there. record is that value, nil if there
// is none, and now the store's time. The same record, entry and time give the same
// result. If the clock was set back the record moves with it.
//
// An error says that e is out of range, or that record is damaged or was written by
// a later version. Then nothing is known, and the caller must refuse.
func (e Entry) Next(record []byte, now time.Time) (Applied, error) {
	if err := e.validate(); err != nil {
		return Applied{}, err
	}
	a, err := readRecord(record)
	if err != nil {
		return Applied{}, err
	}
	at := now.UnixNano()
	if n := len(a.charges); n > 0 {
		// A charge of the future means that the clock was set back. Left as it is
		// it would block for longer than Block; forgotten it would free somebody.
		ahead := max(0, a.charges[n-1].at-at)
		for i := range a.charges {
			a.charges[i].at -= ahead
		}
	}
	var r Applied
	r.Charges, r.Wait = a.apply(&e, at)
	r.Record = a.bytes()
	r.Changed = !bytes.Equal(r.Record, record) // a guess at a blocked key costs no write
	r.Until = time.Unix(0, max(a.until, at))
	return r, nil
}

// A record as bytes is a format byte, and of each charge, oldest first, the time in
// nanoseconds since 1970 and the receipt, 8 bytes each, big-endian. Every later
// version reads this one.
//
// The lower seven bits of the format byte are the version. The highest says that an
// extension follows it: a byte with its length, and so many bytes. Nothing writes
// one today. A reader refuses a version or an extension that it doesn't know: what
// it can't read may be the reason for a block.
const (
	recordVersion   = 1
	recordExtension = 0x80
	chargeSize      = 16
)

var errDamaged = errors.New("lockout: record is damaged")

func (a *attempts) bytes() []byte {
	if len(a.charges) == 0 {
		return nil
	}
	b := append(make([]byte, 0, 1+len(a.charges)*chargeSize), recordVersion)
	for _, c := range a.charges {
		b = binary.BigEndian.AppendUint64(b, uint64(c.at))
		b = binary.BigEndian.AppendUint64(b, c.receipt)
	}
	return b
}

func readRecord(b []byte) (*attempts, error) {
	a := new(attempts)
	if len(b) == 0 {
		return a, nil
	}
	switch format := b[0]; {
	case format&^recordExtension != recordVersion:
		return nil, fmt.Errorf("lockout: record is of version %d, and only %d can be read", format&^recordExtension, recordVersion)
	case format&recordExtension != 0:
		return nil, errors.New("lockout: record has an extension, and none can be read")
	case len(b)%chargeSize != 1 || len(b) == 1 || len(b) > 1+maxTries*chargeSize:
		return nil, errDamaged
	}
	for b = b[1:]; len(b) > 0; b = b[chargeSize:] {
		c := charge{int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:])}
		// Out of order, the last charge would not be the latest, and a block would
		// end too early.
		if n := len(a.charges); c.at < 0 || n > 0 && c.at < a.charges[n-1].at {
			return nil, errDamaged
		}
		a.charges = append(a.charges, c)
	}
	return a, nil
}
