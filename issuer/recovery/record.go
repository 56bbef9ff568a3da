package recovery

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
)

// state is what the record of an account says, as a JSON object. Every later version
// reads this format.
//
// New members are the place for what is to come. A reader refuses a record with a
// format, a kind or a member that it doesn't know: what it can't read may be the
// reason why a code is not good any more.
type state struct {
	Format  int       `json:"v"`
	Kind    kind      `json:"k"`
	Request uint64    `json:"r,omitempty"` // the version of the record when the code was made
	Digest  []byte    `json:"d,omitempty"` // of the code
	Until   time.Time `json:"u"`           // when the kind means nothing any more
	Paid    time.Time `json:"p,omitzero"`  // Config.Codes: until when the codes so far are paid, each with a Life
	Known   bool      `json:"s,omitempty"` // the last code had somebody to be sent to
	Told    time.Time `json:"t,omitzero"`  // of the first builds, and not used any more

	version uint64 // of the record that it was read from; 0 if there was none
}

type kind string

const (
	none  kind = ""      // nothing is open
	open  kind = "open"  // a code was sent and may be redeemed until Until
	decoy kind = "decoy" // the same for an account that does not exist
	spent kind = "spent" // the code was redeemed
	void  kind = "void"  // guesses used up the tries before it was
)

const stateFormat = 1

// good reports whether a code was made that may be redeemed still, if the account
// exists.
func (s *state) good(now time.Time) bool {
	return (s.Kind == open || s.Kind == decoy) && now.Before(s.Until)
}

// voided is s without its code. It keeps what is paid, or a stranger could have more
// mails sent by bringing about a block.
func (s *state) voided(until time.Time) state {
	return state{Kind: void, Until: until, Paid: s.Paid, Known: s.Known}
}

// readState reads the record of an account, as a Store has loaded it.
func readState(rec issuer.Record) (state, error) {
	s := state{version: rec.Version}
	if rec.Version == 0 {
		return s, nil
	}
	d := json.NewDecoder(bytes.NewReader(rec.Data))
	d.DisallowUnknownFields()
	err := d.Decode(&s)
	if err == nil {
		if _, after := d.Token(); after != io.EOF {
			err = errors.New("data after the object")
		}
	}
	if err != nil {
		return state{}, fmt.Errorf("recovery: record %s is damaged or of a later version: %w", rec.Session, err)
	}
	switch s.Kind {
	case none, open, decoy, spent, void:
		if s.Format == stateFormat {
			return s, nil
		}
	}
	return state{}, fmt.Errorf("recovery: record %s is damaged or of a later version", rec.Session)
}

// data is s as it is stored.
func (s state) data() []byte {
	s.Format = stateFormat
	data, _ := json.Marshal(s) // can't fail: the store's times have years of four digits
	return data
}

// rewrite replaces the record of account by what next makes of it, and again if
// somebody else was faster. If next says false nothing is written.
func (r *Recovery) rewrite(ctx context.Context, account string, next func(s state, now time.Time) (state, bool)) (written bool, err error) {
	written, err = update(ctx, r.c.Store, r.id(account), func(old issuer.Record, now time.Time) (issuer.Record, bool, error) {
		s, err := readState(old)
		if err != nil {
			return issuer.Record{}, false, err
		}
		s, changed := next(s, now)
		// What is paid may outlive the code: without it a stranger could have
		// Config.Codes mails sent in each Life.
		return issuer.Record{Data: s.data(), Expiry: later(s.Until, s.Paid)}, changed, nil
	})
	if err != nil {
		return false, fmt.Errorf("recovery: store: %w", err)
	}
	return written, nil
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// maxSwaps is how often update tries. A swap is lost only to a caller that has won, so
// a caller gives up only if a hundred others have written meanwhile. Of starts no more
// than Config.Codes write, and a lockout takes no more charges than it has tries.
const maxSwaps = 100

// update replaces a record of store by the Data and Expiry that next gives it, and
// again if somebody else was faster. If next says false nothing is written.
func update(ctx context.Context, store issuer.Store, id string, next func(old issuer.Record, now time.Time) (issuer.Record, bool, error)) (written bool, err error) {
	for tries := range maxSwaps {
		old, now, err := store.Load(ctx, id)
		if err != nil {
			return false, err
		}
		rec, changed, err := next(old, now)
		if err != nil || !changed {
			return false, err
		}
		rec.Session, rec.Subject, rec.Version = id, id, old.Version+1
		// Stores keep whole milliseconds. Rounded down, a record would be gone while it
		// still counts.
		rec.Expiry = rec.Expiry.Add(time.Millisecond - 1).Truncate(time.Millisecond)
		written, err := store.Swap(ctx, rec)
		if err != nil || written {
			return written, err
		}
		if err := pause(ctx, tries); err != nil {
			return false, err
		}
	}
	return false, errors.New("the record keeps changing")
}

// pause lets others go first, the longer the more often it was in vain. At random,
// or those who collided would collide again.
func pause(ctx context.Context, tries int) error {
	timer := time.NewTimer(time.Duration(rand.Int64N(int64(min(tries+1, 20)) * int64(time.Millisecond))))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// id names the record of an account, and the account in the log.
func (r *Recovery) id(account string) string {
	return "recovery-" + base64.RawURLEncoding.EncodeToString(r.mac("account", account)[:16])
}

// digest binds a code to its account and to the request that it was made for.
func (r *Recovery) digest(account string, request uint64, code string) []byte {
	return r.mac("code", account, fmt.Sprint(request), code)
}

// mac is an HMAC under the secret. Each part stands behind its length, or the end of
// one could pass for the beginning of the next: request 11 of account "b" for
// request 1 of "b1".
func (r *Recovery) mac(parts ...string) []byte {
	h := hmac.New(sha256.New, r.c.Secret())
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return h.Sum(nil)
}
