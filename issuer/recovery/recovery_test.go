package recovery_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/recovery"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

const (
	ann = "ann@example.com"
	day = 24 * time.Hour
)

var silent = slog.New(slog.DiscardHandler)

// flow is a Recovery under test.
type flow struct {
	*recovery.Recovery
	t       testing.TB
	lockout *lockout.Lockout

	mu     sync.Mutex
	events []recovery.Event
}

// secret is one of 32 bytes b.
func secret(b byte) func() []byte {
	return func() []byte { return bytes.Repeat([]byte{b}, 32) }
}

// newFlow fills in what c lacks.
func newFlow(t testing.TB, c recovery.Config) *flow {
	t.Helper()
	f := &flow{t: t}
	if c.Store == nil {
		c.Store = issuer.NewMemoryStore()
	}
	if c.Lockout == nil {
		c.Lockout = newLockout(t, nil)
	}
	if c.Secret == nil {
		c.Secret = secret(7)
	}
	if c.Logger == nil {
		c.Logger = silent
	}
	c.Notify = func(_ context.Context, e recovery.Event) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.events = append(f.events, e)
	}
	var err error
	if f.Recovery, err = recovery.New(c); err != nil {
		t.Fatal(err)
	}
	f.lockout = c.Lockout
	return f
}

func newLockout(t testing.TB, store lockout.Store) *lockout.Lockout {
	t.Helper()
	l, err := lockout.New(lockout.Config{Name: "recovery", Store: store, Logger: silent})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// brief blocks for a minute.
func brief(t testing.TB) *lockout.Lockout {
	t.Helper()
	l, err := lockout.New(lockout.Config{Name: "recovery", Block: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// start asks for a code of account.
func (f *flow) start(account string) (code string) {
	f.t.Helper()
	err := f.Start(context.Background(), account, func(_ context.Context, c string) error {
		code = c
		return nil
	})
	if err != nil {
		f.t.Fatalf("Start: %v", err)
	}
	return code
}

func (f *flow) redeem(account, code string, want bool) {
	f.t.Helper()
	if ok, err := f.Redeem(context.Background(), account, code); ok != want || err != nil {
		f.t.Errorf("Redeem: %v, %v; want %v", ok, err, want)
	}
}

// wrong is a code that has the form of one and is none.
func wrong(code string) string {
	if code[0] == '0' {
		return "1" + code[1:]
	}
	return "0" + code[1:]
}

func (f *flow) guess(account string, n int) {
	f.t.Helper()
	for range n {
		f.redeem(account, "00000000", false)
	}
}

func (f *flow) wantBlocked(account, code string, wait time.Duration) {
	f.t.Helper()
	ok, err := f.Redeem(context.Background(), account, code)
	var blocked *lockout.BlockedError
	if ok || !errors.As(err, &blocked) || blocked.RetryAfter != wait {
		f.t.Errorf("Redeem: %v, %v; want blocked for %v", ok, err, wait)
	}
}

func (f *flow) wantStatus(account string, left int, blocked time.Duration) {
	f.t.Helper()
	if n, d, err := f.Status(context.Background(), account); n != left || d != blocked || err != nil {
		f.t.Errorf("Status: %d, %v, %v; want %d, %v", n, d, err, left, blocked)
	}
}

func (f *flow) wantEvents(want ...recovery.Event) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if fmt.Sprint(f.events) != fmt.Sprint(want) {
		f.t.Errorf("events %v, want %v", f.events, want)
	}
}

// bubbles runs each test in a bubble, with a flow of its own.
func bubbles(t *testing.T, tests map[string]func(*testing.T, *flow)) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newFlow(t, recovery.Config{})) })
		})
	}
}

func TestRecovery(t *testing.T) {
	blocked := recovery.Event{Account: ann, Blocked: true, For: day}
	known := recovery.Event{Account: ann, Blocked: true, For: day, Known: true}
	bubbles(t, map[string]func(*testing.T, *flow){
		"a code is right once": func(t *testing.T, f *flow) {
			code := f.start(ann)
			f.redeem(ann, code, true)
			f.redeem(ann, code, false)
			f.wantEvents()
		},
		"LO-01 4 wrong, then the right one": func(t *testing.T, f *flow) {
			code := f.start(ann)
			for range 4 {
				f.redeem(ann, wrong(code), false)
			}
			f.wantStatus(ann, 1, 0)
			f.redeem(ann, code, true)
			f.wantStatus(ann, 5, 0)
		},
		"LO-02 5 wrong, then the right one": func(t *testing.T, f *flow) {
			code := f.start(ann)
			for range 5 {
				f.redeem(ann, wrong(code), false)
			}
			f.wantBlocked(ann, code, day)
			f.wantEvents(known)
		},
		"5 wrong over all codes asked for": func(t *testing.T, f *flow) {
			for range 5 {
				f.redeem(ann, wrong(f.start(ann)), false)
				time.Sleep(time.Hour)
			}
			f.wantStatus(ann, 0, day-time.Hour)
		},
		"a block voids the code, also for when it has ended": func(t *testing.T, _ *flow) {
			f := newFlow(t, recovery.Config{Life: day})
			f.guess(ann, 4)
			time.Sleep(day - 2*time.Second)
			code := f.start(ann)
			f.redeem(ann, wrong(code), false)
			f.wantStatus(ann, 0, day)
			time.Sleep(day)
			f.redeem(ann, code, false)
		},
		"a code that outlives the block is void all the same": func(t *testing.T, _ *flow) {
			f := newFlow(t, recovery.Config{Life: day, Lockout: brief(t)})
			code := f.start(ann)
			f.guess(ann, 5)
			time.Sleep(time.Minute)
			f.redeem(ann, code, false)
			f.wantStatus(ann, 4, 0)
		},
		"who is known is so until the block ends": func(t *testing.T, f *flow) {
			f.start(ann)
			f.guess(ann, 5)
			time.Sleep(day - 1)
			if err := f.Unblock(t.Context(), ann); err != nil {
				t.Error(err)
			}
			f.wantEvents(known, recovery.Event{Account: ann, Known: true})
		},
		"LO-09 the owner is told once, and login knows nothing of it": func(t *testing.T, _ *flow) {
			store := lockout.NewMemoryStore(0)
			f := newFlow(t, recovery.Config{Lockout: newLockout(t, store)})
			login, err := lockout.New(lockout.Config{Name: "login", Store: store})
			if err != nil {
				t.Fatal(err)
			}
			f.start(ann)
			f.guess(ann, 5)
			for range 20 {
				f.wantBlocked(ann, "00000000", day)
			}
			f.wantEvents(known)
			if left, wait, err := login.Status(t.Context(), ann); left != 5 || wait != 0 || err != nil {
				t.Errorf("login: %d, %v, %v", left, wait, err)
			}
			time.Sleep(day)
			f.guess(ann, 5)
			f.wantEvents(known, blocked) // nobody has asked since
		},
		"who is not known is not said to be": func(t *testing.T, f *flow) {
			if err := f.Start(t.Context(), "nobody", nil); err != nil {
				t.Error(err)
			}
			f.guess("nobody", 5)
			f.guess("never asked", 5)
			if err := errors.Join(f.Unblock(t.Context(), "nobody"), f.Unblock(t.Context(), "never asked")); err != nil {
				t.Error(err)
			}
			f.wantEvents(
				recovery.Event{Account: "nobody", Blocked: true, For: day}, recovery.Event{Account: "never asked", Blocked: true, For: day},
				recovery.Event{Account: "nobody"}, recovery.Event{Account: "never asked"})
		},
		"whose code was redeemed is known": func(t *testing.T, f *flow) {
			f.redeem(ann, f.start(ann), true)
			f.guess(ann, 5)
			f.wantEvents(known)
		},
		"LO-15 no new code while blocked, and nothing written": func(t *testing.T, _ *flow) {
			s := &spy{Store: issuer.NewMemoryStore()}
			f := newFlow(t, recovery.Config{Store: s})
			f.start(ann)
			f.guess(ann, 5)
			defer func(before int) {
				if len(s.swaps) != before {
					t.Errorf("%d writes", len(s.swaps)-before)
				}
			}(len(s.swaps))
			err := f.Start(t.Context(), ann, func(context.Context, string) error {
				t.Error("a code was sent")
				return nil
			})
			if !errors.Is(err, lockout.ErrBlocked) {
				t.Errorf("Start: %v", err)
			}
		},
		"LO-24 an unknown account is the same": func(t *testing.T, f *flow) {
			if err := f.Start(t.Context(), "nobody@example.com", nil); err != nil {
				t.Errorf("Start: %v", err)
			}
			f.guess("nobody@example.com", 5)
			f.wantBlocked("nobody@example.com", "00000000", day) // LO-31: as long as others
			if err := f.Start(t.Context(), "nobody@example.com", nil); !errors.Is(err, lockout.ErrBlocked) {
				t.Errorf("Start: %v", err)
			}
			f.guess("never asked", 5)
			f.wantBlocked("never asked", "00000000", day)
		},
		"LO-28 an expired code is wrong and counts": func(t *testing.T, f *flow) {
			code := f.start(ann)
			time.Sleep(15 * time.Minute)
			f.redeem(ann, code, false)
			f.wantStatus(ann, 4, 0)
		},
		"LO-28 a code expires also if its record is kept for longer": func(t *testing.T, f *flow) {
			f.start(ann)
			code := f.start(ann)
			time.Sleep(15 * time.Minute)
			f.redeem(ann, code, false)
			f.wantStatus(ann, 4, 0)
		},
		"a code is good to the last nanosecond": func(t *testing.T, f *flow) {
			code := f.start(ann)
			time.Sleep(15*time.Minute - 1)
			f.redeem(ann, code, true)
		},
		"LO-28 a superseded code is wrong and counts": func(t *testing.T, f *flow) {
			old := f.start(ann)
			code := f.start(ann)
			f.redeem(ann, old, false)
			f.wantStatus(ann, 4, 0)
			f.redeem(ann, code, true)
		},
		"LO-37 sending the right code often locks nobody out": func(t *testing.T, f *flow) {
			code := f.start(ann)
			f.redeem(ann, code, true)
			for range 20 {
				f.redeem(ann, code, false)
			}
			f.wantStatus(ann, 5, 0)
			f.redeem(ann, f.start(ann), true)
		},
		"unblock ends the block and the code": func(t *testing.T, f *flow) {
			code := f.start(ann)
			f.guess(ann, 5)
			if err := f.Unblock(t.Context(), ann); err != nil {
				t.Error(err)
			}
			f.wantStatus(ann, 5, 0)
			f.wantEvents(known, recovery.Event{Account: ann, Known: true})
			f.guess(ann, 5)
			f.wantEvents(known, recovery.Event{Account: ann, Known: true}, known)
			if err := f.Unblock(t.Context(), ann); err != nil {
				t.Error(err)
			}
			f.redeem(ann, code, false)
			f.redeem(ann, f.start(ann), true)
		},
		"unblock voids a code that is open": func(t *testing.T, f *flow) {
			code := f.start(ann)
			if err := f.Unblock(t.Context(), ann); err != nil {
				t.Error(err)
			}
			f.redeem(ann, code, false)
			f.wantEvents()
		},
		"after an unblock the next block is told": func(t *testing.T, f *flow) {
			f.guess(ann, 5)
			if err := f.Unblock(t.Context(), ann); err != nil {
				t.Error(err)
			}
			f.start(ann)
			f.guess(ann, 5)
			f.wantEvents(blocked, recovery.Event{Account: ann}, known)
		},
		"unblock of an account that is not": func(t *testing.T, f *flow) {
			if err := f.Unblock(t.Context(), ann); err != nil {
				t.Error(err)
			}
			f.wantEvents()
		},
		"codes of two accounts are apart": func(t *testing.T, f *flow) {
			a, b := f.start("a"), f.start("b")
			f.redeem("a", b, false)
			f.redeem("b", a, false)
			f.redeem("a", a, true)
			f.redeem("b", b, true)
		},
		"a code that can't be sent is an error": func(t *testing.T, f *flow) {
			down := errors.New("mail is down")
			if err := f.Start(t.Context(), ann, func(context.Context, string) error { return down }); !errors.Is(err, down) {
				t.Errorf("%v", err)
			}
		},
	})
}

// TestNothingPrintsTheSecret prints and logs what has it in every way. fmt calls no
// method of a field that isn't exported.
func TestNothingPrintsTheSecret(t *testing.T) {
	key := []byte("a secret of more than 32 bytes!!!")
	c := recovery.Config{Secret: func() []byte { return key }, Store: issuer.NewMemoryStore(), Lockout: newLockout(t, nil)}
	r, err := recovery.New(c)
	if err != nil {
		t.Fatal(err)
	}
	type hidden struct {
		c recovery.Config
		p *recovery.Config
		r recovery.Recovery
		q *recovery.Recovery
	}
	h := hidden{c, &c, *r, r}
	for _, v := range []any{c, &c, r, *r, []any{c, r}, map[string]any{"c": c}, struct{ C recovery.Config }{c}, struct{ R recovery.Recovery }{*r}, h, &h, []hidden{h}, struct{ H hidden }{h}} {
		var texts strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&texts, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&texts, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&texts, nil)).Info("x", "v", v)
		for _, form := range []string{"%s", "%v", "%x", "%X", "%#v"} {
			if shown := strings.Trim(fmt.Sprintf(form, key[:8]), "[]"); strings.Contains(texts.String(), shown) {
				t.Errorf("%T shows the secret as %s", v, form)
			}
		}
		if strings.Contains(texts.String(), "PANIC") || strings.Contains(texts.String(), "panicked") {
			t.Errorf("%T: %s", v, texts.String())
		}
	}
}

// The secret is asked for once, and kept: what the caller does to its bytes later
// changes nothing.
func TestSecretIsCopied(t *testing.T) {
	key, asked := bytes.Repeat([]byte{7}, 32), 0
	f := newFlow(t, recovery.Config{Secret: func() []byte { asked++; return key }})
	code := f.start(ann)
	key[0] = 8
	f.redeem(ann, code, true)
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// A Logger that is nil is slog's default at the moment of the line.
func TestLogger(t *testing.T) {
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(silent)
	r, err := recovery.New(recovery.Config{Store: issuer.NewMemoryStore(), Lockout: newLockout(t, nil), Secret: secret(7)})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	for range 5 {
		if ok, err := r.Redeem(t.Context(), ann, "00000000"); ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if line := log.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, "recovery: blocked") || strings.Contains(line, "ann@") {
		t.Errorf("%q", line)
	}
}

// LO-30: nothing in the store tells the code or the account.
func TestAtRest(t *testing.T) {
	store := &spy{Store: issuer.NewMemoryStore()}
	f := newFlow(t, recovery.Config{Store: store})
	code := f.start(ann)
	f.redeem(ann, wrong(code), false)
	if len(store.swaps) != 1 {
		t.Fatalf("%d records", len(store.swaps))
	}
	for _, r := range store.swaps {
		all := fmt.Sprintf("%s %s %s", r.Session, r.Subject, r.Data)
		if strings.Contains(all, code) || strings.Contains(all, "ann@") || strings.Contains(all, "example") {
			t.Errorf("LO-30 in plain text: %s", all)
		}
		if len(r.Session) > 32 {
			t.Errorf("%q is too long for a Store", r.Session)
		}
	}
	stranger := newFlow(t, recovery.Config{Store: store, Secret: secret(8)})
	stranger.redeem(ann, code, false)
	f.redeem(ann, code, true)
}

// Short codes are often the same, what is kept of them never is; and those of an
// account that doesn't exist are wrong, whatever is guessed.
func TestShortCodes(t *testing.T) {
	store := &spy{Store: issuer.NewMemoryStore()}
	f := newFlow(t, recovery.Config{Store: store, Alphabet: "01", Length: 1, InsecureShortCodes: true, Codes: 100})
	digests := make(map[string]bool)
	for range 10 {
		f.start(ann)
		f.start("bob")
	}
	for _, r := range store.swaps {
		var s struct{ D string }
		if err := json.Unmarshal(r.Data, &s); err != nil {
			t.Fatal(err)
		}
		digests[s.D] = true
	}
	if len(digests) != 20 {
		t.Errorf("%d digests of 20 codes", len(digests))
	}
	if err := f.Start(t.Context(), "nobody", nil); err != nil {
		t.Fatal(err)
	}
	f.redeem("nobody", "0", false)
	f.redeem("nobody", "1", false)
}

// A record of another account, put in the place of ann's, opens nothing.
func TestMovedRecord(t *testing.T) {
	store := &spy{Store: issuer.NewMemoryStore()}
	f := newFlow(t, recovery.Config{Store: store})
	code := f.start("mallory")
	f.start(ann)
	mine, hers := store.swaps[0], store.swaps[1]
	hers.Version, hers.Data = hers.Version+1, mine.Data
	if ok, err := store.Store.Swap(t.Context(), hers); !ok || err != nil {
		t.Fatal(ok, err)
	}
	f.redeem(ann, code, false)
}

// LO-33: damaged records refuse, and cost no try.
func TestDamaged(t *testing.T) {
	for _, data := range []string{"", "{", `{"v":2,"k":"open"}`, `{"k":"open"}`, "\x00", `{"v":1,"k":"open","r":-1}`,
		`{"v":1,"k":"later"}`, `{"v":1,"k":"void","u":"2000-01-01T00:00:00Z","later":1}`, `{"v":1,"k":"void","u":"2000-01-01T00:00:00Z"}{}`} {
		store := &spy{Store: issuer.NewMemoryStore()}
		f := newFlow(t, recovery.Config{Store: store})
		code := f.start(ann)
		r := store.swaps[0]
		r.Version, r.Data = 2, []byte(data)
		if ok, err := store.Store.Swap(t.Context(), r); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if ok, err := f.Redeem(t.Context(), ann, code); ok || err == nil || errors.Is(err, lockout.ErrBlocked) {
			t.Errorf("LO-33 %q: %v, %v", data, ok, err)
		}
		if err := f.Start(t.Context(), ann, nil); err == nil {
			t.Errorf("LO-33 %q: Start went on", data)
		}
		f.wantStatus(ann, 5, 0)
	}
}

// LO-35: the figures in the package's documentation.
func TestFigures(t *testing.T) {
	const guesses = 5 * 365.25
	for _, test := range []struct {
		alphabet, length float64
		oneIn            float64
	}{{32, 8, 600e6}, {10, 6, 550}} {
		oneIn := math.Pow(test.alphabet, test.length) / guesses
		if math.Abs(oneIn/test.oneIn-1) > 0.01 {
			t.Errorf("LO-35 one in %.0f, documented as %.0f", oneIn, test.oneIn)
		}
	}
}

// Codes are of the alphabet, as long as they are to be, and evenly drawn.
func TestCodes(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz01234567" // 60: a sixth more of some, if not drawn evenly
	f := newFlow(t, recovery.Config{Alphabet: alphabet, Length: 128})
	counts := make(map[rune]int)
	for i := range 1000 {
		code := f.start(fmt.Sprint(i))
		if len(code) != 128 {
			t.Fatalf("%q", code)
		}
		for _, c := range code {
			counts[c]++
		}
	}
	mean := 1000.0 * 128 / 60
	for _, c := range alphabet {
		if n := float64(counts[c]); math.Abs(n-mean) > 6*math.Sqrt(mean) {
			t.Errorf("%c was drawn %.0f times, %.0f are even", c, n, mean)
		}
	}
	if len(counts) != 60 {
		t.Errorf("%v", counts)
	}
	if code := newFlow(t, recovery.Config{}).start(ann); len(code) != 8 || strings.ContainsAny(code, "ILOUilou ") {
		t.Errorf("%q", code)
	}
}

func TestNew_refuses(t *testing.T) {
	good := recovery.Config{Store: issuer.NewMemoryStore(), Lockout: newLockout(t, nil), Secret: secret(7)}
	if _, err := recovery.New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*recovery.Config){
		"XX-01 zero":      func(c *recovery.Config) { *c = recovery.Config{} },
		"no store":        func(c *recovery.Config) { c.Store = nil },
		"a nil store":     func(c *recovery.Config) { c.Store = (*issuer.MemoryStore)(nil) },
		"no lockout":      func(c *recovery.Config) { c.Lockout = nil },
		"no secret":       func(c *recovery.Config) { c.Secret = nil },
		"short secret":    func(c *recovery.Config) { c.Secret = func() []byte { return make([]byte, 31) } },
		"negative codes":  func(c *recovery.Config) { c.Codes = -1 },
		"many codes":      func(c *recovery.Config) { c.Codes = 101 },
		"long life":       func(c *recovery.Config) { c.Life = day + 1 },
		"negative life":   func(c *recovery.Config) { c.Life = -1 },
		"six digits":      func(c *recovery.Config) { c.Alphabet, c.Length = "0123456789", 6 },
		"39 bits":         func(c *recovery.Config) { c.Alphabet, c.Length = "01", 39 },
		"one letter":      func(c *recovery.Config) { c.Alphabet, c.Length = "a", 128 },
		"a letter twice":  func(c *recovery.Config) { c.Alphabet = "0123456780abcdefg" },
		"not printable":   func(c *recovery.Config) { c.Alphabet = "01234567 abcdefg" },
		"not ASCII":       func(c *recovery.Config) { c.Alphabet = "01234567äabcdefg" },
		"negative length": func(c *recovery.Config) { c.Length = -1 },
		"too long":        func(c *recovery.Config) { c.Length = 129 },
	} {
		c := good
		change(&c)
		if r, err := recovery.New(c); err == nil || r != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	_, err := recovery.New(recovery.Config{})
	for _, field := range []string{"Store", "Lockout", "Secret"} {
		if err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%v lacks %s", err, field)
		}
	}
	for _, r := range []*recovery.Recovery{nil, new(recovery.Recovery)} {
		if err := r.Start(t.Context(), ann, nil); err == nil {
			t.Error("XX-01 the zero Recovery starts")
		}
		if ok, err := r.Redeem(t.Context(), ann, "00000000"); ok || err == nil {
			t.Error("XX-01 the zero Recovery redeems")
		}
		if err := r.Unblock(t.Context(), ann); err == nil {
			t.Error("XX-01 the zero Recovery unblocks")
		}
		if _, _, err := r.Status(t.Context(), ann); err == nil {
			t.Error("XX-01 the zero Recovery has a status")
		}
	}
	f := newFlow(t, recovery.Config{})
	for _, account := range []string{"", strings.Repeat("x", 1025)} {
		if err := f.Start(t.Context(), account, nil); err == nil {
			t.Errorf("account of %d bytes", len(account))
		}
	}
}
