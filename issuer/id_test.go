package issuer

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

func TestIDsReadBack(t *testing.T) {
	const likeUUID = "AAAAAAAA-AAAAAAAAAAAAA.1.AAAAAAAAAAA" // 36 bytes, a hyphen in the 9th
	if session, generation, err := parseID(likeUUID); err != nil || session != likeUUID[:22] || generation != 1 {
		t.Errorf("%q reads as %q, %d, %v", likeUUID, session, generation, err)
	}
	for _, f := range []ids{{}, {uuids: true}} {
		for _, generation := range []uint64{1, 2, 10, 1 << 16, 1<<24 - 1, f.maxGeneration()} {
			session := f.newSession()
			for _, jti := range []string{f.refresh(session, generation), f.newAccess(session, generation)} {
				gotSession, gotGeneration, err := f.parse(jti)
				if err != nil || gotSession != session || gotGeneration != generation {
					t.Errorf("%q reads as %q, %d, %v", jti, gotSession, gotGeneration, err)
				}
				if either, _, err := parseID(jti); err != nil || either != session {
					t.Errorf("%q of unknown form reads as %q, %v", jti, either, err)
				}
			}
			//lint:ignore SA4000 it is a function of its arguments
			if f.refresh(session, generation) != f.refresh(session, generation) {
				t.Error("refresh ids differ")
			}
			// As UUIDs two in 2^18 are the same, eight in a row never.
			different := make(map[string]bool)
			for range 8 {
				different[f.newAccess(session, generation)] = true
			}
			if len(different) == 1 {
				t.Error("access ids don't differ")
			}
		}
	}
}

// TestGenerationsEnd puts a session at the last generation that a UUID can
// count: it is refused like one that has expired, and nothing wraps.
func TestGenerationsEnd(t *testing.T) {
	secret, err := signing.NewSecret("HS256", "", make([]byte, 32), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := signing.NewSchedule(secret)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config[struct{}]{Issuer: "i", Audience: []string{"a"}, Keys: keys, Store: NewMemoryStore(), UUIDs: true})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, e := range []*session{
		{generation: 1<<24 - 2},
		{generation: 1, outdated: 1<<24 - 2},
	} {
		e.id, e.subject, e.created, e.absolute = s.ids.newSession(), "alice", now, now.Add(time.Hour)
		s.advance(e, now)
		pair, err := s.mint(t.Context(), e, &claims.Claims[struct{}]{}, now, true)
		if err != nil {
			t.Fatal(err)
		}
		if swapped, err := s.swap(t.Context(), e); err != nil || !swapped {
			t.Fatal(swapped, err)
		}
		if pair, err := s.RefreshWithoutRotation(t.Context(), pair.RefreshToken); !errors.Is(err, ErrGrant) || pair != (Pair{}) {
			t.Errorf("after the last generation, without rotation: %v, %v", pair, err)
		}
		if pair, err := s.Refresh(t.Context(), pair.RefreshToken); !errors.Is(err, ErrGrant) || pair != (Pair{}) {
			t.Errorf("after the last generation: %v, %v", pair, err)
		}
	}
}

func TestUUIDsHaveTheForm(t *testing.T) {
	f := ids{uuids: true}
	for range 1000 {
		jti := f.newAccess(f.newSession(), 1)
		if len(jti) != 36 || jti[14] != '8' || !strings.ContainsRune("89ab", rune(jti[19])) {
			t.Fatalf("%q is not a UUID of version 8, RFC 9562 §5.8", jti)
		}
	}
}

func TestForeignIDsAreRefused(t *testing.T) {
	session := "AAAAAAAAAAAAAAAAAAAAAA"
	for _, jti := range []string{
		"", ".", "..", session, session + ".", session + ".x", session + ".01", session + ".+1", session + ".-1", session + ". 1",
		session + ".18446744073709551616", session + ".9223372036854775808", session + ".1.", session + ".1.AAAAAAAAAA", session + ".1.AAAAAAAAAAB",
		session + ".1.AAAAAAAAAAA.AAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAB.1", "AAAAAAAAAAAAAAAAAAAAAA=.1", "AAAAAAAAAAAAAA.1", session + "\n.1",
		"00000000-0000-8000-8000-000000000000",
	} {
		if s, g, err := (ids{}).parse(jti); err == nil {
			t.Errorf("%q reads as %q, %d", jti, s, g)
		}
	}
	for _, jti := range []string{
		"", session + ".1", "00000000-0000-4000-8000-000000000000", "00000000-0000-8000-0000-000000000000", "00000000000080008000000000000000",
		"0000000-00000-8000-8000-000000000000", "00000000-0000-8000-8000-00000000000A", "{00000000-0000-8000-8000-000000000000}",
	} {
		if s, g, err := (ids{uuids: true}).parse(jti); err == nil {
			t.Errorf("%q reads as %q, %d", jti, s, g)
		}
	}
}

// FuzzID offers any jti to both forms: what is accepted is what we write.
func FuzzID(f *testing.F) {
	f.Add("AAAAAAAAAAAAAAAAAAAAAA.1")
	f.Add("AAAAAAAAAAAAAAAAAAAAAA.1.AAAAAAAAAAA")
	f.Add("00000000-0000-8000-8000-000000000000")
	f.Fuzz(func(t *testing.T, jti string) {
		if session, generation, err := (ids{}).parse(jti); err == nil {
			if want := (ids{}).refresh(session, generation); jti != want && !strings.HasPrefix(jti, want+".") {
				t.Errorf("%q is accepted, and written %q", jti, want)
			}
		}
		if session, generation, err := (ids{uuids: true}).parse(jti); err == nil && len(jti) != 36 {
			t.Errorf("%q is accepted as %q, %d", jti, session, generation)
		}
	})
}
