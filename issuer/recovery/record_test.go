package recovery_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
	"github.com/gatehouse-go/gatehouse/issuer/recovery"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout/lockouttest"
)

// put makes r the record of its session, whatever its version.
func put(t testing.TB, store issuer.Store, r issuer.Record) {
	t.Helper()
	version := r.Version
	for r.Version = 1; r.Version <= version; r.Version++ {
		if ok, err := store.Swap(t.Context(), r); !ok || err != nil {
			t.Fatalf("version %d: %v, %v", r.Version, ok, err)
		}
	}
}

// TestCalls counts what a guess costs: the lockout's charge, and one look.
func TestCalls(t *testing.T) {
	for name, want := range map[string]int{"memory": 2, "log": 3} {
		calls := 0
		store := issuertest.Faulty(issuer.NewMemoryStore(), func(int) issuertest.Fault {
			calls++
			return issuertest.None
		})
		counted := &lockouttest.Faults{Store: lockout.NewMemoryStore(0)}
		var guesses lockout.Store = counted
		if name == "log" {
			guesses = newLog(t, store)
		}
		f := newFlow(t, recovery.Config{Store: store, Lockout: newLockout(t, guesses)})
		all := func() int { return calls + counted.Calls() }
		for _, account := range []string{ann, "nobody", "never asked"} {
			switch account {
			case ann:
				f.start(ann)
			case "nobody":
				if err := f.Start(t.Context(), "nobody", nil); err != nil {
					t.Fatal(err)
				}
			}
			for range 4 {
				before := all()
				f.guess(account, 1)
				if n := all() - before; n != want {
					t.Errorf("%s, %s: a wrong code costs %d calls, want %d", name, account, n, want)
				}
			}
			before := all()
			f.guess(account, 1)
			if n := all() - before; n > want+2 {
				t.Errorf("%s, %s: the last wrong code costs %d calls, want %d at most", name, account, n, want+2)
			}
			before = all()
			f.wantRefused(account, "00000000")
			if n := all() - before; n != 1 {
				t.Errorf("%s, %s: a guess at a blocked account costs %d calls, want 1", name, account, n)
			}
		}
	}
}

// TestStrangersRecords: who guesses at made-up addresses writes nothing, and what
// asking for them writes is gone when the codes have expired, also after a block.
func TestStrangersRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &spy{Store: issuer.NewMemoryStore()}
		f := newFlow(t, recovery.Config{Store: s})
		for i := range 1000 {
			f.guess(fmt.Sprint("nobody", i), 5)
		}
		if len(s.swaps) != 0 {
			t.Errorf("LO-25 %d records by guesses", len(s.swaps))
		}
		for i := range 1000 {
			name := fmt.Sprint("asked for", i)
			if err := f.Start(t.Context(), name, nil); err != nil {
				t.Fatal(err)
			}
			f.guess(name, 5)
		}
		for _, r := range s.swaps {
			if left := time.Until(r.Expiry); left > 15*time.Minute {
				t.Fatalf("LO-25 %s stays for %v", r.Data, left)
			}
			if size := len(r.Session) + len(r.Subject) + len(r.Data) + 16; size > 250 {
				t.Fatalf("a record has %d bytes, documented as some 250", size)
			}
		}
	})
}

// A record of request 1 of "b1", in the place of request 11 of "b": with the code of the
// one nobody gets into the other.
func TestPartsOfDigestsAreApart(t *testing.T) {
	store := &spy{Store: issuer.NewMemoryStore()}
	f := newFlow(t, recovery.Config{Store: store})
	code := f.start("b1")
	f.start("b")
	moved, there := store.swaps[0], store.swaps[1].Session
	data := strings.Replace(string(moved.Data), `"r":1,`, `"r":11,`, 1)
	if data == string(moved.Data) {
		t.Fatalf("%s has no request", data)
	}
	if ok, err := store.Store.Swap(t.Context(), issuer.Record{Session: there, Subject: there, Version: 2, Expiry: moved.Expiry, Data: []byte(data)}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	f.redeem("b", code, false)
}

// A guess that has read the log before it expired, and was held up, doesn't write its
// old charges over newer ones.
func TestLog_leastLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &spy{Store: issuer.NewMemoryStore()}
		guesses, err := lockout.New(lockout.Config{Name: "recovery", Store: newLog(t, s), Block: time.Second, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		var looks atomic.Int64
		guess := func() {
			if _, err := guesses.Attempt(t.Context(), ann, func(context.Context) (bool, error) { looks.Add(1); return false, nil }); err != nil && !errors.Is(err, lockout.ErrBlocked) {
				t.Error(err)
			}
		}
		guess()
		guess()
		s.before = []func(){func() { // the third has read two charges
			time.Sleep(2 * time.Second) // which are forgotten
			guess()
			guess()
		}}
		guess()
		if left, _, err := guesses.Status(t.Context(), ann); left != 2 || err != nil {
			t.Errorf("%d guesses left after three in this second, %v; want 2", left, err)
		}
	})
}

// recording is what a build has stored, in a bubble, where it is 2000.
type recording struct {
	Build   string        // that wrote it
	What    string        // was done
	Code    string        // that was sent
	Record  issuer.Record // and then stored
	Account string
}

func recorded(t *testing.T, file string) (all []recording) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil || len(all) == 0 {
		t.Fatalf("%d recordings: %v", len(all), err)
	}
	return all
}

// Records that earlier builds wrote say the same today.
func TestRecorded(t *testing.T) {
	for _, was := range recorded(t, "record-1.json") {
		t.Run(was.Build+"/"+was.What, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &spy{Store: issuer.NewMemoryStore()}
				f := newFlow(t, recovery.Config{Store: store})
				put(t, store.Store, was.Record)
				f.redeem(was.Account, was.Code, was.What == "open")
				left := 4
				if was.What == "open" || was.What == "spent" {
					left = 5 // forgiven, and given back
				}
				f.wantStatus(was.Account, left, 0)
				f.redeem(was.Account, f.start(was.Account), true)
			})
		})
	}
}

func TestLog_recorded(t *testing.T) {
	for _, was := range recorded(t, "log-1.json") {
		t.Run(was.Build+"/"+was.What, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := issuer.NewMemoryStore()
				put(t, store, was.Record)
				f := newFlow(t, recovery.Config{Lockout: newLockout(t, newLog(t, store))})
				switch was.What {
				case "2 wrong":
					f.wantStatus(was.Account, 3, 0)
				case "5 wrong":
					f.wantStatus(was.Account, 0, day)
				default:
					t.Fatal("unknown")
				}
			})
		})
	}
}

// What a later version adds is refused, not overlooked.
func TestLog_later(t *testing.T) {
	for name, data := range map[string][]byte{
		"version":   append([]byte{2}, make([]byte, 16)...),
		"extension": append([]byte{0x81, 1, 0}, make([]byte, 16)...),
	} {
		store := &spy{Store: issuer.NewMemoryStore()}
		f := newFlow(t, recovery.Config{Lockout: newLockout(t, newLog(t, store))})
		f.guess(ann, 1)
		r := store.swaps[0]
		r.Version, r.Data = 2, data
		if ok, err := store.Store.Swap(t.Context(), r); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if ok, err := f.Redeem(t.Context(), ann, "00000000"); ok || err == nil || errors.Is(err, lockout.ErrBlocked) {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
}
