package issuer_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

func TestConfigsThatAreRefused(t *testing.T) {
	good := func() issuer.Config[account] {
		return issuer.Config[account]{Issuer: "https://id.example", Audience: []string{"api"}, Keys: schedule(t, edKey(t, always)), Store: issuer.NewMemoryStore()}
	}
	if _, err := issuer.New(good()); err != nil {
		t.Fatal(err)
	}
	type change = func(*issuer.Config[account])
	for name, change := range map[string]change{
		"IS-01 no issuer":                        func(c *issuer.Config[account]) { c.Issuer = "" },
		"IS-01 no audience":                      func(c *issuer.Config[account]) { c.Audience = nil },
		"IS-01 an empty audience":                func(c *issuer.Config[account]) { c.Audience = []string{""} },
		"IS-01 no keys":                          func(c *issuer.Config[account]) { c.Keys = nil },
		"IS-01 a zero schedule":                  func(c *issuer.Config[account]) { c.Keys = new(signing.Schedule) },
		"IS-01 a zero schedule to refresh":       func(c *issuer.Config[account]) { c.RefreshKeys = new(signing.Schedule) },
		"IS-01 no store":                         func(c *issuer.Config[account]) { c.Store = nil },
		"IS-01 what is left of a store":          func(c *issuer.Config[account]) { c.Store = (*issuer.MemoryStore)(nil) },
		"IS-06 negative AccessLife":              func(c *issuer.Config[account]) { c.AccessLife = -1 },
		"IS-06 AccessLife below a second":        func(c *issuer.Config[account]) { c.AccessLife = time.Second - 1 },
		"IS-06 the longest AccessLife there is":  func(c *issuer.Config[account]) { c.AccessLife = math.MaxInt64 },
		"IS-06 AccessLife above 7 days":          func(c *issuer.Config[account]) { c.AccessLife, c.RefreshLife = 7*day+1, 8*day },
		"IS-06 negative RefreshLife":             func(c *issuer.Config[account]) { c.RefreshLife = -time.Hour },
		"IS-06 the longest RefreshLife there is": func(c *issuer.Config[account]) { c.RefreshLife = math.MaxInt64 },
		"IS-06 negative SessionLife":             func(c *issuer.Config[account]) { c.SessionLife = math.MinInt64 },
		"IS-06 the longest SessionLife there is": func(c *issuer.Config[account]) { c.SessionLife = math.MaxInt64 },
		"IS-06 AccessLife above RefreshLife":     func(c *issuer.Config[account]) { c.AccessLife, c.RefreshLife = 2*time.Hour, time.Hour },
		"IS-06 RefreshLife above SessionLife":    func(c *issuer.Config[account]) { c.RefreshLife, c.SessionLife = 2*day, day },
		"IS-06 negative Grace":                   func(c *issuer.Config[account]) { c.Grace = -1 },
		"IS-06 Grace above a minute":             func(c *issuer.Config[account]) { c.Grace = time.Minute + 1 },
		"IS-06 Grace as long as RefreshLife": func(c *issuer.Config[account]) {
			c.Grace, c.AccessLife, c.RefreshLife = 5*time.Second, time.Second, 5*time.Second
		},
		"IS-06 negative Lead":             func(c *issuer.Config[account]) { c.Lead = -1 },
		"IS-06 the longest Lead there is": func(c *issuer.Config[account]) { c.Lead = math.MaxInt64 },
		"a dialect without jti":           func(c *issuer.Config[account]) { c.Dialect.Members = []string{"iss", "sub", "aud", "exp"} },
		"a dialect that tells no uses":    func(c *issuer.Config[account]) { c.Dialect.AccessType, c.Dialect.RefreshType = "JWT", "JWT" },
	} {
		c := good()
		change(&c)
		if tokens, err := issuer.New(c); err == nil || tokens != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAllMistakesAreReported(t *testing.T) {
	_, err := issuer.New(issuer.Config[account]{AccessLife: -1, Grace: time.Hour})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, field := range []string{"Store", "Keys", "AccessLife", "Grace", "Issuer", "Audience"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
}

// TestDefaultsFitWhatIsSet sets one life at a time.
func TestDefaultsFitWhatIsSet(t *testing.T) {
	for _, c := range []issuer.Config[account]{
		{AccessLife: time.Hour}, {RefreshLife: time.Minute}, {RefreshLife: 100 * day}, {SessionLife: time.Hour}, {SessionLife: time.Second}, {SessionLife: 3660 * day},
	} {
		pair := issue(t, newIssuer(t, c), "alice")
		want := 15 * time.Minute
		for _, life := range []time.Duration{c.AccessLife, c.RefreshLife, c.SessionLife} {
			if life > 0 && (life == c.AccessLife || life < want) {
				want = life
			}
		}
		if pair.ExpiresIn != want {
			t.Errorf("%+v: access tokens live %v, want %v", c, pair.ExpiresIn, want)
		}
	}
}

// TestConfigIsFrozen changes a Config after New has read it.
func TestConfigIsFrozen(t *testing.T) {
	audience := []string{"api"}
	tokens := newIssuer(t, issuer.Config[account]{Audience: audience})
	audience[0] = "other"
	if _, err := verifier(t, tokens, claims.Dialect{}).Verify(t.Context(), issue(t, tokens, "alice").AccessToken); err != nil {
		t.Error(err)
	}
}

type withExp struct {
	Expiry int `json:"exp"`
}

type withCase struct {
	Expiry int `json:"Exp"`
}

type withParty struct {
	Party string `json:"party"`
}

func refusesApp[T any](t *testing.T) {
	t.Helper()
	keys := schedule(t, edKey(t, always))
	c := issuer.Config[T]{Issuer: "i", Audience: []string{"a"}, Keys: keys, Store: issuer.NewMemoryStore()}
	if tokens, err := issuer.New(c); err == nil || tokens != nil {
		t.Errorf("%T is accepted", *new(T))
	}
}

func TestReservedMembers(t *testing.T) {
	t.Run("IS-05 in the type of App", func(t *testing.T) {
		refusesApp[withExp](t)
		refusesApp[withCase](t)
		refusesApp[withParty](t)
		refusesApp[struct{ Sub string }](t)
	})
	t.Run("IS-05 in a map", func(t *testing.T) {
		tokens, err := issuer.New(issuer.Config[map[string]any]{Issuer: "i", Audience: []string{"a"}, Keys: schedule(t, edKey(t, always)), Store: issuer.NewMemoryStore()})
		if err != nil {
			t.Fatal(err)
		}
		for _, member := range []string{"exp", "iss", "aud", "sub", "jti", "party", "nbf", "Exp", "SUB", "sid", "scope", "iat"} {
			pair, err := tokens.Issue(t.Context(), claims.Claims[map[string]any]{Subject: "alice", App: map[string]any{member: "x"}})
			if err == nil || pair != (issuer.Pair{}) {
				t.Errorf("member %s is accepted", member)
			}
		}
	})
	t.Run("IS-05 in the fields that are the issuer's", func(t *testing.T) {
		tokens := newIssuer(t, issuer.Config[account]{})
		refused := 0
		for i := range reflect.TypeFor[claims.Claims[account]]().NumField() { // those that are added later too
			c := claims.Claims[account]{Subject: "alice"}
			name, field := reflect.TypeOf(c).Field(i).Name, reflect.ValueOf(&c).Elem().Field(i)
			if slices.Contains([]string{"Subject", "Party", "Scope", "App"}, name) {
				continue
			}
			switch field.Interface().(type) {
			case time.Time:
				field.Set(reflect.ValueOf(time.Now()))
			case []string:
				field.Set(reflect.ValueOf([]string{"x"}))
			case claims.Confirmation:
				field.Set(reflect.ValueOf(claims.Confirmation{Key: "x"}))
			default:
				field.SetString("x")
			}
			if pair, err := tokens.Issue(t.Context(), c); err == nil || pair != (issuer.Pair{}) {
				t.Errorf("accepted with a %s", name)
			}
			refused++
		}
		if refused < 9 {
			t.Errorf("%d fields", refused)
		}
		// What says nothing is not refused.
		if _, err := tokens.Issue(t.Context(), claims.Claims[account]{Subject: "alice", Expiry: time.Time{}.Local(), Audience: []string{}}); err != nil {
			t.Error(err)
		}
	})
}
