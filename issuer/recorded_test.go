package issuer_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// recorded is a session as an older version has stored it, to the last byte.
type recorded struct {
	Name    string
	Token   string // one of its refresh tokens
	Session string
	Subject string
	Version uint64
	Expiry  int64 // milliseconds since 1970
	Data    string
}

// shelf is a Store of records that may begin at any version.
type shelf map[string]issuer.Record

func (s shelf) Load(_ context.Context, session string) (issuer.Record, time.Time, error) {
	return s[session], time.Now(), nil
}

func (s shelf) Swap(_ context.Context, r issuer.Record) (bool, error) {
	if s[r.Session].Version+1 != r.Version {
		return false, nil
	}
	r.Data = slices.Clone(r.Data)
	s[r.Session] = r
	return true, nil
}

func (s shelf) List(context.Context, string) ([]issuer.Record, error) {
	return slices.Collect(maps.Values(s)), nil
}

// recordedTokens is the issuer of recorded sessions.
func recordedTokens(t *testing.T, s issuer.Store, events *[]issuer.Event) *issuer.Issuer[account] {
	t.Helper()
	key, err := signing.NewSecret("HS256", "", []byte("the secret of recorded sessions!"), always)
	if err != nil {
		t.Fatal(err)
	}
	return newIssuer(t, issuer.Config[account]{Keys: schedule(t, key), Store: s, Grace: time.Minute,
		OnEvent: func(_ context.Context, e issuer.Event) { *events = append(*events, e) }})
}

// TestRecordedSessions reads sessions that were stored by the version for which each
// file in testdata is named. A session may live for ten years: never record a file
// anew, add one (GATEHOUSE_RECORD=testdata/session-N.json go test -run TestRecordedSessions).
func TestRecordedSessions(t *testing.T) {
	if file := os.Getenv("GATEHOUSE_RECORD"); file != "" {
		record(t, file)
	}
	files, err := filepath.Glob("testdata/session-*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no recorded sessions: ", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var all []recorded
		if err := json.Unmarshal(text, &all); err != nil || len(all) == 0 {
			t.Fatalf("%s: %d sessions, %v", file, len(all), err)
		}
		for _, r := range all {
			t.Run(filepath.Base(file)+" "+r.Name, func(t *testing.T) { synctest.Test(t, r.reads) })
		}
	}
}

// reads does with the session what its name says. It is 1 January 2000, as it was
// when the session was recorded.
func (r recorded) reads(t *testing.T) {
	data, err := hex.DecodeString(r.Data)
	if err != nil {
		t.Fatal(err)
	}
	var events []issuer.Event
	tokens := recordedTokens(t, shelf{r.Session: {Session: r.Session, Subject: r.Subject, Version: r.Version, Expiry: time.UnixMilli(r.Expiry), Data: data}}, &events)
	pair, err := tokens.Refresh(t.Context(), r.Token)
	listed, listErr := tokens.Sessions(t.Context(), r.Subject)
	if listErr != nil {
		t.Error(listErr)
	}
	switch r.Name {
	case "current token", "token that was just spent":
		if err != nil {
			t.Fatal(err)
		}
		c, err := verifier(t, tokens, claims.Dialect{}).Verify(t.Context(), pair.AccessToken)
		if err != nil || c.Subject != "zoë@example.org" || c.Party != "Admin" || !slices.Equal(c.Scope, []string{"read", "write"}) || c.App.Company != 7 {
			t.Errorf("it grants %+v, %v", c, err)
		}
		if len(listed) != 1 || listed[0].Label != "Zoë's <phone>" || len(events) != 0 {
			t.Errorf("sessions %+v, events %v", listed, events)
		}
	case "revoked":
		if !errors.Is(err, issuer.ErrGrant) || errors.Is(err, issuer.ErrReused) || len(listed) != 0 || len(events) != 0 {
			t.Errorf("%v; sessions %v, events %v", err, listed, events)
		}
	case "ended by reuse, its event pending":
		want := issuer.Event{Reason: "reuse", Session: r.Session, Subject: "zoë@example.org", Presented: 1, Current: 3}
		if !errors.Is(err, issuer.ErrGrant) || len(listed) != 0 || len(events) != 1 || events[0] != want {
			t.Errorf("%v; sessions %v, events %+v", err, listed, events)
		}
	default:
		t.Fatal("what shall it do?")
	}
}

// mute is a Store whose answer to a Swap gets lost once it has been told to be mute.
type mute struct {
	shelf
	lost *bool
}

func (m mute) Swap(ctx context.Context, r issuer.Record) (bool, error) {
	swapped, err := m.shelf.Swap(ctx, r)
	if *m.lost {
		return false, errors.New("the answer is lost")
	}
	return swapped, err
}

// record writes sessions as this version stores them.
func record(t *testing.T, file string) {
	var all []recorded
	take := func(name, token, session string, s shelf) {
		r := s[session]
		all = append(all, recorded{name, token, session, r.Subject, r.Version, r.Expiry.UnixMilli(), hex.EncodeToString(r.Data)})
	}
	synctest.Test(t, func(t *testing.T) {
		var events []issuer.Event
		s, lost := shelf{}, false
		tokens := recordedTokens(t, mute{s, &lost}, &events)
		first, err := tokens.Issue(issuer.WithLabel(t.Context(), "Zoë's <phone>"),
			claims.Claims[account]{Subject: "zoë@example.org", Party: "Admin", Scope: []string{"read", "write"}, App: account{Company: 7}})
		if err != nil {
			t.Fatal(err)
		}
		take("current token", first.RefreshToken, first.Session, s)
		if err := tokens.Outdate(t.Context(), "zoë@example.org"); err != nil {
			t.Fatal(err)
		}
		second := refresh(t, tokens, first.RefreshToken)
		take("current token", second.RefreshToken, first.Session, s)
		take("token that was just spent", first.RefreshToken, first.Session, s)
		third := refresh(t, tokens, second.RefreshToken)
		revoked := maps.Clone(s)
		if err := recordedTokens(t, revoked, &events).Revoke(t.Context(), third.RefreshToken); err != nil {
			t.Fatal(err)
		}
		take("revoked", third.RefreshToken, first.Session, revoked)
		lost = true
		if _, err := tokens.Refresh(t.Context(), first.RefreshToken); err == nil {
			t.Fatal("the answer is not lost")
		}
		take("ended by reuse, its event pending", third.RefreshToken, first.Session, s)
	})
	text, err := json.MarshalIndent(all, "", "\t")
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, append(text, '\n'), 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
}
