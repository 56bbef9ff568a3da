package issuer_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

func TestSubjects(t *testing.T) {
	tokens := newIssuer(t, issuer.Config[account]{})
	verify := verifier(t, tokens, claims.Dialect{})
	t.Run("IS-04 exactly what was issued", func(t *testing.T) {
		for _, subject := range []string{`a"b\c`, "new\nline", "N\x00L", "🗝", "é", "é", strings.Repeat("x", 1024), " padded ", "<script>&"} {
			pair := issue(t, tokens, subject)
			for range 2 {
				c, err := verify.Verify(t.Context(), pair.AccessToken)
				if err != nil || c.Subject != subject {
					t.Errorf("%q came out as %q, %v", subject, c.Subject, err)
				}
				pair = refresh(t, tokens, pair.RefreshToken)
			}
		}
	})
	t.Run("IS-04 or refused", func(t *testing.T) {
		for _, subject := range []string{"", " ", "\t\n", "\xff", strings.Repeat("x", 1025)} {
			if pair, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: subject}); err == nil || pair != (issuer.Pair{}) {
				t.Errorf("%q is issued", subject)
			}
		}
	})
}

// TestIDs is IS-03 at a size that a test may have: ids differ, and every bit of
// them is random.
func TestIDs(t *testing.T) {
	secret, err := signing.NewSecret("HS256", "", make([]byte, 32), always)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("IS-03 no duplicates, 128 bits", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{Keys: schedule(t, secret)})
		seen := make(map[string]bool)
		var ones [128]int
		const n = 4000
		for range n {
			pair := issue(t, tokens, "alice")
			b, err := base64.RawURLEncoding.DecodeString(pair.Session)
			if err != nil || len(b) != 16 {
				t.Fatalf("session %q", pair.Session)
			}
			for i := range ones {
				ones[i] += int(b[i/8]>>(i%8)) & 1
			}
			for _, id := range []string{pair.Session, payload(t, pair.AccessToken)["jti"].(string), payload(t, pair.RefreshToken)["jti"].(string)} {
				if seen[id] {
					t.Fatalf("%q came twice", id)
				}
				seen[id] = true
			}
		}
		for i, count := range ones { // 7 standard deviations: once in 10^9 runs
			if d := count - n/2; d*d > 49*n/4 {
				t.Errorf("bit %d is set %d of %d times", i, count, n)
			}
		}
	})
}

func TestIssueLeavesNoSecrets(t *testing.T) {
	t.Run("IS-10 a dump of the store refreshes nothing", func(t *testing.T) {
		store := issuer.NewMemoryStore()
		tokens := newIssuer(t, issuer.Config[account]{Store: store})
		pair := issue(t, tokens, "alice")
		records, err := store.List(t.Context(), "alice")
		if err != nil || len(records) != 1 {
			t.Fatal(records, err)
		}
		r := records[0]
		signature := pair.RefreshToken[strings.LastIndexByte(pair.RefreshToken, '.')+1:]
		for _, field := range []string{r.Session, r.Subject, string(r.Data), r.Session + ".1", base64.RawURLEncoding.EncodeToString(r.Data)} {
			if strings.Contains(field, signature) {
				t.Error("the store has a token's signature")
			}
			refused(t, tokens, field, issuer.ErrGrant)
		}
	})
}

func TestRotationUnderLoad(t *testing.T) {
	t.Run("IS-11 keys change while tokens are issued", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var all []*signing.Key
			for i := range 10 {
				all = append(all, edKey(t, time.Now().Add(time.Duration(i)*time.Second)))
			}
			tokens := newIssuer(t, issuer.Config[account]{Keys: schedule(t, all...)})
			verify := verifier(t, tokens, claims.Dialect{})
			var issuing sync.WaitGroup
			used := make(chan string, 10_000)
			for i := range 500 {
				issuing.Go(func() {
					time.Sleep(time.Duration(i) * 20 * time.Millisecond)
					pair, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: "alice"})
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := verify.Verify(t.Context(), pair.AccessToken); err != nil {
						t.Error(err)
					}
					used <- header(t, pair.AccessToken)["kid"].(string)
				})
			}
			issuing.Wait()
			close(used)
			kids := make(map[string]bool)
			for kid := range used {
				kids[kid] = true
			}
			if len(kids) != len(all) {
				t.Errorf("%d of %d keys signed", len(kids), len(all))
			}
		})
	})
	t.Run("IS-11 a schedule is replaced while tokens are issued", func(t *testing.T) {
		first := edKey(t, always)
		keys := schedule(t, first)
		tokens := newIssuer(t, issuer.Config[account]{Keys: keys})
		verify := verifier(t, tokens, claims.Dialect{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			all := []*signing.Key{first}
			for i := range 50 {
				all = append(all, edKey(t, time.Now().Add(time.Duration(i-60)*time.Second)))
				if err := keys.Replace(all...); err != nil {
					t.Error(err)
				}
			}
		}()
		var issuing sync.WaitGroup
		for range 4 {
			issuing.Go(func() {
				for range 100 {
					pair, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: "alice"})
					if err != nil {
						t.Error(err)
					} else if _, err := verify.Verify(t.Context(), pair.AccessToken); err != nil {
						t.Error(err)
					}
				}
			})
		}
		issuing.Wait()
		<-done
	})
}

func TestSize(t *testing.T) {
	t.Run("IS-13 tokens fit a header line, or are not issued", func(t *testing.T) {
		tokens, err := issuer.New(issuer.Config[map[string]any]{Issuer: "https://id.example", Audience: []string{"api"}, Keys: schedule(t, edKey(t, always)), Store: issuer.NewMemoryStore()})
		if err != nil {
			t.Fatal(err)
		}
		c := claims.Claims[map[string]any]{Subject: strings.Repeat("s", 1024), App: map[string]any{"about": strings.Repeat("a", 1000)}}
		pair, err := tokens.Issue(t.Context(), c)
		if err != nil || len(pair.AccessToken) > 4<<10 || len(pair.RefreshToken) > 4<<10 {
			t.Errorf("%d and %d bytes, %v", len(pair.AccessToken), len(pair.RefreshToken), err)
		}
		c.App["about"] = strings.Repeat("a", 7<<10)
		if pair, err := tokens.Issue(t.Context(), c); err == nil || pair != (issuer.Pair{}) {
			t.Errorf("a token of %d bytes is issued", len(pair.AccessToken))
		}
	})
}

// TestDialects issues and refreshes as systems out there do.
func TestDialects(t *testing.T) {
	for _, row := range []struct {
		name           string
		dialect        claims.Dialect
		uuids, noKeyID bool
		subject        string
		access         string // members in the access token
		refresh        string
	}{
		{name: "RFC 9068", subject: "alice", access: "aud exp iat iss jti sid sub", refresh: "aud exp iat iss jti sid sub"},
		{name: "object subject, nbf",
			dialect: claims.Dialect{AccessType: "JWT", RefreshType: "rt+jwt", ObjectSubject: true, PartyMember: "partyType", NumericParty: true,
				Members: []string{"nbf", "exp", "iss", "aud", "sub", "partyType", "jti"}},
			noKeyID: true, subject: `{"accountId": 2, "companyId": 2}`, access: "aud exp iss jti nbf sub", refresh: "aud exp iss jti nbf sub"},
		{name: "refresh mark, no issuer",
			dialect: claims.Dialect{AccessType: "JWT", RefreshType: "JWT", TypeFirst: true, RefreshMark: "acjti", PartyMember: "role",
				InsecureNoIssuer: true, InsecureNoAudience: true, Members: []string{"sub", "acjti", "role", "exp", "jti"}},
			uuids: true, noKeyID: true, subject: "alice@mail.com", access: "exp jti sub", refresh: "acjti exp jti sub"},
		{name: "use and lifetime members",
			dialect: claims.Dialect{AccessType: "JWT", RefreshType: "JWT", UseMember: "usefor", LifetimeMember: "exi", InsecureNoAudience: true,
				Members: []string{"exi", "exp", "iat", "iss", "jti", "sub", "usefor"}},
			uuids: true, noKeyID: true, subject: "admin", access: "exi exp iat iss jti sub usefor", refresh: "exi exp iat iss jti sub usefor"},
		{name: "RFC 3339",
			dialect: claims.Dialect{AccessType: "JWT", RefreshType: "rt+jwt", Time: claims.RFC3339, InsecureNoAudience: true, Members: []string{"jti", "iss", "sub", "exp"}},
			noKeyID: true, subject: "53fdff44", access: "exp iss jti sub", refresh: "exp iss jti sub"},
	} {
		inBubble(t, row.name, func(t *testing.T) {
			tokens := newIssuer(t, issuer.Config[account]{Dialect: row.dialect, UUIDs: row.uuids, NoKeyID: row.noKeyID, Grace: time.Second})
			verify := verifier(t, tokens, row.dialect)
			pair, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: row.subject})
			if err != nil {
				t.Fatal(err)
			}
			if got := names(payload(t, pair.AccessToken)); got != row.access {
				t.Errorf("access token has %s, want %s", got, row.access)
			}
			if got := names(payload(t, pair.RefreshToken)); got != row.refresh {
				t.Errorf("refresh token has %s, want %s", got, row.refresh)
			}
			if _, has := header(t, pair.AccessToken)["kid"]; has == row.noKeyID {
				t.Errorf("kid is there: %v", has)
			}
			if mark := row.dialect.RefreshMark; mark != "" && payload(t, pair.RefreshToken)[mark] != payload(t, pair.AccessToken)["jti"] {
				t.Errorf("%s is not the access token's id", mark)
			}
			if exi := row.dialect.LifetimeMember; exi != "" && fmt.Sprint(payload(t, pair.AccessToken)[exi], payload(t, pair.RefreshToken)[exi]) != "900 604800" {
				t.Errorf("%s: %v, %v", exi, payload(t, pair.AccessToken)[exi], payload(t, pair.RefreshToken)[exi])
			}
			for range 3 {
				time.Sleep(100 * time.Millisecond)
				c, err := verify.Verify(t.Context(), pair.AccessToken)
				if err != nil || tokens.SessionOf(c) != pair.Session {
					t.Fatalf("%+v, %v", c, err)
				}
				if _, err := verify.Verify(t.Context(), pair.RefreshToken); !errors.Is(err, claims.ErrInvalid) {
					t.Errorf("a refresh token opens: %v", err)
				}
				refused(t, tokens, pair.AccessToken, issuer.ErrGrant)
				pair = refresh(t, tokens, pair.RefreshToken)
			}
			other, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: row.subject, App: account{7}})
			if err != nil {
				t.Fatal(err)
			}
			if err := tokens.Revoke(t.Context(), other.AccessToken); err != nil {
				t.Fatal(err)
			}
			refused(t, tokens, other.RefreshToken, issuer.ErrGrant)
			pair = refresh(t, tokens, pair.RefreshToken)
			if err := tokens.RevokeAll(t.Context(), row.subject); err != nil {
				t.Fatal(err)
			}
			refused(t, tokens, pair.RefreshToken, issuer.ErrGrant)
		})
	}
}

func names(members map[string]any) string {
	var all []string
	for _, name := range strings.Fields("acjti aud exi exp iat iss jti nbf sid sub usefor") {
		if _, has := members[name]; has {
			all = append(all, name)
		}
	}
	return strings.Join(all, " ")
}
