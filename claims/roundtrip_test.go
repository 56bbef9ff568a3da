package claims_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// colour decodes itself.
type colour int

func (c colour) MarshalJSON() ([]byte, error) { return json.Marshal([]string{"red", "green"}[c]) }

func (c *colour) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"red"`:
		*c = 0
	case `"green"`:
		*c = 1
	default:
		return errors.New("no colour")
	}
	return nil
}

type inner struct {
	Name string         `json:"name"`
	Kids []inner        `json:"kids,omitempty"`
	By   map[string]int `json:"by,omitempty"`
}

type base struct {
	Company int64  `json:"company"`
	Tag     string // under its own name
}

type octets []byte

// wide has a field of every kind that App may have.
type wide struct {
	base
	On     bool               `json:"on"`
	Small  int8               `json:"small"`
	Count  uint32             `json:"count"`
	Ratio  float64            `json:"ratio"`
	Inner  inner              `json:"inner"`
	Ptr    *inner             `json:"ptr"`
	List   []string           `json:"list,omitempty"`
	Ptrs   []*int             `json:"ptrs,omitempty"`
	Map    map[string][]inner `json:"map,omitempty"`
	Any    any                `json:"any"`
	Raw    json.RawMessage    `json:"raw,omitempty"`
	When   time.Time          `json:"when"`
	Colour colour             `json:"colour"`
	Bytes  []byte             `json:"bytes,omitempty"`
	Octets octets             `json:"octets,omitempty"`
	//lint:ignore SA5008 a member that is named -
	Dash   string `json:"-,"`
	Hidden string `json:"-"`
	inside string //lint:ignore U1000 nothing reads or writes what is not exported
}

func randomText(r *rand.Rand) string {
	const letters = "aZ09 \"\\/<>&'\x00\x1f\n\t\x7fäß€\u2028𝄞{}[]:,"
	runes := []rune(letters)
	var b strings.Builder
	for range 1 + r.IntN(12) {
		b.WriteRune(runes[r.IntN(len(runes))])
	}
	return "s" + b.String()
}

func randomInner(r *rand.Rand, depth int) inner {
	in := inner{Name: randomText(r)}
	for range r.IntN(3) {
		if depth > 0 {
			in.Kids = append(in.Kids, randomInner(r, depth-1))
		}
	}
	if r.IntN(2) == 0 {
		in.By = map[string]int{randomText(r): r.IntN(1000) - 500, "": 1}
	}
	return in
}

func randomWide(r *rand.Rand) wide {
	n := r.IntN(1000)
	w := wide{
		base: base{r.Int64() - 1<<62, randomText(r)}, On: n%2 == 0, Small: int8(n), Count: r.Uint32(), Ratio: r.NormFloat64() * 1e10,
		Inner: randomInner(r, 3), When: time.Unix(r.Int64N(1<<32), r.Int64N(1e9)).UTC(), Colour: colour(n % 2), Dash: randomText(r),
	}
	if n%3 == 0 {
		p := randomInner(r, 1)
		w.Ptr, w.Bytes, w.Octets = &p, []byte(randomText(r)), octets(randomText(r))
		w.List = []string{randomText(r), "", randomText(r)}
		w.Ptrs = []*int{&n, nil}
		w.Map = map[string][]inner{randomText(r): {randomInner(r, 1), {}}}
		w.Raw = json.RawMessage(`{"A":1,"a":[null]}`)
		w.Any = []any{json.Number("1.5"), nil, "x", map[string]any{"Y": true}}
	}
	return w
}

func randomClaims[T any](r *rand.Rand, d claims.Dialect, use claims.Use, app T) claims.Claims[T] {
	c := claims.Claims[T]{
		Use: use, Subject: randomText(r), Expiry: moment.Add(time.Duration(1+r.IntN(1e6)) * time.Second), ID: randomText(r), Session: randomText(r),
		IssuedAt: moment.Add(-time.Duration(r.IntN(1e6)) * time.Second), Party: claims.Party(randomText(r)),
	}
	if r.IntN(2) == 0 {
		c.NotBefore = moment
	}
	for range r.IntN(4) {
		c.Scope = append(c.Scope, strings.ReplaceAll(randomText(r), " ", "-"))
	}
	if !d.InsecureNoIssuer {
		c.Issuer = "iss1"
	}
	if !d.InsecureNoAudience {
		c.Audience = []string{"api", randomText(r), randomText(r)}[:1+r.IntN(3)]
	}
	if d.ObjectSubject {
		c.Subject = fmt.Sprintf(`{"id":%d,"name":%s}`, r.IntN(100), must(json.Marshal(c.Subject)))
	}
	if d.NumericParty {
		c.Party = claims.Party(strconv.Itoa(r.IntN(100) - 50))
	}
	if use == claims.Refresh {
		c.AccessID = randomText(r)
	}
	c.App = app
	return c
}

// expected is what a reader must make of c: what the dialect does not write is
// gone.
func expected[T any](c claims.Claims[T], d claims.Dialect) claims.Claims[T] {
	writes := func(name string) bool {
		if d.Members == nil {
			return true
		}
		for _, m := range d.Members {
			if m == name {
				return true
			}
		}
		return false
	}
	party := d.PartyMember
	if party == "" {
		party = "party"
	}
	if !writes("nbf") {
		c.NotBefore = time.Time{}
	}
	if !writes("iat") {
		c.IssuedAt = time.Time{}
	}
	if !writes("jti") {
		c.ID = ""
	}
	if !writes("sid") {
		c.Session = ""
	}
	if !writes("scope") || c.Use == claims.Refresh {
		c.Scope = nil
	}
	if !writes(party) || c.Use == claims.Refresh {
		c.Party = ""
	}
	if c.Use == claims.Refresh {
		c.App = *new(T)
	}
	if d.RefreshMark == "" || c.Use != claims.Refresh {
		c.AccessID = ""
	}
	return c
}

// sameDates moves the dates of both to one location and drops the monotonic
// clock, so that reflect.DeepEqual can compare the rest.
func sameDates[T any](c claims.Claims[T]) claims.Claims[T] {
	c.Expiry, c.NotBefore, c.IssuedAt = c.Expiry.UTC(), c.NotBefore.UTC(), c.IssuedAt.UTC()
	return c
}

func roundTrip[T any](t *testing.T, r *rand.Rand, d claims.Dialect, use claims.Use, app T) {
	t.Helper()
	c := randomClaims(r, d, use, app)
	input := encode(t, d, claims.Header{Algorithm: "HS256", KeyID: "k"}, c)
	head, payload, _ := strings.Cut(input, ".")
	config := claims.Config{Keys: setOf(keyOf("HS256", "k")), Dialect: d, Use: use}
	if !d.InsecureNoIssuer {
		config.Issuer = "iss1"
	}
	if !d.InsecureNoAudience {
		config.Audience = []string{"api"}
	}
	v := must(claims.NewVerifier[T](config))
	s := token("HS256", pairs()["HS256"].private, string(unb64(head)), string(unb64(payload)))
	got, err := verifyAt(v, s)
	if err != nil {
		t.Fatalf("%v\nof %s", err, unb64(payload))
	}
	want := sameDates(expected(c, d))
	if g := sameDates(*got); !reflect.DeepEqual(g, want) {
		t.Fatalf("payload %s\n got %+v\nwant %+v", unb64(payload), g, want)
	}
	// What was written is one reading for encoding/json too.
	var plain map[string]any
	if err := json.Unmarshal(unb64(payload), &plain); err != nil {
		t.Fatalf("encoding/json: %v", err)
	}
}

// TestRoundTrip writes random claims in every dialect and reads the same.
func TestRoundTrip(t *testing.T) {
	bare := enableIoT
	bare.Members = []string{"jti", "iss", "sub", "exp", "company"}
	millis := claims.Dialect{Time: claims.Milliseconds}
	for name, d := range map[string]claims.Dialect{
		"RFC 9068": {}, "facilioo": facilioo, "fib": fib, "datarhei": datarhei, "EnableIoT": bare, "milliseconds": millis,
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			n := 100
			if os.Getenv("GATEHOUSE_LONG") != "" {
				n = 5000
			}
			for i := range n {
				use := []claims.Use{claims.Access, claims.Access, claims.Refresh}[i%3]
				roundTrip(t, r, d, use, randomWide(r))
				roundTrip(t, r, d, use, struct{}{})
			}
			for range n / 4 {
				roundTrip(t, r, d, claims.Access, map[string]any{
					"own": randomText(r), "n": json.Number("1.50"), "id": json.Number("9007199254740993"), "z": nil, "list": []any{randomText(r), true}, "deep": map[string]any{"Iss": "x", "sub": randomText(r)},
				})
			}
		})
	}
}

// TestExactNames holds at every depth and in every container.
func TestExactNames(t *testing.T) {
	v := must(claims.NewVerifier[wide](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", ""))}))
	c, err := verifyAt(v, tokenOf("HS256", strings.TrimSuffix(goodPayload, "}")+`,"COMPANY":1,"tag":"x","On":true,"SMALL":1,"LIST":["x"],
		"inner":{"Name":"x","kids":[{"NAME":"x","Kids":[{}]}],"By":{"a":1}},"ptr":{"Name":"x"},"map":{"A":[{"nAme":"x"}],"a":[]},"Colour":"green"}`))
	want := wide{Inner: inner{Kids: []inner{{}}}, Ptr: new(inner), Map: map[string][]inner{"A": {{}}, "a": {}}}
	if err != nil || !reflect.DeepEqual(c.App, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, c, want)
	}
}

// TestMembersOfTheWrongType never fill a field halfway.
func TestMembersOfTheWrongType(t *testing.T) {
	v := must(claims.NewVerifier[wide](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", ""))}))
	for _, member := range []string{
		`"on":1`, `"on":"true"`, `"small":128`, `"small":1.0`, `"small":"1"`, `"count":-1`, `"count":4294967296`, `"ratio":"1"`, `"ratio":1e999`,
		`"company":1e3`, `"company":9223372036854775808`, `"Tag":1`, `"inner":[]`, `"inner":"x"`, `"inner":{"name":1}`, `"inner":{"kids":{}}`,
		`"inner":{"kids":[{"name":[]}]}`, `"inner":{"by":{"a":"1"}}`, `"inner":{"by":[]}`, `"ptr":1`, `"list":"x"`, `"list":[1]`, `"ptrs":["1"]`,
		`"map":{"a":{}}`, `"when":1`, `"when":"yesterday"`, `"colour":"blue"`, `"bytes":"!"`, `"bytes":{}`, `"octets":1`, `"any":1e999`,
	} {
		c, err := verifyAt(v, tokenOf("HS256", strings.TrimSuffix(goodPayload, "}")+","+member+"}"))
		if c != nil || !errors.Is(err, claims.ErrMemberType) {
			t.Errorf("%s: %+v, %v", member, c, err)
		}
	}
}

type list []list

type custom struct{ A int }

func (*custom) UnmarshalJSON([]byte) error { return nil }

// TestApps that can't be are refused by NewVerifier and NewEncoder alike.
func TestApps(t *testing.T) {
	bad[int](t, "a number")
	bad[*wide](t, "a pointer")
	bad[map[string]string](t, "a map of strings")
	bad[custom](t, "a type that decodes itself")
	bad[time.Time](t, "a time")
	bad[struct {
		Sub string `json:"sub"`
	}](t, "a registered member")
	bad[struct {
		Exp string `json:"EXP"`
	}](t, "a registered member in another case")
	bad[struct{ Party string }](t, "the party")
	bad[struct {
		base
		Company int `json:"company"`
	}](t, "one member twice")
	bad[struct{ *base }](t, "an embedded pointer")
	bad[struct{ C chan int }](t, "a channel")
	bad[struct{ F func() }](t, "a function")
	bad[struct{ A [2]int }](t, "an array")
	bad[struct{ M map[int]string }](t, "a map with numbers for keys")
	bad[struct {
		N int `json:"n,string"`
	}](t, "the option string")
	bad[struct{ L list }](t, "a slice of itself")
	d := claims.Dialect{AccessType: "JWT", RefreshType: "JWT", UseMember: "usefor", LifetimeMember: "exi", PartyMember: "role"}
	if _, err := claims.NewEncoder[struct{ UseFor string }](d); !errors.Is(err, claims.ErrApp) {
		t.Errorf("usefor: %v", err)
	}
	if _, err := claims.NewEncoder[struct{ Exi string }](d); !errors.Is(err, claims.ErrApp) {
		t.Errorf("exi: %v", err)
	}
	if _, err := claims.NewEncoder[struct{ Party string }](d); err != nil {
		t.Errorf("party, where that is called role: %v", err)
	}
}

func bad[T any](t *testing.T, name string) {
	t.Helper()
	if _, err := claims.NewVerifier[T](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", ""))}); !errors.Is(err, claims.ErrApp) {
		t.Errorf("NewVerifier, %s: %v", name, err)
	}
	if _, err := claims.NewEncoder[T](claims.Dialect{}); !errors.Is(err, claims.ErrApp) {
		t.Errorf("NewEncoder, %s: %v", name, err)
	}
}

// TestEncoderRefuses what a verifier would refuse or read otherwise.
// many returns an App of n members.
func many(n int) map[string]any {
	app := make(map[string]any)
	for i := range n {
		app[fmt.Sprint("member ", i)] = i
	}
	return app
}

func TestEncoderRefuses(t *testing.T) {
	good := claims.Claims[map[string]any]{Use: claims.Access, Issuer: "iss1", Subject: "alice", Audience: []string{"api"}, Expiry: moment}
	header := claims.Header{Algorithm: "HS256"}
	e := must(claims.NewEncoder[map[string]any](claims.Dialect{}))
	if _, err := e.Encode(header, &good); err != nil {
		t.Fatal(err)
	}
	type of = func(*claims.Claims[map[string]any])
	for name, change := range map[string]of{
		"no use":                    func(c *of_) { c.Use = "" },
		"no issuer":                 func(c *of_) { c.Issuer = "" },
		"no subject":                func(c *of_) { c.Subject = "" },
		"a blank subject":           func(c *of_) { c.Subject = "\t " },
		"a long subject":            func(c *of_) { c.Subject = strings.Repeat("a", 1025) },
		"a subject of no UTF-8":     func(c *of_) { c.Subject = "\xff" },
		"no audience":               func(c *of_) { c.Audience = nil },
		"an empty audience":         func(c *of_) { c.Audience = []string{"api", ""} },
		"an audience of no UTF-8":   func(c *of_) { c.Audience = []string{"api", "\xff"} },
		"no expiry":                 func(c *of_) { c.Expiry = time.Time{} },
		"an expiry in 1970":         func(c *of_) { c.Expiry = time.Unix(0, 0) },
		"an expiry in 10000":        func(c *of_) { c.Expiry = time.Unix(253402300800, 0) },
		"an iat before 1970":        func(c *of_) { c.IssuedAt = time.Unix(-1, 0) },
		"nbf after exp":             func(c *of_) { c.NotBefore = c.Expiry.Add(time.Second) },
		"a scope with a space":      func(c *of_) { c.Scope = []string{"a admin"} },
		"an empty scope":            func(c *of_) { c.Scope = []string{"a", ""} },
		"members by the hundred":    func(c *of_) { c.App = many(253) },
		"sub in App":                func(c *of_) { c.App = map[string]any{"sub": "admin"} },
		"EXP in App":                func(c *of_) { c.App = map[string]any{"EXP": 1} },
		"party in App":              func(c *of_) { c.App = map[string]any{"Party": "Admin"} },
		"what JSON can't say":       func(c *of_) { c.App = map[string]any{"f": func() {}} },
		"App that nests too deep":   func(c *of_) { c.App = map[string]any{"x": nest(40)} },
		"App with a member twice":   func(c *of_) { c.App = map[string]any{"x": json.RawMessage(`{"a":1,"a":2}`)} },
		"App with a lone surrogate": func(c *of_) { c.App = map[string]any{"x": json.RawMessage(`"\ud800"`)} },
	} {
		c := good
		change(&c)
		if s, err := e.Encode(header, &c); s != "" || !errors.Is(err, claims.ErrUnencodable) {
			t.Errorf("%s: %q, %v", name, s, err)
		}
	}
	for _, h := range []claims.Header{{}, {Algorithm: "none"}, {Algorithm: "HS256", KeyID: strings.Repeat("k", 257)}, {Algorithm: "HS256", KeyID: "\xff"}} {
		if s, err := e.Encode(h, &good); s != "" || !errors.Is(err, claims.ErrUnencodable) {
			t.Errorf("header %+v: %q, %v", h, s, err)
		}
	}
	if _, err := new(claims.Encoder[map[string]any]).Encode(header, &good); !errors.Is(err, claims.ErrUnencodable) {
		t.Errorf("the zero Encoder: %v", err)
	}
	for _, subject := range []string{"alice", "[]", `{"a":1,"a":2}`, `{} {}`, "null"} {
		c := good
		c.Subject = subject
		if s, err := must(claims.NewEncoder[map[string]any](facilioo)).Encode(header, &c); s != "" || !errors.Is(err, claims.ErrUnencodable) {
			t.Errorf("an object subject %q: %q, %v", subject, s, err)
		}
	}
	for _, party := range []claims.Party{"Admin", "01", "+1", "1.0", "-0", "1e3"} {
		c := good
		c.Subject, c.Party = `{"id":1}`, party
		if s, err := must(claims.NewEncoder[map[string]any](facilioo)).Encode(header, &c); s != "" || !errors.Is(err, claims.ErrUnencodable) {
			t.Errorf("a numeric party %q: %q, %v", party, s, err)
		}
	}
}

// of_ shortens the table above.
type of_ = claims.Claims[map[string]any]

func nest(n int) any {
	if n == 0 {
		return 1
	}
	return []any{nest(n - 1)}
}
