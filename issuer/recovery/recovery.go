package recovery

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

// Config says how codes are made and where they are kept.
type Config struct {
	// Store keeps one record for each account that asked; required. It may be
	// the store of the sessions.
	Store issuer.Store

	// Lockout counts guesses by account; required. It should have a name of its
	// own.
	Lockout *lockout.Lockout

	// Secret keys the digests of codes and accounts: at least 32 bytes, the same
	// on all machines, and not kept in the store; required.
	Secret []byte

	// Life is how long a code may be redeemed: 0 means 15 minutes; at most 24
	// hours.
	Life time.Duration

	// Alphabet and Length are what codes are made of: 8 of 32 letters and digits
	// that are not mistaken for each other, unless set. An alphabet has 2 to 64
	// different printable ASCII characters.
	Alphabet string
	Length   int

	// Forgiving reads codes as people type them, 512 bytes at most. Spaces, tabs,
	// line ends and dashes in and around them are dropped, but for dashes that the
	// alphabet has. Letters that the alphabet has in one case are read in either.
	// With the default alphabet O is read as 0, I and L as 1. Otherwise a code is
	// exactly what was sent, and anything else malformed.
	Forgiving bool

	// InsecureShortCodes allows codes of less than 40 bits, such as six digits
	// (20 bits). Then nothing but the lockout protects the account: five guesses
	// a day find one of 550 accounts within a year.
	InsecureShortCodes bool

	// Notify, if set, is told when guesses blocked an account, once for each
	// block, and when one was unblocked, to warn its owner. It is called before
	// the answer and should return soon.
	//
	// Anybody may guess at any name, so that the account may not exist. Unless
	// Event.Known, look whether it does before you write to its address, or
	// strangers have your mail sent to whom they like.
	Notify func(ctx context.Context, e Event)

	// Logger hears the same. Nil is [slog.Default].
	Logger *slog.Logger
}

// Format prints nothing of c but how its codes are made, whatever the verb: the
// Secret is in it.
func (c Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "recovery of %d characters of %q within %v", c.Length, c.Alphabet, c.Life)
}

// LogValue logs what Format prints.
func (c Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// Event is what Notify is told.
type Event struct {
	Account string
	Blocked bool          // or else unblocked
	For     time.Duration // how long, if blocked

	// Known says that Start was given a send for Account within Config.Life
	// before the block, so that there is such an account. If it is false there
	// may be one, or not.
	Known bool
}

const defaultLife = 15 * time.Minute

// Recovery mints and redeems codes. It is made by [New], immutable, and safe
// for concurrent use. The zero Recovery refuses with an error.
type Recovery struct {
	c Config
}

// Format prints how codes are made, and nothing else, whatever the verb.
func (r Recovery) Format(f fmt.State, verb rune) { r.c.Format(f, verb) }

// LogValue logs what Format prints.
func (r Recovery) LogValue() slog.Value { return r.c.LogValue() }

// New returns a Recovery, or every mistake in c.
func New(c Config) (*Recovery, error) {
	if c.Alphabet == "" {
		c.Alphabet = defaultAlphabet
	}
	if c.Length == 0 {
		c.Length = defaultLength
	}
	if c.Life == 0 {
		c.Life = defaultLife
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Notify == nil {
		c.Notify = func(context.Context, Event) {}
	}
	c.Secret = append([]byte(nil), c.Secret...)
	if err := c.mistakes(); err != nil {
		return nil, err
	}
	return &Recovery{c}, nil
}

func (c Config) mistakes() error {
	var found []error
	mistake := func(format string, a ...any) {
		found = append(found, fmt.Errorf("recovery: Config."+format, a...))
	}
	if c.Store == nil {
		mistake("Store is missing")
	} else if isNil(c.Store) {
		mistake("Store is a nil %T: was its error looked at?", c.Store)
	}
	if c.Lockout == nil {
		mistake("Lockout is missing")
	}
	if len(c.Secret) < 32 {
		mistake("Secret has %d bytes, at least 32 are needed", len(c.Secret))
	}
	if c.Life < 0 || c.Life > 24*time.Hour {
		mistake("Life is %v, not between 0 and 24h", c.Life)
	}
	if !isAlphabet(c.Alphabet) {
		mistake("Alphabet must be 2 to 64 different printable ASCII characters")
	}
	if c.Length < 1 || c.Length > maxLength {
		mistake("Length is %d, not between 1 and %d", c.Length, maxLength)
	} else if bits := float64(c.Length) * math.Log2(float64(len(c.Alphabet))); bits < leastBits && !c.InsecureShortCodes {
		mistake("Length: codes of %d characters have %.0f bits, at least %d are needed, or InsecureShortCodes", c.Length, bits, leastBits)
	}
	return errors.Join(found...)
}

// isNil finds a nil pointer in s: the usual remains of an error that was not
// looked at.
func isNil(s issuer.Store) bool {
	v := reflect.ValueOf(s)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// Start mints a code for account and has send deliver it. It voids the code that
// was asked for before.
//
// For an account that doesn't exist send is nil: then the same is done, and no
// guess will be right. send should leave the work to a queue, since the time
// that it takes tells known accounts from unknown ones; its error is returned.
//
// account is the one canonical name of the account, such as [ratelimit.Email]
// gives. While it is blocked the error is a [lockout.BlockedError].
//
// Start counts nothing: whoever knows an address may have mail sent to it, and
// each time void the code that its owner has just got. Limit it by account as
// well as by address of the peer, before it is called:
//
//	d, err := perAccount.Allow(ctx, account) // such as ratelimit.Per(3, time.Hour)
//	if err == nil && !d.Allowed {
//		err = &lockout.BlockedError{RetryAfter: d.RetryAfter}
//	}
func (r *Recovery) Start(ctx context.Context, account string, send func(ctx context.Context, code string) error) error {
	if err := r.check(account); err != nil {
		return err
	}
	_, blocked, err := r.c.Lockout.Status(ctx, account)
	if err != nil {
		return fmt.Errorf("recovery: lockout: %w", err)
	}
	if blocked > 0 {
		return &lockout.BlockedError{RetryAfter: blocked}
	}
	code := r.newCode()
	_, err = r.change(ctx, account, func(s state, now time.Time, version uint64) (state, time.Time) {
		next := state{Kind: open, Digest: r.digest(account, version, code), Until: now.Add(r.c.Life), Told: s.Told, Known: send != nil}
		if send == nil {
			next.Kind = decoy
		}
		return next, next.Until
	})
	if err != nil {
		return err
	}
	if err := r.voidIfBlocked(ctx, account); err != nil || send == nil {
		return err
	}
	if err := send(ctx, code); err != nil {
		return fmt.Errorf("recovery: sending: %w", err)
	}
	return nil
}

// voidIfBlocked is for a block that began after the first look, and may have
// voided the record before the new code was written over that.
func (r *Recovery) voidIfBlocked(ctx context.Context, account string) error {
	_, blocked, err := r.c.Lockout.Status(ctx, account)
	if err != nil {
		return fmt.Errorf("recovery: lockout: %w", err)
	}
	if blocked == 0 {
		return nil
	}
	_, err = r.change(ctx, account, func(s state, now time.Time, _ uint64) (state, time.Time) {
		until := now.Add(blocked)
		return state{Kind: void, Until: until, Told: s.Told, Known: s.Known}, until // whoever guessed gives notice
	})
	if err != nil {
		return err
	}
	return &lockout.BlockedError{RetryAfter: blocked}
}

// Redeem reports whether code is the code of account, and ends it if it is:
// true is answered once. The caller then sets the new password and ends the
// account's sessions.
//
// [ErrMalformed] says that code has not the form of a code; it costs no try. A
// [lockout.BlockedError] says that the account is blocked. Neither is looked at.
// Any other error says that it could not be found out whether code is right: if it
// was, it may have been ended all the same, and a new one has to be asked for.
func (r *Recovery) Redeem(ctx context.Context, account, code string) (bool, error) {
	if err := r.check(account); err != nil {
		return false, err
	}
	code, err := r.meant(code)
	if err != nil {
		return false, err
	}
	o, err := r.c.Lockout.Attempt(ctx, account, func(ctx context.Context) (bool, error) {
		ok, err := r.spend(ctx, account, code)
		if err != nil { // before the code was compared, or after it was right: no look is gained
			err = fmt.Errorf("%w: %w", lockout.ErrUndecided, err)
		}
		return ok, err
	})
	if errors.Is(err, errSpent) {
		return false, nil
	}
	if err != nil || o.Right {
		return o.Right, err
	}
	r.afterWrong(context.WithoutCancel(ctx), account)
	return false, nil
}

// errSpent is the right code for the second time, as a double click sends it.
// It is refused and not counted, or its owner would lock himself out.
var errSpent = errors.New("recovery: code was redeemed before")

// spend looks at a guess that is paid for.
func (r *Recovery) spend(ctx context.Context, account, code string) (bool, error) {
	for range 2 {
		rec, now, err := r.c.Store.Load(ctx, r.id(account))
		if err != nil {
			return false, err
		}
		s, err := stateOf(rec)
		if err != nil {
			return false, err
		}
		right := hmac.Equal(s.Digest, r.digest(account, s.Request, code))
		switch {
		case right && s.Kind == spent:
			return false, errSpent
		case !right || s.Kind != open || !now.Before(s.Until):
			return false, nil
		}
		s.Kind = spent
		swapped, err := r.c.Store.Swap(ctx, s.record(rec, rec.Expiry))
		if err != nil || swapped {
			return swapped, err
		}
	}
	return false, errors.New("recovery: the record keeps changing")
}

// afterWrong voids the code if the guess was the last one allowed. Of all who
// find the account blocked, the one that writes so gives notice. If the store
// fails now, the answer stands, and the lockout still blocks; the code expires.
func (r *Recovery) afterWrong(ctx context.Context, account string) {
	ctx, cancel := context.WithTimeout(ctx, afterTimeout)
	defer cancel()
	_, blocked, err := r.c.Lockout.Status(ctx, account)
	if err != nil || blocked == 0 {
		return
	}
	var told, known bool
	written, err := r.change(ctx, account, func(s state, now time.Time, _ uint64) (state, time.Time) {
		if told = now.Before(s.Told); told && s.Kind == void {
			return s, time.Time{}
		}
		until := now.Add(blocked)
		known = s.Known
		return state{Kind: void, Until: until, Told: until, Known: known}, until
	})
	switch {
	case err != nil:
		r.c.Logger.ErrorContext(ctx, "recovery blocked after wrong codes, but the code could not be voided", "account", r.id(account), "error", err)
	case written && !told:
		r.c.Logger.WarnContext(ctx, "recovery blocked after wrong codes", "account", r.id(account), "for", blocked)
		r.c.Notify(ctx, Event{Account: account, Blocked: true, For: blocked, Known: known})
	}
}

// afterTimeout bounds what is done for a client that may have gone.
const afterTimeout = 5 * time.Second

// Unblock ends the block of account, voids its code, and forgives all guesses.
// Who may do that is for the caller to judge. An account that is not blocked is
// no error.
func (r *Recovery) Unblock(ctx context.Context, account string) error {
	if err := r.check(account); err != nil {
		return err
	}
	_, blocked, err := r.c.Lockout.Status(ctx, account)
	if err != nil {
		return fmt.Errorf("recovery: lockout: %w", err)
	}
	var known bool
	if _, err := r.change(ctx, account, func(s state, now time.Time, _ uint64) (state, time.Time) {
		if s.Kind == none {
			return s, time.Time{}
		}
		known = s.Known
		return state{Kind: none, Known: known}, now.Add(time.Minute)
	}); err != nil {
		return err
	}
	if err := r.c.Lockout.Unblock(ctx, account); err != nil {
		return fmt.Errorf("recovery: lockout: %w", err)
	}
	if blocked > 0 {
		r.c.Logger.InfoContext(ctx, "recovery unblocked", "account", r.id(account))
		r.c.Notify(ctx, Event{Account: account, Known: known})
	}
	return nil
}

// Status says how many guesses are left for account, and for how long it is
// blocked, 0 if it is not. It is for display.
func (r *Recovery) Status(ctx context.Context, account string) (left int, blocked time.Duration, err error) {
	if err := r.check(account); err != nil {
		return 0, 0, err
	}
	return r.c.Lockout.Status(ctx, account)
}

// check refuses what no step can be done for: a Recovery that New didn't make,
// and what can't be an account.
func (r *Recovery) check(account string) error {
	if r == nil || r.c.Store == nil {
		return errors.New("recovery: not made by New")
	}
	if account == "" || len(account) > 1024 {
		return errors.New("recovery: account must have 1 to 1024 bytes")
	}
	return nil
}

// mac is an HMAC under the secret, of parts that can't run into each other.
func (r *Recovery) mac(parts ...string) []byte {
	h := hmac.New(sha256.New, r.c.Secret)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return h.Sum(nil)
}

// id names the record of an account, and the account in the log.
func (r *Recovery) id(account string) string {
	return "recovery-" + base64.RawURLEncoding.EncodeToString(r.mac("account", account)[:16])
}

// digest binds a code to its account and to the request that it was made for.
func (r *Recovery) digest(account string, request uint64, code string) []byte {
	return r.mac("code", account, fmt.Sprint(request), code)
}

// state is what the record of an account says.
type state struct {
	Format  int       `json:"v"`
	Kind    kind      `json:"k"`
	Request uint64    `json:"r,omitempty"` // the record's version when the code was made
	Digest  []byte    `json:"d,omitempty"`
	Until   time.Time `json:"u"`
	Told    time.Time `json:"t,omitzero"`  // notice was given of the block until then
	Known   bool      `json:"s,omitempty"` // the last code had somebody to be sent to
}

type kind string

const (
	none  kind = ""
	open  kind = "open"  // a code was sent and may be redeemed until Until
	decoy kind = "decoy" // the same for an account that does not exist
	spent kind = "spent" // the code was redeemed
	void  kind = "void"  // wrong guesses blocked the account until Until
)

const stateFormat = 1

func stateOf(rec issuer.Record) (state, error) {
	if rec.Version == 0 {
		return state{}, nil
	}
	var s state
	if err := json.Unmarshal(rec.Data, &s); err != nil || s.Format != stateFormat {
		return state{}, fmt.Errorf("recovery: record %s is damaged or of another version", rec.Session)
	}
	return s, nil
}

// record returns the successor of rec that says s.
func (s state) record(rec issuer.Record, expiry time.Time) issuer.Record {
	s.Format = stateFormat
	data, _ := json.Marshal(s) // a state can always be written
	return issuer.Record{Session: rec.Session, Subject: rec.Session, Version: rec.Version + 1, Expiry: expiry, Data: data}
}

// change replaces the record of account by what next makes of it, and again if
// somebody else was faster. Where next gives no expiry nothing is written, and
// false returned.
func (r *Recovery) change(ctx context.Context, account string, next func(s state, now time.Time, version uint64) (state, time.Time)) (bool, error) {
	for range 5 {
		rec, now, err := r.c.Store.Load(ctx, r.id(account))
		if err != nil {
			return false, fmt.Errorf("recovery: store: %w", err)
		}
		rec.Session = r.id(account)
		s, err := stateOf(rec)
		if err != nil {
			return false, err
		}
		s, expiry := next(s, now, rec.Version+1)
		if expiry.IsZero() {
			return false, nil
		}
		s.Request = rec.Version + 1
		swapped, err := r.c.Store.Swap(ctx, s.record(rec, expiry))
		if err != nil {
			return false, fmt.Errorf("recovery: store: %w", err)
		}
		if swapped {
			return true, nil
		}
	}
	return false, errors.New("recovery: the record keeps changing")
}
