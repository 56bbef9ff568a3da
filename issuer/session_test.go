package issuer

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

func aSession() *session {
	at := func(m int64) time.Time { return time.UnixMilli(1_800_000_000_000 + m) }
	return &session{
		id: "AAAAAAAAAAAAAAAAAAAAAA", subject: "alice", version: 3, generation: 4, outdated: 2,
		created: at(1), rotated: at(2), expiry: at(3), absolute: at(4), label: "a phone",
		grant: grant{"Admin", []string{"read", "write"}, []byte(`{"companyId":7}`)},
	}
}

// TestOldRecordsAreRead holds the format of records that are in stores out
// there. When the format changes, the row stays and another is added.
func TestOldRecordsAreRead(t *testing.T) {
	const format1 = "\x01\xf7\xbb\x9c\xe5\x4d\x25\x0e\xc3" +
		`{"gen":4,"outdated":2,"created":1800000000001,"rotated":1800000000002,"exp":1800000000003,"abs":1800000000004,` +
		`"label":"a phone","party":"Admin","scope":["read","write"],"app":{"companyId":7}}`
	want := aSession()
	want.version++
	got, err := read(Record{Session: want.id, Subject: want.subject, Version: want.version, Expiry: want.expiry, Data: []byte(format1)})
	if err != nil {
		r, _ := aSession().record()
		t.Fatalf("%v; written now: %q", err, r.Data)
	}
	if written, err := aSession().record(); err != nil || string(written.Data) != format1 {
		t.Errorf("written now: %q, %v", written.Data, err)
	}
	again, err1 := got.record()
	expected, err2 := want.record()
	if err1 != nil || err2 != nil || !bytes.Equal(again.Data, expected.Data) || !again.Expiry.Equal(expected.Expiry) {
		t.Errorf("read as %+v", got)
	}
}

// TestRecordsAreWrittenAsEncodingJSONWould compares random records, whose
// members are all there or not.
func TestRecordsAreWrittenAsEncodingJSONWould(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	text := func() string {
		return []string{"", "Admin", "a<b", "a>b", "a&b", `say "a"`, `a\b`, "tab\t", "\x00", "\x7f", "Schlüssel", "\u2028", "\xff", " ~}"}[r.IntN(14)]
	}
	number := func() int64 { return []int64{0, 1, -1, 1_800_000_000_000, math.MaxInt64, math.MinInt64}[r.IntN(6)] }
	for range 5000 {
		b := body{
			Generation: uint64(number()), Outdated: uint64(number()), Created: number(), Rotated: number(), Expiry: number(), Absolute: number(),
			Ended: text(), Alarm: uint64(number()), Label: text(), Party: claims.Party(text()), Scope: []string{text(), text(), text()}[:r.IntN(4)],
		}
		if app := text(); app != "" {
			b.App, _ = json.Marshal(map[string]string{app: text()})
		}
		want, err := json.Marshal(b)
		if got := b.append(nil); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v\n got %s\nwant %s", err, got, want)
		}
	}
}

// TestDamagedRecords changes every byte of a record and every other field of
// it: what is damaged must be an error, for it must not pass for a session that
// is unknown, nor for another.
func TestDamagedRecords(t *testing.T) {
	good, err := aSession().record()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(good); err != nil {
		t.Fatal(err)
	}
	damaged := func(what string, change func(*Record)) {
		r := good
		r.Data = bytes.Clone(good.Data)
		change(&r)
		if _, err := read(r); err == nil {
			t.Errorf("%s: read without error", what)
		}
	}
	for i := range good.Data {
		damaged("a bit flipped", func(r *Record) { r.Data[i] ^= 1 })
		damaged("cut short", func(r *Record) { r.Data = r.Data[:i] })
	}
	damaged("a byte more", func(r *Record) { r.Data = append(r.Data, ' ') })
	damaged("the format of a later version", func(r *Record) { r.Data[0] = format + 1 })
	damaged("another subject", func(r *Record) { r.Subject = "mallory" })
	damaged("another session", func(r *Record) { r.Session = "BAAAAAAAAAAAAAAAAAAAAA" })
	damaged("an older version", func(r *Record) { r.Version-- })
}

func TestEndedRecordsForgetTheGrant(t *testing.T) {
	s := aSession()
	s.ended = endRevoked
	r, err := s.record()
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(r)
	if err != nil || got.ended != endRevoked || got.grant.party != "" || got.grant.scope != nil || got.grant.app != nil {
		t.Errorf("%+v, %v", got, err)
	}
}
