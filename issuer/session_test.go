package issuer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
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
	got, err := readSession(Record{Session: want.id, Subject: want.subject, Version: want.version, Expiry: want.expiry, Data: []byte(format1)})
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

// TestFormat1HasTheseMembers fails if a member is added to a record, or renamed.
// Versions that are out there ignore members that they don't know: put what is new
// under Extensions.
func TestFormat1HasTheseMembers(t *testing.T) {
	want := []string{"gen", "outdated", "created", "rotated", "exp", "abs", "ended", "alarm", "label", "party", "scope", "app", "ext"}
	var got []string
	for i := range reflect.TypeFor[body]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[body]().Field(i).Tag.Get("json"), ",")
		got = append(got, name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("members %q, not %q", got, want)
	}
}

// extended returns the next version of a session's record with extensions, as a
// later version may write it.
func extended(t *testing.T, r Record, extensions string) Record {
	t.Helper()
	var b body
	if err := json.Unmarshal(r.Data[1+sumSize:], &b); err != nil {
		t.Fatal(err)
	}
	b.Extensions = json.RawMessage(extensions)
	r.Version++
	text := b.append(nil)
	checksum := sum(r, text)
	r.Data = append(append([]byte{format}, checksum[:]...), text...)
	return r
}

// TestUnknownExtensions has a later version extend a session's record. This version
// refuses it with every method, changes nothing, and logs nobody out.
func TestUnknownExtensions(t *testing.T) {
	secret, err1 := signing.NewSecret("HS256", "", make([]byte, 32), time.Time{})
	keys, err2 := signing.NewSchedule(secret)
	store := NewMemoryStore()
	raised := 0
	tokens, err3 := New(Config[struct{}]{Issuer: "i", Audience: []string{"a"}, Keys: keys, Store: store,
		OnEvent: func(context.Context, Event) { raised++ }})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	first, err := tokens.Issue(ctx, claims.Claims[struct{}]{Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tokens.Refresh(ctx, first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	verify, err1 := claims.NewVerifier[struct{}](claims.Config{Issuer: "i", Audience: []string{"a"}, Keys: tokens.KeySet()})
	live, err2 := NewSessionVerifier(SessionVerifierConfig[struct{}]{Verifier: verify, Store: store})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for _, extensions := range []string{`{"cnf":"x"}`, `{"grace":3,"cnf":{}}`, `{}`, `null`, `[]`} {
		r, _, err := store.Load(ctx, pair.Session)
		if err != nil {
			t.Fatal(err)
		}
		later := extended(t, r, extensions)
		if swapped, err := store.Swap(ctx, later); err != nil || !swapped {
			t.Fatal(swapped, err)
		}
		for name, call := range map[string]func() error{
			"Refresh":                func() error { _, err := tokens.Refresh(ctx, pair.RefreshToken); return err },
			"Refresh of a spent one": func() error { _, err := tokens.Refresh(ctx, first.RefreshToken); return err },
			"RefreshWithoutRotation": func() error { _, err := tokens.RefreshWithoutRotation(ctx, pair.RefreshToken); return err },
			"Revoke":                 func() error { return tokens.Revoke(ctx, pair.AccessToken) },
			"RevokeSession":          func() error { return tokens.RevokeSession(ctx, "alice", pair.Session) },
			"RevokeAll":              func() error { return tokens.RevokeAll(ctx, "alice") },
			"Outdate":                func() error { return tokens.Outdate(ctx, "alice") },
			"Sessions":               func() error { _, err := tokens.Sessions(ctx, "alice"); return err },
			"SessionVerifier":        func() error { _, err := live.Verify(ctx, pair.AccessToken); return err },
		} {
			if err := call(); err == nil || errors.Is(err, ErrGrant) || errors.Is(err, claims.ErrInvalid) {
				t.Errorf("%s with %s: %v", name, extensions, err)
			}
		}
		if now, _, err := store.Load(ctx, pair.Session); err != nil || now.Version != later.Version || !bytes.Equal(now.Data, later.Data) {
			t.Errorf("with %s the record has changed: %q, %v", extensions, now.Data, err)
		}
		// The later version needs it no longer.
		if swapped, err := store.Swap(ctx, extended(t, later, "")); err != nil || !swapped {
			t.Fatal(swapped, err)
		}
	}
	if _, err := live.Verify(ctx, pair.AccessToken); err != nil {
		t.Error(err)
	}
	if _, err := tokens.Refresh(ctx, pair.RefreshToken); err != nil {
		t.Error(err)
	}
	if raised != 0 {
		t.Errorf("%d events", raised)
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
			Ended: text(), Pending: uint64(number()), Label: text(), Party: claims.Party(text()), Scope: []string{text(), text(), text()}[:r.IntN(4)],
		}
		if app := text(); app != "" {
			b.App, _ = json.Marshal(map[string]string{app: text()})
			b.Extensions, _ = json.Marshal(map[string]string{app: text()})
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
	if _, err := readSession(good); err != nil {
		t.Fatal(err)
	}
	damaged := func(what string, change func(*Record)) {
		r := good
		r.Data = bytes.Clone(good.Data)
		change(&r)
		if _, err := readSession(r); err == nil {
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
	got, err := readSession(r)
	if err != nil || got.ended != endRevoked || got.grant.party != "" || got.grant.scope != nil || got.grant.app != nil {
		t.Errorf("%+v, %v", got, err)
	}
}
