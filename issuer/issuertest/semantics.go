package issuertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
)

// name returns a session or subject that nobody else has.
func name() string {
	b := make([]byte, 16)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// fresh returns a record for Swap to create, which expires in an hour of the
// store's clock.
func fresh(t *testing.T, s issuer.Store, subject string) issuer.Record {
	t.Helper()
	id := name()
	_, now := load(t, s, id)
	return issuer.Record{Session: id, Subject: subject, Version: 1, Expiry: now.Add(time.Hour), Data: []byte("data")}
}

func load(t *testing.T, s issuer.Store, session string) (issuer.Record, time.Time) {
	t.Helper()
	r, now, err := s.Load(t.Context(), session)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if now.IsZero() {
		t.Fatal("Load returned no time")
	}
	return r, now
}

func swap(t *testing.T, s issuer.Store, r issuer.Record, want bool) {
	t.Helper()
	swapped, err := s.Swap(t.Context(), r)
	if err != nil {
		t.Fatalf("Swap: %v", err)
	}
	if swapped != want {
		t.Fatalf("Swap to version %d: %v, want %v", r.Version, swapped, want)
	}
}

// holds fails unless the store has exactly r.
func holds(t *testing.T, s issuer.Store, want issuer.Record) {
	t.Helper()
	got, _ := load(t, s, want.Session)
	equal(t, got, want)
}

func equal(t *testing.T, got, want issuer.Record) {
	t.Helper()
	if got.Session != want.Session || got.Subject != want.Subject || got.Version != want.Version ||
		!bytes.Equal(got.Data, want.Data) || got.Expiry.UnixMilli() != want.Expiry.UnixMilli() {
		t.Fatalf("the store has %.200q, want %.200q", show(got), show(want))
	}
}

func show(r issuer.Record) string {
	return strings.Join([]string{r.Session, r.Subject, r.Expiry.UTC().String(), string(r.Data)}, "|")
}

func sessionsOf(t *testing.T, s issuer.Store, subject string) []issuer.Record {
	t.Helper()
	records, err := s.List(t.Context(), subject)
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	slices.SortFunc(records, func(a, b issuer.Record) int { return strings.Compare(a.Session, b.Session) })
	return records
}

func absent(t *testing.T, open opener) {
	s := open(t)
	r, first := load(t, s, name())
	if r.Version != 0 {
		t.Errorf("an unknown session has version %d", r.Version)
	}
	if _, second := load(t, s, name()); second.Before(first) {
		t.Errorf("the store's time ran back from %v to %v", first, second)
	}
	if records := sessionsOf(t, s, name()); len(records) != 0 {
		t.Errorf("an unknown subject has %d sessions", len(records))
	}
}

func roundTrip(t *testing.T, open opener) {
	s := open(t)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, row := range []struct {
		name, subject string
		data          []byte
	}{
		{"plain", "alice", []byte("data")},
		{"every byte", "bob", every},
		{"64 KiB", "carol", bytes.Repeat([]byte("0123456789abcdef"), 4096)},
		{"quotes and spaces", ` "'; DROP TABLE sessions; --\ `, every},
		{"control characters", "a\x00b\nc\r\x1b", every},
		{"not ASCII", "Zoë 🗝 \u202e", every},
		{"1024 bytes", strings.Repeat("x", 1000), every},
	} {
		r := fresh(t, s, row.subject)
		r.Subject += name() // up to 24 bytes more, and nobody else's
		r.Data = row.data
		swap(t, s, r, true)
		holds(t, s, r)
		if records := sessionsOf(t, s, r.Subject); len(records) != 1 {
			t.Errorf("%s: listed %d times", row.name, len(records))
		} else {
			equal(t, records[0], r)
		}
	}
}

func versions(t *testing.T, open opener) {
	s := open(t)
	r := fresh(t, s, name())
	with := func(version uint64, data string) issuer.Record {
		other := r
		other.Version, other.Data = version, []byte(data)
		return other
	}
	for _, version := range []uint64{0, 2, 3, 1 << 62} {
		swap(t, s, with(version, "of nothing"), false)
	}
	swap(t, s, r, true)
	for _, version := range []uint64{0, 1, 3, 1 << 62} {
		swap(t, s, with(version, "out of turn"), false)
		holds(t, s, r)
	}
	for version := uint64(2); version < 20; version++ {
		next := with(version, strings.Repeat("n", int(version)))
		next.Expiry = r.Expiry.Add(time.Duration(version) * time.Minute)
		swap(t, s, next, true)
		swap(t, s, with(version, "twice"), false)
		holds(t, s, next)
	}
}

func notShared(t *testing.T, open opener) {
	s := open(t)
	r := fresh(t, s, name())
	swap(t, s, r, true)
	want := r
	want.Data = []byte("data")
	r.Data[0] = 'X'
	holds(t, s, want)
	got, _ := load(t, s, r.Session)
	got.Data[0] = 'Y'
	sessionsOf(t, s, r.Subject)[0].Data[0] = 'Z'
	holds(t, s, want)
}

func list(t *testing.T, open opener) {
	s := open(t)
	subject, other := name()+"a", name()
	var want []issuer.Record
	for range 5 {
		r := fresh(t, s, subject)
		swap(t, s, r, true)
		r.Version, r.Data = 2, []byte("changed")
		swap(t, s, r, true)
		want = append(want, r)
	}
	for _, near := range []string{other, subject[:len(subject)-1], subject[:len(subject)-1] + "A", subject + " ", subject + "a"} {
		swap(t, s, fresh(t, s, near), true)
	}
	slices.SortFunc(want, func(a, b issuer.Record) int { return strings.Compare(a.Session, b.Session) })
	got := sessionsOf(t, s, subject)
	if len(got) != len(want) {
		t.Fatalf("%d sessions, want %d", len(got), len(want))
	}
	for i := range want {
		equal(t, got[i], want[i])
	}
}

func expiry(t *testing.T, open opener) {
	s := open(t)
	subject := name()
	short, long := fresh(t, s, subject), fresh(t, s, subject)
	_, now := load(t, s, short.Session)
	short.Expiry, long.Expiry = now.Add(time.Second), now.Add(time.Second)
	swap(t, s, short, true)
	swap(t, s, long, true)
	long.Version, long.Expiry = 2, now.Add(time.Hour)
	swap(t, s, long, true)
	if r, now := load(t, s, short.Session); r.Version != 1 && now.Before(short.Expiry) {
		t.Error("a record is gone before it expired")
	}
	for now.Before(short.Expiry) {
		time.Sleep(100 * time.Millisecond)
		_, now = load(t, s, short.Session)
	}
	time.Sleep(50 * time.Millisecond) // milliseconds of the expiry may be rounded up
	if r, _ := load(t, s, short.Session); r.Version != 0 {
		t.Error("an expired record is loaded")
	}
	if got := sessionsOf(t, s, subject); len(got) != 1 {
		t.Errorf("%d sessions after one of two has expired", len(got))
	}
	holds(t, s, long)
	short.Version = 2
	swap(t, s, short, false)
	short.Version, short.Expiry = 1, now.Add(time.Hour)
	swap(t, s, short, true)
	holds(t, s, short)
}

func ended(t *testing.T, open opener) {
	s := open(t)
	r := fresh(t, s, name())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Load(ctx, r.Session); err == nil {
		t.Error("Load with a context that has ended: no error")
	}
	if swapped, err := s.Swap(ctx, r); err == nil || swapped {
		t.Error("Swap with a context that has ended: no error")
	}
	if records, err := s.List(ctx, r.Subject); err == nil || records != nil {
		t.Error("List with a context that has ended: no error")
	}
}
