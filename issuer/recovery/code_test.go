package recovery_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/issuer/recovery"
)

// LO-21: what is not exactly a code is not looked at, and never becomes one.
func TestMalformed(t *testing.T) {
	f := newFlow(t, recovery.Config{Alphabet: "0123456789", Length: 6, InsecureShortCodes: true})
	code := f.start(ann)
	for _, c := range []string{
		"", " ", "     ", code + " ", " " + code, code[:3] + "-" + code[3:], code[:5], code + "0", "+" + code[1:], "1e5   ", "0x" + code[2:],
		"\uff11\uff12\uff13\uff14\uff15\uff16", "\u0661\u0662\u0663\u0664\u0665\u0666", "\uff11\uff12", code[:5] + "\x00", code[:5] + "O", strings.Repeat("0", 1<<20),
	} {
		if ok, err := f.Redeem(t.Context(), ann, c); ok || !errors.Is(err, recovery.ErrMalformed) {
			t.Errorf("LO-21 %.20q: %v, %v", c, ok, err)
		}
	}
	f.wantStatus(ann, 5, 0)
	f.redeem(ann, code, true)
	letters := newFlow(t, recovery.Config{Alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", Length: 10})
	code = letters.start(ann)
	if ok, err := letters.Redeem(t.Context(), ann, strings.ToLower(code)); ok || !errors.Is(err, recovery.ErrMalformed) {
		t.Errorf("LO-21 lower case: %v, %v", ok, err)
	}
}

// TestForgiving reads nothing but what people add and mistake when they type as
// something else.
func TestForgiving(t *testing.T) {
	f := newFlow(t, recovery.Config{Alphabet: "0123456789", Length: 6, InsecureShortCodes: true, Forgiving: true})
	code := f.start(ann)
	for _, c := range []string{
		"", " ", "     ", "------", code[:5], code + "0", code[:5] + " ", code + " 0", "+" + code[1:], "1e5   ", "0x" + code[2:],
		"\uff11\uff12\uff13\uff14\uff15\uff16", "\u0661\u0662\u0663\u0664\u0665\u0666", "\uff11\uff12", code[:5] + "\x00", code[:5] + "\xff",
		code[:5] + "O", code[:5] + "l", code + "\u00a0", code + "\u200b", code + "_", code[:3] + "\u2013" + code[3:],
		strings.Repeat("0", 1<<20), strings.Repeat(" ", 1<<20), code + strings.Repeat(" ", 507),
	} {
		if ok, err := f.Redeem(t.Context(), ann, c); ok || !errors.Is(err, recovery.ErrMalformed) {
			t.Errorf("%.20q: %v, %v", c, ok, err)
		}
	}
	f.wantStatus(ann, 5, 0)
	f.redeem(ann, code+strings.Repeat(" ", 506), true)
}

// A code is typed by a person, who need not find the shift key.
func TestLettersOfTheOtherCase(t *testing.T) {
	for alphabet, typed := range map[string]func(string) string{
		"":                           strings.ToLower,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ": strings.ToLower,
		"0123456789abcdefghjkmnpqrs": strings.ToUpper,
		"aBcDeFgHiJkLmNoPqRsTuVwXyZ": strings.ToUpper,
	} {
		f := newFlow(t, recovery.Config{Forgiving: true, Alphabet: alphabet, Length: 10})
		code := f.start(ann)
		f.redeem(ann, typed(code[1:]+code[:1]), false)
		f.wantStatus(ann, 4, 0)
		f.redeem(ann, typed(code), true)
		f.redeem(ann, code, false)
	}
	both := newFlow(t, recovery.Config{Forgiving: true, Alphabet: "aAbBcCdDeEfFgGhHiIjJkKlLmMnN", Length: 10})
	code := both.start(ann)
	other := strings.Map(func(c rune) rune { return c ^ 0x20 }, code)
	both.redeem(ann, other, false) // another code
	both.wantStatus(ann, 4, 0)
	both.redeem(ann, code, true)
	symbols := newFlow(t, recovery.Config{Forgiving: true, Alphabet: "@[]^ABCDEFGHIJKLMNOP", Length: 10})
	for _, c := range []string{"``````````", "{{{{{{{{{{", "ſſſſſſſſſſ", "ſſſſſ", "~~~~~~~~~~"} {
		if ok, err := symbols.Redeem(t.Context(), ann, c); ok || !errors.Is(err, recovery.ErrMalformed) {
			t.Errorf("%s: %v, %v", c, ok, err)
		}
	}
}

// Spaces and dashes are dropped, wherever they are, unless a dash may be part
// of a code.
func TestSpacesAndDashes(t *testing.T) {
	for _, alphabet := range []string{"", "0123456789abcdef", "aAbBcCdDeEfFgGhHiIjJkKlLmMnN"} {
		for _, form := range []string{"%[1]s %[2]s", "%[1]s-%[2]s", " %[1]s - %[2]s-", "\t%[1]s%[2]s\r\n", "- -\n%[1]s --%[2]s"} {
			f := newFlow(t, recovery.Config{Forgiving: true, Alphabet: alphabet, Length: 12})
			code := f.start(ann)
			typed := strings.NewReplacer("%[1]s", code[:5], "%[2]s", code[5:]).Replace(form)
			if ok, err := f.Redeem(t.Context(), ann, typed); !ok || err != nil {
				t.Errorf("%q of %q: %v, %v", typed, alphabet, ok, err)
			}
		}
	}
	f := newFlow(t, recovery.Config{Forgiving: true, Alphabet: "-_", Length: 64})
	code := f.start(ann)
	for _, c := range []string{code + "-", strings.ReplaceAll(code, "-", ""), "-" + code} {
		if ok, err := f.Redeem(t.Context(), ann, c); ok || !errors.Is(err, recovery.ErrMalformed) {
			t.Errorf("%q: %v, %v", c, ok, err)
		}
	}
	f.wantStatus(ann, 5, 0)
	f.redeem(ann, " "+code[:9]+" "+code[9:], true)
}

// In the default alphabet O, I and L are read as the digits that they look like.
// In another one they may be letters, or nothing.
func TestMistakenLetters(t *testing.T) {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // the default
	mistaken := func(zero, one string) func(string) string {
		return strings.NewReplacer("0", zero, "1", one).Replace
	}
	for _, set := range []string{"", alphabet} {
		for _, mistake := range []func(string) string{mistaken("O", "I"), mistaken("o", "i"), mistaken("O", "L"), mistaken("o", "l")} {
			f := newFlow(t, recovery.Config{Forgiving: true, Alphabet: set, Length: 128}) // surely has both
			code := f.start(ann)
			if mistake(code) == code {
				t.Fatal("a code without 0 and 1")
			}
			f.redeem(ann, mistake(code), true)
		}
	}
	for _, other := range []string{"0123456789", "0123456789ABCDEF"} {
		f := newFlow(t, recovery.Config{Forgiving: true, Alphabet: other, Length: 64})
		if ok, err := f.Redeem(t.Context(), ann, mistaken("O", "I")(f.start(ann))); ok || !errors.Is(err, recovery.ErrMalformed) {
			t.Errorf("of %s: %v, %v", other, ok, err)
		}
	}
	all := newFlow(t, recovery.Config{Forgiving: true, Alphabet: alphabet + "OIL", Length: 128})
	code := all.start(ann)
	all.redeem(ann, mistaken("O", "I")(code), false) // another code
	all.redeem(ann, code, true)
	f := newFlow(t, recovery.Config{Forgiving: true})
	f.start(ann)
	if ok, err := f.Redeem(t.Context(), ann, "UUUUUUUU"); ok || !errors.Is(err, recovery.ErrMalformed) {
		t.Errorf("U: %v, %v", ok, err)
	}
}
