package recovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

// Config says how codes are made and where they are kept. It is copied by [New].
// No way of printing it shows the secret.
type Config struct {
	// Store keeps one record for each account that asked; required. It may be the
	// store of the sessions. Strangers write such records: bound them by a limit in
	// front, as the package says under "What strangers can fill".
	Store issuer.Store

	// Lockout counts guesses by account; required. It should have a name of its own.
	// If it keeps its records in the sessions' store (a [Log]), nothing but a limit
	// in front bounds how many strangers write there for 24 hours.
	Lockout *lockout.Lockout

	// Secret returns the key of the digests of codes and accounts: at least 32 bytes,
	// the same on all machines, and not kept in the store; required. It is a function
	// so that no printing of a Config shows the key, and [New] calls it once:
	//
	//	Secret: func() []byte { return secret }
	Secret func() []byte

	// Life is how long a code may be redeemed: 0 means 15 minutes; at most 24 hours.
	Life time.Duration

	// Codes is how many codes an account may be sent in quick succession: 1 to 100;
	// 0 means 3. After those, one more is made in each Life.
	//
	// A Start that comes sooner sends nothing and ends nothing, and its answer is the
	// same. The code that was sent last is still good then. So a stranger who asks
	// again and again can't fill a mailbox, and can't keep its owner from a code: the
	// newest one in the mailbox is good, even if a stranger asked for it. With 1 a
	// good code is never ended by another, but the owner of a mail that was lost waits
	// for a Life.
	Codes int

	// Alphabet and Length are what codes are made of: 8 of 32 letters and digits that
	// are not mistaken for each other, unless set. An alphabet has 2 to 64 different
	// printable ASCII characters, a code 1 to 128.
	Alphabet string
	Length   int

	// Forgiving reads codes as people type them, 512 bytes at most. Spaces, tabs,
	// line ends and dashes in and around them are dropped, except dashes that the
	// alphabet has. Letters that the alphabet has in one case are read in either.
	// With the default alphabet O is read as 0, I and L as 1. Without Forgiving a
	// code is exactly what was sent, and anything else is malformed.
	Forgiving bool

	// InsecureShortCodes allows codes of less than 40 bits, such as six digits
	// (20 bits). Then nothing but the lockout protects the account: five guesses a
	// day find one of 550 accounts within a year.
	InsecureShortCodes bool

	// Notify, if set, is told when guesses blocked an account, at most once for each
	// block, and when one was unblocked, to warn its owner. It is called before the
	// answer, with a context of 5 s, and should return soon.
	//
	// Everybody may guess at any name, so the account may not exist. Unless
	// Event.Known, look whether it does before you write to its address, or
	// strangers have your mail sent to anybody they like.
	Notify func(ctx context.Context, e Event)

	// Logger hears the same. Nil is [slog.Default].
	Logger *slog.Logger
}

// Event is what Notify is told.
type Event struct {
	Account string
	Blocked bool          // or else unblocked
	For     time.Duration // how long, if blocked

	// Known says that Start was given a send for Account not long before, so that
	// there is such an account. If it is false there may be one, or not.
	Known bool
}

const (
	defaultLife  = 15 * time.Minute
	defaultCodes = 3

	leastSecret = 32 // bytes: as long as the hash (RFC 2104 §3)
	maxLife     = 24 * time.Hour
	maxCodes    = 100
)

// settled returns c with its defaults filled in, or every mistake in it.
func (c Config) settled() (Config, error) {
	if c.Life == 0 {
		c.Life = defaultLife
	}
	if c.Codes == 0 {
		c.Codes = defaultCodes
	}
	if c.Alphabet == "" {
		c.Alphabet = defaultAlphabet
	}
	if c.Length == 0 {
		c.Length = defaultLength
	}
	if c.Notify == nil {
		c.Notify = func(context.Context, Event) {}
	}
	var mistakes []error
	mistake := func(format string, a ...any) {
		mistakes = append(mistakes, fmt.Errorf("recovery: Config."+format, a...))
	}
	if c.Store == nil {
		mistake("Store is missing")
	} else if isNil(c.Store) {
		mistake("Store is a nil %T: was its error looked at?", c.Store)
	}
	if c.Lockout == nil {
		mistake("Lockout is missing")
	}
	if c.Secret == nil {
		mistake("Secret is missing")
	} else if secret := slices.Clone(c.Secret()); len(secret) < leastSecret {
		mistake("Secret has %d bytes, at least %d are needed", len(secret), leastSecret)
	} else {
		// A closure again, not a field: fmt skips the Format of fields that are not
		// exported, but it never looks inside a func.
		c.Secret = func() []byte { return secret }
	}
	if c.Life < 0 || c.Life > maxLife {
		mistake("Life is %v, must be more than 0 and at most %v", c.Life, maxLife)
	}
	if c.Codes < 1 || c.Codes > maxCodes {
		mistake("Codes is %d, must be 1 to %d", c.Codes, maxCodes)
	}
	if !isAlphabet(c.Alphabet) {
		mistake("Alphabet must be 2 to 64 different printable ASCII characters")
	}
	if c.Length < 1 || c.Length > maxLength {
		mistake("Length is %d, must be 1 to %d", c.Length, maxLength)
	} else if bits := float64(c.Length) * math.Log2(float64(len(c.Alphabet))); bits < leastBits && !c.InsecureShortCodes {
		mistake("Length: codes of %d characters have %.0f bits, at least %d are needed, or InsecureShortCodes", c.Length, bits, leastBits)
	}
	return c, errors.Join(mistakes...)
}

// isNil finds a nil pointer in s: the usual remains of an error that was not looked
// at.
func isNil(s issuer.Store) bool {
	v := reflect.ValueOf(s)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// Format prints how codes are made, and nothing else, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "recovery of %d characters of %q within %v", c.Length, c.Alphabet, c.Life)
}

// LogValue logs what Format prints.
func (c Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }
