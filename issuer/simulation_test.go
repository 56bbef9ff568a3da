package issuer_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	remote "github.com/gatehouse-go/gatehouse/claims/jwks"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// simHours is how much is simulated: a day, and a month with GATEHOUSE_LONG=1,
// which takes a minute.
var simHours = 24

func init() {
	if os.Getenv("GATEHOUSE_LONG") != "" {
		simHours = 30 * 24
	}
}

const (
	simRotation = time.Hour
	simRefresh  = 15 * time.Minute
	simStale    = 2 * time.Hour
	simLead     = simStale + simRefresh + time.Minute
)

// follower is a resource server that follows the issuer's JWK Set over a network
// that is down at times.
type follower struct {
	server http.Handler
	down   atomic.Pointer[time.Time] // until when
	set    *remote.Set
	verify *claims.Verifier[struct{}]
}

func (f *follower) downTil() time.Time { return *f.down.Load() }

var errDown = errors.New("network is down")

func (f *follower) RoundTrip(r *http.Request) (*http.Response, error) {
	if time.Now().Before(f.downTil()) {
		return nil, errDown
	}
	w := httptest.NewRecorder()
	f.server.ServeHTTP(w, r)
	return w.Result(), nil
}

// simulation is an issuer and those who follow it.
type simulation struct {
	t         *testing.T
	random    *mathrand.Rand
	schedule  *signing.Schedule
	keys      []*signing.Key // one an hour, the first signs at start
	withdrawn map[string]time.Time
	emergency time.Time // when a key was withdrawn last
	tokens    *issuer.Issuer[struct{}]
	followers []*follower
	live      []minted

	accepted, refused int
}

type minted struct {
	token  string
	kid    string
	expiry time.Time
}

func newSimulation(t *testing.T) *simulation {
	s := &simulation{t: t, random: mathrand.New(mathrand.NewPCG(1, 2)), withdrawn: make(map[string]time.Time)}
	start := time.Now()
	for i := range simHours + 8 {
		key, err := signing.NewKey("EdDSA", newEd25519(t), start.Add(time.Duration(i)*simRotation))
		if err != nil {
			t.Fatal(err)
		}
		s.keys = append(s.keys, key)
	}
	secret, err1 := signing.NewSecret("HS256", "", make([]byte, 32), time.Time{})
	refresh, err2 := signing.NewSchedule(secret)
	schedule, err3 := signing.NewSchedule(s.keys[0])
	tokens, err4 := issuer.New(issuer.Config[struct{}]{
		Issuer: "https://id.example", Audience: []string{"api"}, Keys: schedule, RefreshKeys: refresh,
		Lead: simLead, Store: issuer.NewMemoryStore(),
	})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	s.schedule, s.tokens = schedule, tokens
	s.reschedule(start)
	for range 50 {
		s.follow()
	}
	return s
}

func (s *simulation) follow() {
	f := &follower{server: s.tokens.JWKS()}
	f.down.Store(new(time.Time))
	set, err := remote.New(remote.Config{
		URL: "https://id.example/jwks.json", Client: &http.Client{Transport: f},
		Refresh: simRefresh, MaxStale: simStale, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(set.Close)
	f.set = set
	f.verify, err = claims.NewVerifier[struct{}](claims.Config{Issuer: "https://id.example", Audience: []string{"api"}, Keys: set})
	if err != nil {
		s.t.Fatal(err)
	}
	s.followers = append(s.followers, f)
}

// reschedule hands the issuer the keys around now that are not withdrawn.
func (s *simulation) reschedule(now time.Time) {
	var keys []*signing.Key
	for _, k := range s.keys {
		_, gone := s.withdrawn[k.ID()]
		if !gone && k.From().After(now.Add(-3*simRotation)) && k.From().Before(now.Add(simLead+simRotation)) {
			keys = append(keys, k)
		}
	}
	if err := s.schedule.Replace(keys...); err != nil {
		s.t.Fatal(err)
	}
}

// step lets some time pass, in which networks fail, a token is issued, seldom a
// key is withdrawn, and some present tokens.
func (s *simulation) step() {
	time.Sleep(time.Duration(1+s.random.IntN(20)) * time.Minute)
	now := time.Now()
	for _, f := range s.followers {
		// An outage ends within the staleness bound of the last fetch that
		// succeeded, less the minute until the next attempt.
		fetched := f.set.Stats().LastSuccess
		if longest := fetched.Add(simStale - 2*time.Minute).Sub(now); fetched.After(f.downTil()) && s.random.IntN(100) == 0 {
			until := now.Add(time.Duration(s.random.Int64N(int64(longest))))
			f.down.Store(&until)
		}
	}
	s.reschedule(now)
	pair, err := s.tokens.Issue(s.t.Context(), claims.Claims[struct{}]{Subject: "alice"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.live = append(s.live, minted{pair.AccessToken, kidOf(s.t, pair.AccessToken), now.Add(14 * time.Minute)})
	if len(s.live)%50 == 0 {
		s.withdraw(s.live[len(s.live)-1].kid, now)
	}
	for range 6 {
		s.present(s.live[max(0, len(s.live)-1-s.random.IntN(4))], s.followers[s.random.IntN(len(s.followers))])
	}
}

func (s *simulation) withdraw(kid string, now time.Time) {
	if _, gone := s.withdrawn[kid]; !gone {
		s.withdrawn[kid], s.emergency = now, now
		s.reschedule(now)
	}
}

// present checks what a follower says of a token.
func (s *simulation) present(m minted, f *follower) {
	now := time.Now()
	_, err := f.verify.Verify(s.t.Context(), m.token)
	gone, isWithdrawn := s.withdrawn[m.kid]
	switch {
	case !errors.Is(err, claims.ErrInvalid) && now.Before(f.downTil()) && s.emergency.After(f.set.Stats().LastSuccess):
		// A key was withdrawn and another signs in its stead, and this one has
		// not been able to fetch it: it can't tell, and says so.
	case !isWithdrawn && now.Before(m.expiry):
		if err != nil {
			s.t.Fatalf("after %v a valid token was refused: %v", now, err)
		}
		s.accepted++
	case isWithdrawn && now.After(gone.Add(simRefresh)) && now.After(f.downTil().Add(simRefresh)):
		if err == nil {
			s.t.Fatalf("a token was accepted %v after its key was withdrawn", now.Sub(gone))
		}
		s.refused++
	}
}

func kidOf(t *testing.T, token string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(head(token))
	var header struct {
		KeyID string `json:"kid"`
	}
	if err := errors.Join(err, json.Unmarshal(text, &header)); err != nil {
		t.Fatal(err)
	}
	return header.KeyID
}

// TestRotationNobodyNotices runs an issuer that rotates every hour and 50
// verifiers whose networks fail for up to the staleness bound.
func TestRotationNobodyNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimulation(t)
		for end := time.Now().Add(time.Duration(simHours) * time.Hour); time.Now().Before(end); {
			s.step()
		}
		t.Logf("%d valid tokens accepted, %d of %d withdrawn keys' tokens refused", s.accepted, s.refused, len(s.withdrawn))
		if s.accepted < 8*simHours || s.refused == 0 {
			t.Errorf("too little happened: %d accepted, %d refused", s.accepted, s.refused)
		}
	})
}
