package claims_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// changingKeys is a key set whose keys come and go, and that fails at times.
type changingKeys struct {
	now atomic.Pointer[keysNow]
}

type keysNow struct {
	keys []*claims.Key
	err  error
}

func (c *changingKeys) Keys(context.Context, claims.Header) ([]*claims.Key, error) {
	now := c.now.Load()
	return now.keys, now.err
}

// history is everything that a random history is made of.
type history struct {
	random *mathrand.Rand
	keys   []*claims.Key
	set    *changingKeys
	tokens []string
	now    time.Time
	plain  *claims.Verifier[struct{}]
	memory *claims.Verifier[struct{}]
}

func newHistory(t *testing.T, seed uint64, remember int) *history {
	t.Helper()
	h := &history{random: mathrand.New(mathrand.NewPCG(seed, 1)), set: new(changingKeys), now: time.Unix(1_800_000_000, 0)}
	for i := range 4 {
		// The same keys each time: of random signatures one in 16,384 ends in AAA.
		private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i)}, ed25519.SeedSize))
		id := []string{"a", "b", "", ""}[i]
		key, err := claims.NewKey("EdDSA", id, private.Public())
		if err != nil {
			t.Fatal(err)
		}
		h.keys = append(h.keys, key)
		for n := range 12 {
			c := claims.Claims[struct{}]{Use: claims.Access, Issuer: "iss", Audience: []string{"api"}, Subject: fmt.Sprint(i, n),
				Expiry: h.now.Add(time.Duration(n*n) * time.Minute)}
			if n%4 == 3 {
				c.NotBefore = h.now.Add(time.Duration(n) * time.Minute)
			}
			token := signed(t, encode(t, claims.Dialect{}, claims.Header{Algorithm: "EdDSA", KeyID: id}, c), private)
			h.tokens = append(h.tokens, token, token[:len(token)-3]+"AAA")
		}
	}
	h.set.now.Store(&keysNow{keys: h.keys})
	for v, n := range map[**claims.Verifier[struct{}]]int{&h.plain: -1, &h.memory: remember} {
		made, err := claims.NewVerifier[struct{}](claims.Config{Issuer: "iss", Audience: []string{"api"}, Keys: h.set, Remember: n})
		if err != nil {
			t.Fatal(err)
		}
		*v = made
	}
	return h
}

// step changes the keys or the time, and then presents a token to both.
func (h *history) step(t *testing.T) {
	t.Helper()
	switch h.random.IntN(12) {
	case 0: // some keys are withdrawn, others come back, in another order
		var some []*claims.Key
		for _, i := range h.random.Perm(len(h.keys)) {
			if h.random.IntN(3) > 0 {
				some = append(some, h.keys[i])
			}
		}
		h.set.now.Store(&keysNow{keys: some})
	case 1:
		h.set.now.Store(&keysNow{err: errors.New("out of reach")})
	case 2: // the clock moves on, or jumps either way
		h.now = h.now.Add(time.Duration(h.random.IntN(240)-90) * time.Minute)
	}
	token := h.tokens[h.random.IntN(len(h.tokens))]
	want, wantErr := h.plain.VerifyAt(t.Context(), token, h.now)
	got, gotErr := h.memory.VerifyAt(t.Context(), token, h.now)
	if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) || !reflect.DeepEqual(got, want) {
		t.Fatalf("with memory %+v, %v\nwithout     %+v, %v", got, gotErr, want, wantErr)
	}
}

// TestMemoryIsInvisible holds a verifier that remembers against one that does
// not, over random histories of key changes, outages, clock jumps and eviction.
func TestMemoryIsInvisible(t *testing.T) {
	for _, remember := range []int{1, 16, 1000} {
		t.Run(fmt.Sprint(remember), func(t *testing.T) {
			for seed := range uint64(6) {
				h := newHistory(t, seed, remember)
				for range 250 {
					h.step(t)
				}
			}
		})
	}
}

// TestMemorySparesSignatures shows that it is used at all: a key set that offers
// another key under the same header makes no difference, and a withdrawn key
// does at once.
func TestMemorySparesSignatures(t *testing.T) {
	h := newHistory(t, 1, 1000)
	if _, err := h.memory.VerifyAt(t.Context(), h.tokens[20], h.now); err != nil {
		t.Fatal(err)
	}
	if n := h.memory.Remembered(); n != 1 {
		t.Errorf("%d tokens remembered, want 1", n)
	}
	if _, err := h.memory.VerifyAt(t.Context(), h.tokens[21], h.now); !errors.Is(err, claims.ErrInvalid) {
		t.Errorf("forged token: %v", err)
	}
	if n := h.memory.Remembered(); n != 1 {
		t.Errorf("%d tokens remembered after a forged one, want 1", n)
	}
	h.set.now.Store(&keysNow{keys: h.keys[1:]})
	if _, err := h.memory.VerifyAt(t.Context(), h.tokens[20], h.now); !errors.Is(err, claims.ErrInvalid) {
		t.Errorf("after its key was withdrawn: %v", err)
	}
	// The same key in another object: the token is remembered anew, and once.
	h.set.now.Store(&keysNow{keys: []*claims.Key{claims.Counting(h.keys[0], new(int))}})
	if _, err := h.memory.VerifyAt(t.Context(), h.tokens[20], h.now); err != nil {
		t.Errorf("after its key came back: %v", err)
	}
	if n := h.memory.Remembered(); n != 1 {
		t.Errorf("%d tokens remembered after its key came back, want 1", n)
	}
}

// TestMemoryIsBounded presents more and longer tokens than may be remembered.
func TestMemoryIsBounded(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := claims.NewKey("EdDSA", "", public)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := claims.NewKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	v, err := claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss", Audience: []string{"api"}, Keys: keys, Remember: 16})
	if err != nil {
		t.Fatal(err)
	}
	var waiting sync.WaitGroup
	for worker := range 4 {
		waiting.Go(func() {
			for i := range 100 {
				c := claims.Claims[map[string]any]{Use: claims.Access, Issuer: "iss", Audience: []string{"api"}, Subject: fmt.Sprint(worker, i),
					Expiry: time.Now().Add(time.Hour), App: map[string]any{"long": strings.Repeat("x", i*80)}}
				token := signed(t, encode(t, claims.Dialect{}, claims.Header{Algorithm: "EdDSA"}, c), private)
				for range 2 {
					if got, err := v.Verify(t.Context(), token); err != nil || got.Subject != c.Subject {
						t.Errorf("%v, %v", got, err)
					}
				}
			}
		})
	}
	waiting.Wait()
	if n, bytes := v.Remembered(), v.RememberedBytes(); n > 16 || bytes > 16*2048+int64(n)*400 || n == 0 {
		t.Errorf("%d tokens of %d bytes remembered", n, bytes)
	}
}

// TestMemoryForgetsTheExpired fills a memory with tokens, to its bound of places
// or of bytes, and finds room for others when those have expired.
func TestMemoryForgetsTheExpired(t *testing.T) {
	for _, long := range []int{500, 4000} {
		v := must(claims.NewVerifier[map[string]any](claims.Config{Issuer: "iss1", Audience: []string{"api"}, Keys: setOf(keyOf("HS256", "")), Remember: 256}))
		fill := func(n int, name string, now time.Time) {
			for i := range n {
				token := tokenOf("HS256", fmt.Sprintf(`{"iss":"iss1","sub":"%s%d","aud":"api","exp":%d,"long":"%s"}`, name, i, now.Add(time.Minute).Unix(), strings.Repeat("x", long)))
				if _, err := v.VerifyAt(t.Context(), token, now); err != nil {
					t.Fatal(err)
				}
			}
		}
		fill(1500, "old", moment)
		before := v.Remembered()
		fill(600, "new", moment.Add(24*time.Hour))
		subjects := v.RememberedSubjects()
		if len(subjects) < before*9/10 || slices.ContainsFunc(subjects, func(s string) bool { return s[:3] == "old" }) {
			t.Errorf("%d remembered, before %d: %v", len(subjects), before, subjects)
		}
		if bytes := v.RememberedBytes(); bytes > 256*2048+int64(len(subjects))*400 {
			t.Errorf("%d bytes of tokens are remembered", bytes)
		}
	}
}

// TestCallersCanNotChangeTheVerifier writes into what a token said.
func TestCallersCanNotChangeTheVerifier(t *testing.T) {
	h := newHistory(t, 1, -1)
	got, err := h.plain.VerifyAt(t.Context(), h.tokens[20], h.now)
	if err != nil {
		t.Fatal(err)
	}
	got.Audience[0] = "another"
	if _, err := h.plain.VerifyAt(t.Context(), h.tokens[20], h.now); err != nil {
		t.Errorf("after a caller wrote into its claims: %v", err)
	}
}
