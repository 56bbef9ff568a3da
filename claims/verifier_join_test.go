package claims_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// tenant is an issuer with a secret of its own.
func tenant(issuer string, remember int) *claims.Verifier[struct{}] {
	return must(claims.NewVerifier[struct{}](claims.Config{Issuer: issuer, Audience: []string{"api"}, Remember: remember, Keys: setOf(tenantKey(issuer))}))
}

func tenantSecret(issuer string) []byte { return bytes.Repeat([]byte(issuer+"."), 32) }

func tenantKey(issuer string) *claims.Key {
	return must(claims.NewKey("HS256", "", tenantSecret(issuer)))
}

func tenantToken(issuer string) string {
	return token("HS256", tenantSecret(issuer), `{"alg":"HS256","typ":"at+jwt"}`, `{"iss":"`+issuer+`","sub":"alice","aud":"api","exp":1700000100}`)
}

func verifies(t *testing.T, v *claims.Verifier[struct{}], token string, reason error) {
	t.Helper()
	if _, err := v.VerifyAt(t.Context(), token, moment); !errors.Is(err, reason) {
		t.Errorf("%v, want %v", err, reason)
	}
}

// TestTenantsComeAndGo: a tenant is added or removed while tokens are verified,
// without a restart and without losing what is remembered of the others.
func TestTenantsComeAndGo(t *testing.T) {
	v := must(claims.Join(tenant("a", 0), tenant("b", 0)))
	for range 2 { // the second time they are remembered
		verifies(t, v, tenantToken("a"), nil)
		verifies(t, v, tenantToken("b"), nil)
		verifies(t, v, tenantToken("c"), claims.ErrIssuer)
	}
	if err := v.Add(tenant("c", 0), tenant("d", 0)); err != nil {
		t.Fatal(err)
	}
	verifies(t, v, tenantToken("c"), nil)
	verifies(t, v, tenantToken("d"), nil)
	if v.Remembered() != 4 {
		t.Errorf("%d tokens are remembered, not 4", v.Remembered())
	}
	if !v.Remove("a") || v.Remove("a") || v.Remove("nobody") || v.Remove("") {
		t.Error("Remove said something else than what it did")
	}
	verifies(t, v, tenantToken("a"), claims.ErrIssuer) // though it is remembered
	verifies(t, v, tenantToken("b"), nil)
	// It comes back with other keys: what is remembered is of no use to it.
	other := must(claims.NewVerifier[struct{}](claims.Config{Issuer: "a", Audience: []string{"api"}, Keys: setOf(tenantKey("other"))}))
	if err := v.Add(other); err != nil {
		t.Fatal(err)
	}
	verifies(t, v, tenantToken("a"), claims.ErrSignature)
	// Another's place is not taken by adding.
	if err := v.Add(tenant("e", 0), tenant("b", 0)); !errors.Is(err, claims.ErrVerifier) {
		t.Errorf("b was added twice: %v", err)
	}
	verifies(t, v, tenantToken("e"), claims.ErrIssuer) // all or none
	// Replace is for that.
	if err := v.Replace(must(claims.NewVerifier[struct{}](claims.Config{Issuer: "b", Audience: []string{"new"}, Keys: setOf(tenantKey("b"))}))); err != nil {
		t.Fatal(err)
	}
	verifies(t, v, tenantToken("b"), claims.ErrAudience)
	for name, err := range map[string]error{
		"a stranger": v.Replace(tenant("z", 0)), "nil": v.Replace(nil), "Add nil": v.Add(nil),
		"Add to one of NewVerifier": tenant("x", 0).Add(tenant("y", 0)), "zero": new(claims.Verifier[struct{}]).Add(tenant("y", 0)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if tenant("x", 0).Remove("x") {
		t.Error("the one issuer of NewVerifier was removed")
	}
	for _, issuer := range []string{"a", "b", "c", "d"} {
		v.Remove(issuer)
		verifies(t, v, tenantToken(issuer), claims.ErrIssuer)
	}
}

// TestTenantsAtOnce changes a joined verifier while it verifies: a tenant that nobody
// touches is never refused, one that was removed is refused from then on.
func TestTenantsAtOnce(t *testing.T) {
	v := must(claims.Join(tenant("stays", 64)))
	stays, comes := tenantToken("stays"), tenantToken("comes")
	moving := tenant("comes", 64)
	var all sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := v.VerifyAt(t.Context(), stays, moment); err != nil {
					t.Error(err)
					return
				}
				if _, err := v.VerifyAt(t.Context(), comes, moment); err != nil && !errors.Is(err, claims.ErrIssuer) {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 300 {
		if err := v.Add(moving); err != nil {
			t.Fatal(err)
		}
		verifies(t, v, comes, nil)
		if err := v.Replace(moving); err != nil {
			t.Fatal(err)
		}
		verifies(t, v, comes, nil)
		if !v.Remove("comes") {
			t.Fatal("it was not there")
		}
		verifies(t, v, comes, claims.ErrIssuer)
	}
	close(done)
	all.Wait()
}

// TestThousandTenants holds a joined verifier to 4 MB for 1,000 tenants: only it
// remembers tokens, not each of those that were joined.
func TestThousandTenants(t *testing.T) {
	const tenants = 1000
	keys := setOf(keyOf("HS256", ""))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	all := make([]*claims.Verifier[Account], tenants)
	for i := range all {
		all[i] = must(claims.NewVerifier[Account](claims.Config{Issuer: fmt.Sprint("https://tenant.example/", i), Audience: []string{"api"}, Keys: keys}))
	}
	v := must(claims.Join(all...))
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("%d tenants take %d bytes", tenants, grown)
	}
	runtime.KeepAlive(all)
	runtime.KeepAlive(v)
}

func BenchmarkTenants(b *testing.B) {
	keys := setOf(keyOf("HS256", ""))
	of := func(i int) *claims.Verifier[Account] {
		return must(claims.NewVerifier[Account](claims.Config{Issuer: fmt.Sprint("https://tenant.example/", i), Audience: []string{"api"}, Keys: keys}))
	}
	for _, n := range []int{10, 1000, 10_000} {
		all := make([]*claims.Verifier[Account], n)
		for i := range all {
			all[i] = of(i)
		}
		v := must(claims.Join(all...))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := v.Add(of(n)); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				v.Remove(fmt.Sprint("https://tenant.example/", n))
				b.StartTimer()
			}
		})
	}
}

// TestOldBesideNew: tokens without iss and aud, as golang-jwt by hand and gin-jwt
// write them, are in use beside new ones until they expire.
func TestOldBesideNew(t *testing.T) {
	old := must(claims.NewVerifier[struct{}](claims.Config{Keys: setOf(tenantKey("old")),
		Dialect: claims.Dialect{AccessType: "JWT", SubjectMember: "user_id", NumericSubject: true, InsecureNoIssuer: true, InsecureNoAudience: true}}))
	v := must(claims.Join(tenant("new", 0), old))
	hand := func(secret, members string) string {
		return token("HS256", tenantSecret(secret), `{"alg":"HS256","typ":"JWT"}`, `{"exp":1700000100,"user_id":7`+members+`}`)
	}
	for range 2 {
		verifies(t, v, tenantToken("new"), nil)
		verifies(t, v, hand("old", ""), nil)
		verifies(t, v, hand("old", `,"iss":null,"aud":[]`), nil)
		// Each is as strict as alone.
		verifies(t, v, hand("new", ""), claims.ErrSignature)
		verifies(t, v, hand("old", `,"iss":"new"`), claims.ErrType)
		verifies(t, v, hand("old", `,"iss":"old"`), claims.ErrIssuer)
		verifies(t, v, hand("old", `,"iss":""`), claims.ErrIssuer)
		verifies(t, v, hand("old", `,"iss":5`), claims.ErrIssuer)
		verifies(t, v, hand("old", `,"aud":"api"`), claims.ErrAudience)
		verifies(t, v, hand("old", `,"type":"refresh"`), claims.ErrKind)
	}
	// The day comes when the last of them has expired.
	if !v.Remove("") {
		t.Error("the old ones were not there")
	}
	verifies(t, v, hand("old", ""), claims.ErrIssuer)
	verifies(t, v, tenantToken("new"), nil)
}

// entra is the shape of Microsoft Entra's issuers, one for each tenant.
const entra = "https://login.example/{tenantid}/v2.0"

func entraIssuer(tenant string) string { return strings.Replace(entra, "{tenantid}", tenant, 1) }

// TestIssuersByRule: Microsoft Entra has an issuer for each tenant, unknown at start,
// and keys that name the issuer that they are for.
func TestIssuersByRule(t *testing.T) {
	allowed := map[string]bool{entraIssuer("t1"): true, entraIssuer("t2"): true, "https://login.example/a/b/v2.0": true, "https://other.example/t1/v2.0": true}
	var broken error
	rule := func(_ context.Context, issuer string) (bool, error) { return allowed[issuer], broken }
	common := must(claims.NewKey("HS256", "common", tenantSecret("common"))).BoundTo(entra)
	of2 := must(claims.NewKey("HS256", "two", tenantSecret("two"))).BoundTo(entraIssuer("t2"))
	config := claims.Config{AllowIssuer: rule, Audience: []string{"api"}, Keys: setOf(common, of2)}
	v := must(claims.NewVerifier[struct{}](config))
	by := func(secret, kid, iss string) string {
		return token("HS256", tenantSecret(secret), `{"alg":"HS256","kid":"`+kid+`","typ":"at+jwt"}`, `{"iss":`+iss+`,"sub":"alice","aud":"api","exp":1700000100}`)
	}
	quote := func(s string) string { return `"` + s + `"` }
	for range 2 {
		verifies(t, v, by("common", "common", quote(entraIssuer("t1"))), nil)
		verifies(t, v, by("common", "common", quote(entraIssuer("t2"))), nil)
		verifies(t, v, by("two", "two", quote(entraIssuer("t2"))), nil)
		verifies(t, v, by("two", "two", quote(entraIssuer("t1"))), claims.ErrUnknownKey)
		verifies(t, v, by("common", "common", quote("https://login.example/a/b/v2.0")), claims.ErrUnknownKey)
		verifies(t, v, by("common", "common", quote("https://other.example/t1/v2.0")), claims.ErrUnknownKey)
		verifies(t, v, by("common", "common", quote(entraIssuer("t3"))), claims.ErrIssuer)
		for _, iss := range []string{`""`, `null`, `5`, `["` + entraIssuer("t1") + `"]`, quote(strings.Repeat("x", 1025))} {
			verifies(t, v, by("common", "common", iss), claims.ErrInvalid)
		}
	}
	one := by("common", "common", quote(entraIssuer("t1")))
	c, err := v.VerifyAt(t.Context(), one, moment)
	if err != nil || c.Issuer != entraIssuer("t1") {
		t.Errorf("%+v, %v", c, err)
	}
	// The rule is asked for remembered tokens too: the tenant has left.
	allowed[entraIssuer("t1")] = false
	verifies(t, v, one, claims.ErrIssuer)
	allowed[entraIssuer("t1")] = true
	verifies(t, v, one, nil)
	// Its error says nothing about the token.
	for _, broken = range []error{errors.New("database"), claims.ErrInvalid} {
		if _, err := v.VerifyAt(t.Context(), one, moment); err == nil || errors.Is(err, claims.ErrInvalid) {
			t.Errorf("a rule that can't tell: %v", err)
		}
	}
	broken = nil
	// Joined: issuers that are named go first.
	both := must(claims.Join(tenant(entraIssuer("t2"), 0), v))
	verifies(t, both, one, nil)
	verifies(t, both, tenantToken(entraIssuer("t2")), nil)
	verifies(t, both, by("common", "common", quote(entraIssuer("t2"))), claims.ErrSignature)
	for name, change := range map[string]func(*claims.Config){
		"two ways": func(c *claims.Config) { c.Issuer = "x" }, "none": func(c *claims.Config) { c.AllowIssuer = nil },
		"no issuer": func(c *claims.Config) { c.Dialect.InsecureNoIssuer = true },
	} {
		bad := config
		change(&bad)
		if _, err := claims.NewVerifier[struct{}](bad); !errors.Is(err, claims.ErrVerifier) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := claims.Join(v, v); !errors.Is(err, claims.ErrVerifier) {
		t.Errorf("two rules: %v", err)
	}
	// A key stays bound where the issuer is named once and for all.
	single := must(claims.NewVerifier[struct{}](claims.Config{Issuer: entraIssuer("t1"), Audience: []string{"api"}, Keys: setOf(common, of2)}))
	verifies(t, single, one, nil)
	verifies(t, single, by("two", "two", quote(entraIssuer("t1"))), claims.ErrUnknownKey)
}

// manyKeys has keys of its own for each issuer.
type manyKeys map[string][]*claims.Key

func (m manyKeys) Keys(context.Context, claims.Header) ([]*claims.Key, error) {
	return nil, errors.New("asked without an issuer")
}

func (m manyKeys) KeysOf(_ context.Context, issuer string, _ claims.Header) ([]*claims.Key, error) {
	return m[issuer], nil
}

func TestKeysOfEachIssuer(t *testing.T) {
	keys := manyKeys{"a": {tenantKey("a")}, "b": {tenantKey("b")}}
	v := must(claims.NewVerifier[struct{}](claims.Config{Audience: []string{"api"}, Keys: keys,
		AllowIssuer: func(context.Context, string) (bool, error) { return true, nil }}))
	for range 2 {
		verifies(t, v, tenantToken("a"), nil)
		verifies(t, v, tenantToken("b"), nil)
		verifies(t, v, tenantToken("c"), claims.ErrUnknownKey)
		verifies(t, v, token("HS256", tenantSecret("a"), `{"alg":"HS256","typ":"at+jwt"}`, `{"iss":"b","sub":"x","aud":"api","exp":1700000100}`), claims.ErrSignature)
	}
	delete(keys, "a") // what is remembered goes with the key
	verifies(t, v, tenantToken("a"), claims.ErrUnknownKey)
}

// TestMaxLife: a lifetime of 100 years is a mistake, or a stolen signer. mockoidc's
// access and refresh tokens differ in nothing but 600 and 3,600 s.
func TestMaxLife(t *testing.T) {
	of := func(life time.Duration, leeway time.Duration, anyTime bool) *claims.Verifier[struct{}] {
		return must(claims.NewVerifier[struct{}](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", "")), MaxLife: life, Leeway: leeway, InsecureAnyTime: anyTime}))
	}
	at := func(dates string) string { return tokenOf("HS256", `{"iss":"iss1","sub":"a","aud":"api",`+dates+`}`) }
	const century = `"exp":4855673600`
	verifies(t, of(0, 0, false), at(century), nil)
	for _, row := range []struct {
		dates  string
		reason error
	}{
		{`"iat":1700000000,"exp":1700000600`, nil},
		{`"iat":1700000000,"exp":1700000601`, claims.ErrLife},
		{`"iat":1700000000,"exp":1700003600`, claims.ErrLife},
		{`"iat":1700000000,` + century, claims.ErrLife},
		{`"iat":0,"exp":1700000600`, claims.ErrLife},
		{`"iat":1699999990,"exp":1700000600`, claims.ErrLife},
		{`"iat":4855673000,` + century, claims.ErrNotYet}, // iat can't be moved
		{`"exp":1700000600`, nil},
		{`"exp":1700000601`, claims.ErrLife},
		{`"iat":null,"exp":1700000601`, claims.ErrLife},
		{`"nbf":1700000000,"exp":1700000601`, claims.ErrLife},
		{century, claims.ErrLife},
		{`"exp":253402300799`, claims.ErrLife},
		{`"iat":1,"exp":253402300799`, claims.ErrLife}, // more than a Duration holds
		{`"exp":1699999999`, claims.ErrExpired},
	} {
		for range 2 {
			verifies(t, of(600*time.Second, 0, false), at(row.dates), row.reason)
		}
	}
	verifies(t, of(600*time.Second, time.Minute, false), at(`"exp":1700000660`), nil)
	verifies(t, of(600*time.Second, time.Minute, false), at(`"exp":1700000661`), claims.ErrLife)
	verifies(t, of(600*time.Second, time.Minute, false), at(`"iat":1700000000,"exp":1700000601`), claims.ErrLife)
	verifies(t, of(600*time.Second, 0, true), at(`"iat":1600000000,"exp":1600000600`), nil)
	verifies(t, of(600*time.Second, 0, true), at(`"iat":1600000000,"exp":1600000601`), claims.ErrLife)
	verifies(t, of(600*time.Second, 0, true), at(`"exp":1700000600`), claims.ErrMissing)
}

// TestMaxMembers: Keycloak writes an object for each client of a user. 125 of them are
// 254 members with the four that every token has.
func TestMaxMembers(t *testing.T) {
	clients := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"client-%04d":{"roles":["user","manager"]}`, i)
		}
		return tokenOf("HS256", `{"iss":"iss1","sub":"a","aud":"api","exp":1700000100,"resource_access":{`+strings.TrimPrefix(b.String(), ",")+`}}`)
	}
	of := func(most, bytes int) *claims.Verifier[struct{}] {
		return must(claims.NewVerifier[struct{}](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", "")), MaxMembers: most, MaxBytes: bytes}))
	}
	for _, row := range []struct {
		clients, most, bytes int
		reason               error
	}{
		{125, 0, 0, nil}, {126, 0, 0, claims.ErrTooLarge}, {126, 0, 1 << 20, claims.ErrTooLarge},
		{126, 257, 0, nil}, {126, 256, 0, claims.ErrTooLarge}, {250, 1000, 0, nil}, {4000, 65536, 1 << 20, nil}, {4000, 65536, 0, claims.ErrTooLarge},
		{0, 4, 0, claims.ErrTooLarge}, {0, 5, 0, nil},
	} {
		verifies(t, of(row.most, row.bytes), clients(row.clients), row.reason)
	}
	for _, c := range []claims.Config{{MaxMembers: -1}, {MaxMembers: 65537}, {MaxLife: -1}, {MaxLife: 1, Dialect: claims.Dialect{InsecureNoExpiry: true}}} {
		c.Issuer, c.Audience, c.Keys = "i", []string{"a"}, setOf(keyOf("HS256", ""))
		if _, err := claims.NewVerifier[struct{}](c); !errors.Is(err, claims.ErrVerifier) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	// Each of joined issuers keeps its own bound, also where another's is wider.
	wide := must(claims.NewVerifier[struct{}](claims.Config{Issuer: "wide", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", "")), MaxMembers: 10_000}))
	verifies(t, must(claims.Join(wide, of(0, 0))), clients(126), claims.ErrTooLarge)
	verifies(t, must(claims.Join(wide, of(0, 0))), clients(125), nil)
}
