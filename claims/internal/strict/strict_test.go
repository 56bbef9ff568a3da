package strict_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// token are the bounds of a token's parts.
var token = strict.Bounds{Depth: 32, Members: 256}

// TestDocuments holds the reader of JSON against the principles of RFC 8259,
// every document in the place of an unknown member's value or as a whole.
func TestDocuments(t *testing.T) {
	value := func(v string) string { return `{"x":` + v + `}` }
	yes := []string{
		`{}`, ` {} `, "\t\n\r{}\n", value(`""`), value(`"\"\\\/\b\f\n\r\t"`), value(`"\u0000"`), value(`"\uFFFF"`), value(`"\u20ac"`),
		value(`"\ud83d\ude00"`), value("\"\u2028\u2029\""), value("\"\x7f\""), value("\"\U0010ffff\""), value(`"\uDBFF\uDFFF"`),
		value(`0`), value(`-0`), value(`0.0`), value(`-1.5e-3`), value(`1E+2`), value(`123456789012345678901234567890`), value(`1e999`),
		value(`true`), value(`false`), value(`null`), value(`[]`), value(`[ ]`), value(`[1,2]`), value(`[1 , [ 2 ] ]`), value(`[null,""]`),
		value(`{}`), value(`{"":""}`), value(`{"a":{"a":{"a":1}}}`), `{"a":1,"A":2}`, `{"":0}`, `{ "a" : 1 , "b" : 2 }`, `{"a":1,"b":{"a":1}}`,
		`{"\u0061":1,"b":2}`, `{"a\u0000":1,"a":2}`,
	}
	no := []string{
		``, ` `, `[]`, `""`, `1`, `true`, `null`, `nul`, `{`, `}`, `{]`, `{"a"}`, `{"a":}`, `{"a":1`, `{"a":1,}`, `{,}`, `{"a":1,,"b":2}`, `{,"a":1}`,
		`{"a":1 "b":2}`, `{"a" 1}`, `{"a"::1}`, `{a:1}`, `{'a':1}`, `{1:1}`, `{null:1}`, `{"a":1}}`, `{"a":1}{}`, `{"a":1}1`, `{"a":1}//`, `{"a":1}#`,
		`{"a":1/**/}`, "\ufeff{}", "{}\x00", "{\x00}", "{\u00a0}", "{\x0c}", "{\x0b}", "\u2060{}",
		value(`"`), value(`"a`), value(`"\"`), value(`"\x00"`), value(`"\u"`), value(`"\u00"`), value(`"\u00g0"`), value(`"\u 041"`), value(`"\U0041"`),
		value(`"\a"`), value(`"\'"`), value(`"\v"`), value("\"\n\""), value("\"\t\""), value("\"\x00\""), value("\"\x1f\""), value(`'a'`), value(`a`),
		value(`"\ud800"`), value(`"\udc00"`), value(`"\ud800\ud800"`), value(`"\ud800a"`), value(`"\ud800\n"`), value(`"\ud800\u"`), value(`"\udc00\ud800"`),
		value("\"\xff\""), value("\"\xc0\x80\""), value("\"\xe2\x82\""), value("\"\xf4\x90\x80\x80\""), value("\"\xed\xbf\xbf\""), value("\xff"), "{\"\xff\":1}",
		value(`00`), value(`01`), value(`-01`), value(`-`), value(`+1`), value(`--1`), value(`1.`), value(`.1`), value(`-.1`), value(`1.e1`), value(`1e`), value(`1e+`), value(`1ee1`),
		value(`1e1.5`), value(`0x1`), value(`1_0`), value(`1a`), value(`1 2`), value(`１`), value(`NaN`), value(`-NaN`), value(`Infinity`), value(`-Infinity`), value(`-Inf`),
		value(`True`), value(`TRUE`), value(`tru`), value(`truee`), value(`nan`), value(`undefined`), value(``),
		value(`[`), value(`]`), value(`[,]`), value(`[1,]`), value(`[,1]`), value(`[1,,2]`), value(`[1 2]`), value(`[1}`), value(`["a":1]`), value(`[1]]`), value(`[-]`), value(`[[]`),
		value(`{"a":1,"a":1}`), `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"":1,"":2}`, `{"\/":1,"/":2}`,
		value(strings.Repeat("[", 100_000)), value(strings.Repeat(`{"a":`, 100_000)),
	}
	for _, text := range yes {
		if _, err := strict.Object([]byte(text), token, nil); err != nil {
			t.Errorf("CL-38: %q: %v", text, err)
		}
	}
	for _, text := range no {
		if _, err := strict.Object([]byte(text), token, nil); !errors.Is(err, strict.ErrSyntax) && !errors.Is(err, strict.ErrDuplicate) {
			t.Errorf("CL-38: %.60q: %v", text, err)
		}
	}
}

// TestDuplicateAmongMany (CL-19) repeats each name of small and large objects,
// at the end: few names are compared otherwise than many.
func TestDuplicateAmongMany(t *testing.T) {
	for _, n := range []int{1, 2, 15, 16, 17, 18, 100, 255} {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, `"%d":0,`, i*7919)
		}
		if _, err := strict.Object([]byte("{"+text.String()+`"x":0}`), token, nil); err != nil {
			t.Errorf("%d names: %v", n+1, err)
		}
		for i := range n {
			twice := fmt.Sprintf(`{%s"%d":0}`, &text, i*7919)
			if _, err := strict.Object([]byte(twice), token, nil); !errors.Is(err, strict.ErrDuplicate) {
				t.Errorf("%d names, number %d again: %v", n, i, err)
			}
		}
	}
}

// TestBounds holds every bound at its last good value and one beyond.
func TestBounds(t *testing.T) {
	nested := func(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	lists := func(n int) string { return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}` }
	members := func(n int) string {
		var b strings.Builder
		for i := range n - 1 {
			fmt.Fprintf(&b, `"%d":0,`, i)
		}
		return "{" + b.String() + `"x":0}`
	}
	shared := func(n int) string { return `{"a":[` + strings.Repeat(`{"b":0},`, n-2) + `{"b":0}]}` }
	for _, row := range []struct {
		name   string
		text   func(n int) string
		bounds func(n int) strict.Bounds
		most   []int
	}{
		{"objects in objects", nested, func(n int) strict.Bounds { return strict.Bounds{Depth: n, Members: 9999} }, []int{1, 2, 32, 1000}},
		{"arrays in arrays", lists, func(n int) strict.Bounds { return strict.Bounds{Depth: n, Members: 1} }, []int{2, 32, 1000}},
		{"members of one object", members, func(n int) strict.Bounds { return strict.Bounds{Depth: 1, Members: n} }, []int{1, 16, 17, 64, 65, 256, 10_000}},
		{"members of all objects", shared, func(n int) strict.Bounds { return strict.Bounds{Depth: 3, Members: n} }, []int{2, 256, 10_000}},
	} {
		for _, n := range row.most {
			if _, err := strict.Object([]byte(row.text(n)), row.bounds(n), nil); err != nil {
				t.Errorf("%s: %d of %d: %v", row.name, n, n, err)
			}
			for _, inner := range []bool{false, true} {
				bounds := row.bounds(n)
				bounds.InnerDuplicates = inner
				if _, err := strict.Object([]byte(row.text(n+1)), bounds, nil); !errors.Is(err, strict.ErrSyntax) {
					t.Errorf("%s: %d of %d: %v", row.name, n+1, n, err)
				}
			}
		}
	}
	if _, err := strict.Object([]byte("{}"), strict.Bounds{}, nil); !errors.Is(err, strict.ErrSyntax) {
		t.Errorf("the zero Bounds: %v", err)
	}
}

// TestInnerDuplicates are refused, or left to a caller that reads inner objects
// one by one. Those of the outer object never are.
func TestInnerDuplicates(t *testing.T) {
	loose := strict.Bounds{Depth: 32, Members: 256, InnerDuplicates: true}
	const inner = `{"a":1,"\u0061":2}`
	for _, text := range []string{`{"x":` + inner + `}`, `{"x":[1,` + inner + `]}`, `{"x":{"y":{"z":` + inner + `}}}`} {
		if _, err := strict.Object([]byte(text), token, nil); !errors.Is(err, strict.ErrDuplicate) {
			t.Errorf("%s: %v", text, err)
		}
		if members, err := strict.Object([]byte(text), loose, nil); err != nil || len(members) != 1 {
			t.Errorf("%s: left to the caller: %q, %v", text, members, err)
		}
	}
	if _, err := strict.Object([]byte(inner), loose, nil); !errors.Is(err, strict.ErrDuplicate) {
		t.Errorf("of the outer object: %v", err)
	}
	for _, text := range []string{`{"x":{"a":1 "b":2}}`, `{"x":{"a":1,}}`, `{"x":{"a":"\ud800"}}`, `{"x":{"\udc00":1}}`, "{\"x\":{\"a\":\"\xff\"}}"} {
		if _, err := strict.Object([]byte(text), loose, nil); !errors.Is(err, strict.ErrSyntax) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestAppends keeps what stands before, and does not compare with it.
func TestAppends(t *testing.T) {
	before, err := strict.Object([]byte(`{"a":1}`), token, nil)
	if err != nil {
		t.Fatal(err)
	}
	both, err := strict.Object([]byte(`{"a":2,"b":{"a":3}}`), strict.Bounds{Depth: 2, Members: 3}, before)
	if err != nil || len(both) != 3 || string(both[0].Value)+string(both[1].Value)+string(both[2].Value) != `12{"a":3}` {
		t.Errorf("%q, %v", both, err)
	}
}

// TestValues are strings and arrays, by their values.
func TestValues(t *testing.T) {
	for _, row := range []struct {
		raw, want string
		ok        bool
	}{
		{`"a"`, "a", true}, {`""`, "", true}, {`"\u0061\n"`, "a\n", true}, {`"\ud834\udd1e"`, "\U0001d11e", true},
		{`1`, "", false}, {`null`, "", false}, {`["a"]`, "", false}, {``, "", false},
	} {
		got, ok := strict.Text([]byte(row.raw))
		if got != row.want || ok != row.ok {
			t.Errorf("%s: %q, %v", row.raw, got, ok)
		}
		if strict.IsText([]byte(row.raw), row.want) != row.ok || strict.IsText([]byte(row.raw), row.want+"x") || strict.IsText([]byte(row.raw), "x"+row.want) {
			t.Errorf("%s: IsText", row.raw)
		}
	}
	elements := func(raw string) (all []string, isArray bool, err error) {
		isArray, err = strict.Elements([]byte(raw), func(e []byte) error { all = append(all, string(e)); return nil })
		return all, isArray, err
	}
	all, isArray, err := elements(`[ 1 , "]" , [ 2 ] ,{"a":[{"b":1,"b":2}]}]`)
	if want := []string{`1`, `"]"`, `[ 2 ]`, `{"a":[{"b":1,"b":2}]}`}; !isArray || err != nil || !reflect.DeepEqual(all, want) {
		t.Errorf("%q, %v, %v", all, isArray, err)
	}
	if all, isArray, err := elements(`[ ]`); len(all) != 0 || !isArray || err != nil {
		t.Errorf("%q, %v, %v", all, isArray, err)
	}
	for _, raw := range []string{`{}`, `"[]"`, `null`, ``} {
		if all, isArray, err := elements(raw); len(all) != 0 || isArray || err != nil {
			t.Errorf("%s: %q, %v, %v", raw, all, isArray, err)
		}
	}
	stop := errors.New("stop")
	seen := 0
	if _, err := strict.Elements([]byte(`[1,2]`), func([]byte) error { seen++; return stop }); !errors.Is(err, stop) || seen != 1 {
		t.Errorf("%v after %d", err, seen)
	}
}

// TestQuoted is short and of one line.
func TestQuoted(t *testing.T) {
	for _, s := range []string{"", "a", "\n\x1b[31m\u2028\u202e", strings.Repeat("\xff", 1000)} {
		if q := strict.Quoted(s); len(q) > 64*4+5 || strings.ContainsAny(q, "\n\x1b\u2028\u202e") {
			t.Errorf("%q is %s", s, q)
		}
	}
}

// FuzzObject holds our reader against encoding/json: what that refuses, we
// refuse; what we accept, both read the same.
func FuzzObject(f *testing.F) {
	for _, text := range []string{
		`{}`, ` { "a" : [ 1 , { "b" : null } ] , "c" : "\ud834\udd1e\n" } `, `{"a":1,"a":1}`, `{"\u0061":1,"a":1}`, `{"a":01}`, `{"a":1e5}`, `{"a":-}`,
		`{"a":"\ud800"}`, "{\"a\":\"\xff\"}", `{"a":1}{}`, `[1]`, `null`, `{"a":tru}`, `{"a":"` + "\x01" + `"}`, `{"a":{"b":{"c":[[[[]]]]}}}`, `{"":""}`,
		`{"iss":"iss1","sub":"alice","aud":"api","exp":1700000100}`, `{"a":{"b":1,"b":2},"c":{"\u0062":1,"b":2}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		members, err := strict.Object(bytes.Clone(text), token, nil)
		var plain map[string]json.RawMessage
		plainErr := json.Unmarshal(text, &plain)
		if err != nil {
			if !errors.Is(err, strict.ErrSyntax) && !errors.Is(err, strict.ErrDuplicate) || members != nil {
				t.Fatalf("the error is %v", err)
			}
			return
		}
		loose, err := strict.Object(bytes.Clone(text), strict.Bounds{Depth: 32, Members: 256, InnerDuplicates: true}, nil)
		if err != nil || !reflect.DeepEqual(loose, members) {
			t.Fatalf("with inner duplicates allowed: %q, %v", loose, err)
		}
		if plainErr != nil || plain == nil {
			t.Fatalf("encoding/json refuses %q: %v", text, plainErr)
		}
		if len(plain) != len(members) {
			t.Fatalf("%d members, encoding/json has %d", len(members), len(plain))
		}
		for _, m := range members {
			if string(plain[string(m.Name)]) != string(m.Value) {
				t.Fatalf("member %q is %q, encoding/json has %q", m.Name, m.Value, plain[string(m.Name)])
			}
		}
	})
}
