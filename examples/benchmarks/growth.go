package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// growth are the contests of gatehouse with itself: what becomes of the cost
// when there is more of something.
func growth() []contest {
	keys := contest{id: "growth/keys", title: "How cost grows: keys in the set (EdDSA)", per: "token",
		note: "The token names the last of the keys; *without kid* it names none, and the last one has signed."}
	for _, n := range []int{1, 3, 16, 1000} {
		keys.contenders = append(keys.contenders, contender{name: plural(n, "key") + ", first sight", kind: ours, setup: manyKeys(n, -1, true)})
	}
	keys.contenders = append(keys.contenders, contender{name: "16 keys without kid, first sight", kind: ours, setup: manyKeys(16, -1, false)})
	for _, n := range []int{1, 3, 16, 1000} {
		keys.contenders = append(keys.contenders, contender{name: plural(n, "key") + ", again", kind: ours, setup: manyKeys(n, 0, true)})
	}
	keys.contenders = append(keys.contenders, contender{name: "16 keys without kid, again", kind: ours, setup: manyKeys(16, 0, false)})

	first := contest{id: "growth/size-first", title: "How cost grows: size of the token, at first sight (EdDSA)", per: "token",
		note: "A member of the application's is longer. The signature check itself grows too: it hashes twice."}
	again := contest{id: "growth/size-again", title: "How cost grows: size of the token, seen again", per: "token"}
	for _, n := range []int{512, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10} {
		name := fmt.Sprintf("%g KiB", float64(n)/1024)
		first.contenders = append(first.contenders,
			contender{name: name + ", the signature check alone", kind: floor, setup: sizedVerify(n)},
			contender{name: name, kind: ours, setup: sized(n, -1)})
		again.contenders = append(again.contenders, contender{name: name, kind: ours, setup: sized(n, 0)})
	}

	alive := contest{id: "growth/tokens", title: "How cost grows: tokens alive, all remembered, in turn (HS256)", per: "token",
		note: "`Remember` is four times as many; kept is everything that a token leaves behind."}
	for _, n := range []int{1, 100, 10_000, 100_000, 1_000_000} {
		alive.contenders = append(alive.contenders, contender{name: plural(n, "token"), kind: ours, setup: aliveTokens(n), long: n > 100_000})
	}

	sessions := contest{id: "growth/sessions", title: "How cost grows: sessions in the memory store (HS256)", per: "refresh",
		note: "A thousand of them, or all if there are fewer, are refreshed in turn."}
	for _, n := range []int{1, 1000, 100_000, 1_000_000} {
		sessions.contenders = append(sessions.contenders, contender{name: plural(n, "session"), kind: ours, setup: manySessions(n), long: n > 100_000})
	}

	goroutines := contest{id: "growth/goroutines", title: "How cost grows: goroutines", per: "operation",
		note: "All of them with the same token, or the same key of a limit."}
	for _, n := range []int{1, 2, 8, 64} {
		goroutines.contenders = append(goroutines.contenders, contender{name: "the same token again, " + plural(n, "goroutine"), kind: ours, setup: manyGoroutines(n)})
	}
	for _, n := range []int{1, 2, 8, 64} {
		goroutines.contenders = append(goroutines.contenders, contender{name: "a limiter's decision, " + plural(n, "goroutine"), kind: ours, setup: decides(gatehouseDecider, 1, n)})
	}

	parties := contest{id: "growth/parties", title: "How cost grows: parties that a guard admits",
		note: "The caller's is the last; the token is remembered."}
	for _, n := range []int{0, 1, 10, 100} {
		parties.contenders = append(parties.contenders, contender{name: plural(n, "part"), kind: ours, setup: manyParties(n)})
	}
	limits := contest{id: "growth/limits", title: "How cost grows: limits on one route", per: "decision"}
	for _, n := range []int{1, 2, 4, 8} {
		limits.contenders = append(limits.contenders, contender{name: plural(n, "limit"), kind: ours, setup: manyLimits(n)})
	}
	return []contest{keys, first, again, alive, sessions, goroutines, parties, limits, collector()}
}

func plural(n int, what string) string {
	number := strconv.Itoa(n)
	if n >= 1000 {
		number = number[:len(number)-3] + "," + number[len(number)-3:]
	}
	if n >= 1_000_000 {
		number = "1,000,000"
	}
	switch {
	case what == "part" && n == 1:
		return number + " party"
	case what == "part":
		return number + " parties"
	case n == 1:
		return number + " " + what
	}
	return number + " " + what + "s"
}

// verifying verifies tokens in turn, all of which were seen once.
func verifying(v *claims.Verifier[app], tokens ...string) (op, error) {
	for _, token := range tokens {
		if _, err := v.Verify(context.Background(), token); err != nil {
			return nil, err
		}
	}
	next := 0
	return func(n int) error {
		for range n {
			if _, err := v.Verify(context.Background(), tokens[next]); err != nil {
				return err
			}
			if next++; next == len(tokens) {
				next = 0
			}
		}
		return nil
	}, nil
}

func manyKeys(n, remember int, named bool) func(*world) (op, error) {
	return func(w *world) (op, error) {
		var keys []*claims.Key
		var last pair
		kid := ""
		for i := range n {
			var err error
			if last, err = w.pair("EdDSA", i); err != nil {
				return nil, err
			}
			if named {
				kid = "k" + strconv.Itoa(i)
			}
			key, err := claims.NewKey("EdDSA", kid, last.public)
			if err != nil {
				return nil, err
			}
			keys = append(keys, key)
		}
		set, err := claims.NewKeySet(keys...)
		if err != nil {
			return nil, err
		}
		v, err := verifierOf(set, remember)
		if err != nil {
			return nil, err
		}
		token, err := last.sign(kid, 0, nil)
		if err != nil {
			return nil, err
		}
		return verifying(v, token)
	}
}

// sizedToken is a token of about n bytes, not more.
func sizedToken(w *world, n int) (string, error) {
	p, err := w.pair("EdDSA", 0)
	if err != nil {
		return "", err
	}
	short, err := p.sign("k", 0, jwt.MapClaims{"filler": ""})
	if err != nil {
		return "", err
	}
	return p.sign("k", 0, jwt.MapClaims{"filler": strings.Repeat("x", (n-len(short))*3/4-2)})
}

func sized(n, remember int) func(*world) (op, error) {
	return func(w *world) (op, error) {
		token, err := sizedToken(w, n)
		if err != nil {
			return nil, err
		}
		v, err := w.verifier("EdDSA", remember)
		if err != nil {
			return nil, err
		}
		return verifying(v, token)
	}
}

func sizedVerify(n int) func(*world) (op, error) {
	return func(w *world) (op, error) {
		token, err := sizedToken(w, n)
		if err != nil {
			return nil, err
		}
		return bareVerifyToken(w, "EdDSA", 0, token)
	}
}

func aliveTokens(n int) func(*world) (op, error) {
	return func(w *world) (op, error) {
		tokens, err := w.tokens("HS256", n)
		if err != nil {
			return nil, err
		}
		if n >= 10_000 {
			w.weigh(n)
		}
		v, err := w.verifier("HS256", max(64, 4*n))
		if err != nil {
			return nil, err
		}
		return verifying(v, tokens...)
	}
}

func manySessions(n int) func(*world) (op, error) {
	return func(w *world) (op, error) {
		w.weigh(n)
		if n < 10_000 {
			w.weigh(0)
		}
		tokens, err := w.issuer("HS256", false)
		if err != nil {
			return nil, err
		}
		var refresh []string
		for i := range n {
			c := alice
			c.Subject = "subject " + strconv.Itoa(i)
			pair, err := tokens.Issue(context.Background(), c)
			if err != nil {
				return nil, err
			}
			if i%max(1, n/1000) == 0 {
				refresh = append(refresh, pair.RefreshToken)
			}
		}
		next := 0
		return func(times int) error {
			for range times {
				pair, err := tokens.Refresh(context.Background(), refresh[next])
				if err != nil {
					return err
				}
				refresh[next] = pair.RefreshToken
				if next++; next == len(refresh) {
					next = 0
				}
			}
			return nil
		}, nil
	}
}

func manyGoroutines(n int) func(*world) (op, error) {
	return func(w *world) (op, error) {
		v, err := w.verifier("RS256", 0)
		if err != nil {
			return nil, err
		}
		tokens, err := w.tokens("RS256", 1)
		if err != nil {
			return nil, err
		}
		return together(n, func(_, times int) error {
			for range times {
				if _, err := v.Verify(context.Background(), tokens[0]); err != nil {
					return err
				}
			}
			return nil
		}), nil
	}
}

func manyParties(n int) func(*world) (op, error) {
	return func(w *world) (op, error) {
		v, err := w.verifier("RS256", 0)
		if err != nil {
			return nil, err
		}
		g := middleware.New(v, middleware.Config{})
		if n > 0 {
			var parties []claims.Party
			for i := range n - 1 {
				parties = append(parties, claims.Party("Party "+strconv.Itoa(i)))
			}
			parties = append(parties, "Admin")
			g = g.Only(parties[0], parties[1:]...)
		}
		tokens, err := w.tokens("RS256", 1)
		if err != nil {
			return nil, err
		}
		return inTurn(g.Handler(nothing), tokens)
	}
}

func manyLimits(n int) func(*world) (op, error) {
	return func(*world) (op, error) {
		store := ratelimit.NewMemoryStore(0)
		var all []*ratelimit.Limiter
		for i := range n {
			l, err := ratelimit.New(ratelimit.Config{Name: "p" + strconv.Itoa(i), Limit: ratelimit.Per(burstFor(1), every), Store: store})
			if err != nil {
				return nil, err
			}
			all = append(all, l)
		}
		l := all[0]
		if n > 1 {
			var err error
			if l, err = ratelimit.All(all...); err != nil {
				return nil, err
			}
		}
		return func(times int) error {
			for range times {
				if d, err := l.Allow(context.Background(), "10.0.0.1"); err != nil || !d.Allowed {
					return fmt.Errorf("refused: %w", err)
				}
			}
			return nil
		}, nil
	}
}

// collector is what the garbage collector has to do with remembered tokens.
func collector() contest {
	c := contest{id: "growth/collector", title: "What remembered tokens cost the garbage collector", per: "cycle",
		note: "CPU time of one whole cycle, forced. A cycle comes when the heap has doubled, not with every request."}
	for _, n := range []int{0, 10_000, 100_000} {
		c.contenders = append(c.contenders, contender{name: plural(n, "token") + " remembered", kind: ours, setup: func(w *world) (op, error) {
			v, err := w.verifier("HS256", max(8, 4*n))
			if err != nil {
				return nil, err
			}
			if n > 0 {
				w.weigh(n)
				tokens, err := w.tokens("HS256", n)
				if err != nil {
					return nil, err
				}
				if _, err := verifying(v, tokens...); err != nil {
					return nil, err
				}
			}
			return func(times int) error {
				for range times {
					runtime.GC()
				}
				runtime.KeepAlive(v)
				return nil
			}, nil
		}})
	}
	return c
}
