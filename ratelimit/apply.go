package ratelimit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"
)

// Applied is what [Entry.Apply] makes of a log.
type Applied struct {
	Charges int           // what [Store.Log] returns
	Wait    time.Duration // and
	Log     []byte        // what is to be kept from now on; nil: nothing
	Changed bool          // whether that is something else than before
	Until   time.Time     // when it will say nothing any more
}

var errLog = errors.New("ratelimit: log is damaged or of another version")

// Apply is the arithmetic of [Store.Log] for stores that can do no more than
// swap one value for another, if it is still there: log is that value, nil if
// there is none, and now the store's time. The same log, entry and time give the
// same result. If the clock was set back the log moves with it.
//
// An error says that e is out of range or log is damaged: then nothing is known,
// and the caller must refuse.
func (e Entry) Apply(log []byte, now time.Time) (Applied, error) {
	if err := e.validate(); err != nil {
		return Applied{}, err
	}
	a, err := readLog(log)
	if err != nil {
		return Applied{}, err
	}
	at := now.UnixNano()
	if n := len(a.charges); n > 0 {
		ahead := max(0, a.charges[n-1].at-at)
		for i := range a.charges {
			a.charges[i].at -= ahead
		}
	}
	var r Applied
	r.Charges, r.Wait = a.apply(&e, at)
	r.Log = a.bytes()
	r.Changed = !bytes.Equal(r.Log, log)
	r.Until = time.Unix(0, max(a.until, at))
	return r, nil
}

// A log as bytes is a format byte, and of each charge, oldest first, the time in
// nanoseconds since 1970 and the receipt, 8 bytes each.
const (
	logFormat  = 1
	chargeSize = 16
)

func (a *attempts) bytes() []byte {
	if len(a.charges) == 0 {
		return nil
	}
	b := append(make([]byte, 0, 1+len(a.charges)*chargeSize), logFormat)
	for _, c := range a.charges {
		b = binary.BigEndian.AppendUint64(b, uint64(c.at))
		b = binary.BigEndian.AppendUint64(b, c.receipt)
	}
	return b
}

func readLog(b []byte) (*attempts, error) {
	a := new(attempts)
	if len(b) == 0 {
		return a, nil
	}
	if b[0] != logFormat || len(b)%chargeSize != 1 || len(b) == 1 {
		return nil, errLog
	}
	for b = b[1:]; len(b) > 0; b = b[chargeSize:] {
		c := charge{int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:])}
		if n := len(a.charges); c.at < 0 || n > 0 && c.at < a.charges[n-1].at {
			return nil, errLog
		}
		a.charges = append(a.charges, c)
	}
	return a, nil
}
