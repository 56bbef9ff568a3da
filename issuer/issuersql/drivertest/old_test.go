package drivertest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuerredis"
	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// old is a session as an older version wrote it, to the last byte.
type old struct {
	Name    string // live or ended
	Token   string // its refresh token
	Session string
	Subject string
	Version uint64
	Expiry  int64  // milliseconds since 1970
	Data    string // as hex
	Redis   string // the value of its key, as hex
}

type account struct {
	Company string `json:"company"`
}

// issuerOfOld is one whose sessions last for ten years.
func issuerOfOld(t *testing.T, s issuer.Store) *issuer.Issuer[account] {
	t.Helper()
	key, err := signing.NewSecret("HS256", "", []byte(secret), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := signing.NewSchedule(key)
	if err != nil {
		t.Fatal(err)
	}
	node, err := issuer.New(issuer.Config[account]{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: keys, Store: s,
		RefreshLife: 3660 * 24 * time.Hour,
		Logger:      slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// TestOldRecords reads sessions that were written by the version that each file in
// testdata is named for. They must be readable for as long as a session may live:
// never record a file anew, add one.
func TestOldRecords(t *testing.T) {
	t.Parallel()
	if os.Getenv("GATEHOUSE_RECORD") != "" {
		record(t, "testdata/format-1.json")
	}
	files, _ := filepath.Glob("testdata/format-*.json")
	if len(files) == 0 {
		t.Fatal("no records")
	}
	for _, file := range files {
		var all []old
		if err := json.Unmarshal(read(t, file), &all); err != nil {
			t.Fatal(err)
		}
		for _, o := range all {
			name := strings.TrimSuffix(filepath.Base(file), ".json") + " " + o.Name + " "
			t.Run(name+"in PostgreSQL", func(t *testing.T) {
				s, db := openPostgres(t, postgres(t).address(), issuersql.Config{Table: "old_" + o.Name})
				do(t, db, `INSERT INTO old_`+o.Name+` (session, subject, version, expiry, data) VALUES ($1, $2, $3, $4, $5)
					ON CONFLICT (session) DO UPDATE SET version = excluded.version, expiry = excluded.expiry, data = excluded.data`,
					o.Session, []byte(o.Subject), int64(o.Version), o.Expiry, unhex(t, o.Data))
				o.reads(t, s)
			})
			t.Run(name+"in SQLite", func(t *testing.T) {
				s, db := openSQLite(t, newFile(t), issuersql.Config{})
				do(t, db, `INSERT INTO gatehouse_sessions (session, subject, version, expiry, data) VALUES (?, ?, ?, ?, ?)`,
					o.Session, []byte(o.Subject), int64(o.Version), o.Expiry, unhex(t, o.Data))
				o.reads(t, s)
			})
			t.Run(name+"in Redis", func(t *testing.T) {
				p := newRedis(t)
				c := redis.NewClient(&redis.Options{Addr: p.address()})
				defer c.Close()
				if err := c.Set(t.Context(), "gatehouse:s:"+o.Session, unhex(t, o.Redis), 0).Err(); err != nil {
					t.Fatal(err)
				}
				o.reads(t, openRedis(t, p.address(), issuerredis.Config{}))
			})
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reads refreshes the session, and looks at what the successor says.
func (o old) reads(t *testing.T, s issuer.Store) {
	t.Helper()
	node := issuerOfOld(t, s)
	pair, err := node.Refresh(t.Context(), o.Token)
	if o.Name == "ended" {
		if !errors.Is(err, issuer.ErrGrant) || errors.Is(err, issuer.ErrReused) {
			t.Errorf("a session that had ended: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	verify, err := claims.NewVerifier[account](claims.Config{Issuer: "https://id.example", Audience: []string{"api"}, Keys: node.KeySet()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := verify.Verify(t.Context(), pair.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject != o.Subject || c.Party != "manager" || strings.Join(c.Scope, " ") != "read write" || c.App.Company != "Zoë & Söhne" {
		t.Errorf("the successor says %q, %q, %q, %q", c.Subject, c.Party, c.Scope, c.App)
	}
	if _, err := node.Refresh(t.Context(), o.Token); !errors.Is(err, issuer.ErrReused) {
		t.Errorf("the old token again: %v", err)
	}
}

// record writes a file of sessions as this version writes them.
func record(t *testing.T, file string) {
	p := newRedis(t)
	s := openRedis(t, p.address(), issuerredis.Config{})
	c := redis.NewClient(&redis.Options{Addr: p.address()})
	defer c.Close()
	node := issuerOfOld(t, s)
	var all []old
	for _, name := range []string{"live", "ended"} {
		ctx := issuer.WithLabel(context.Background(), "Zoë's telephone")
		pair, err := node.Issue(ctx, claims.Claims[account]{
			Subject: "zoë@example.org", Party: "manager", Scope: []string{"read", "write"}, App: account{"Zoë & Söhne"},
		})
		if err == nil && name == "ended" {
			err = node.Revoke(ctx, pair.RefreshToken)
		}
		if err != nil {
			t.Fatal(err)
		}
		r, _, err := s.Load(ctx, pair.Session)
		if err != nil {
			t.Fatal(err)
		}
		value, err := c.Get(ctx, "gatehouse:s:"+pair.Session).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, old{name, pair.RefreshToken, r.Session, r.Subject, r.Version, r.Expiry.UnixMilli(),
			hex.EncodeToString(r.Data), hex.EncodeToString(value)})
	}
	text, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	os.MkdirAll(filepath.Dir(file), 0o777)
	if err := os.WriteFile(file, append(text, '\n'), 0o666); err != nil {
		t.Fatal(err)
	}
}
