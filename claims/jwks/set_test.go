package jwks_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

func TestRotation(t *testing.T) {
	t.Run("KY-01 a new kid is accepted after one fetch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			set := server.follow(t, jwks.Config{})
			time.Sleep(time.Minute)
			server.serve(setOf(edJWK(1, "one"), edJWK(2, "two")))
			offered(t, set, header("two"), 1)
			if n := len(server.fetches()); n != 2 {
				t.Errorf("%d fetches, want 2", n)
			}
		})
	})
	t.Run("a kid that is published while a fetch is under way is accepted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			server.latency = 2 * time.Second
			set := server.follow(t, jwks.Config{})
			time.Sleep(time.Minute)
			go set.Keys(t.Context(), header("garbage"))
			time.Sleep(1500 * time.Millisecond) // the answer is on its way, without "two"
			server.serve(setOf(edJWK(2, "two")))
			offered(t, set, header("two"), 1)
		})
	})
	t.Run("KY-03 garbage every 5 minutes does not delay a rotation", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			set := server.follow(t, jwks.Config{})
			for i := range 5 {
				time.Sleep(5 * time.Minute)
				offered(t, set, header(fmt.Sprint("garbage", i)), 0)
				kid := fmt.Sprint("new", i)
				server.serve(setOf(edJWK(byte(i), kid)))
				began := time.Now()
				offered(t, set, header(kid), 1)
				if took := time.Since(began); took > time.Second {
					t.Errorf("accepted after %v, want at most MinInterval", took)
				}
			}
		})
	})
	t.Run("KY-03 a kid that was asked for before it was published", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			set := server.follow(t, jwks.Config{})
			time.Sleep(time.Minute)
			offered(t, set, header("two"), 0)
			server.serve(setOf(edJWK(2, "two")))
			for range 5 {
				time.Sleep(time.Second)
				offered(t, set, header("two"), 0) // does not prolong it
			}
			time.Sleep(5 * time.Second)
			offered(t, set, header("two"), 1)
			if n := len(server.fetches()); n != 3 {
				t.Errorf("%d fetches, want 3", n)
			}
		})
	})
	t.Run("KY-07 a removed key is gone after the refresh interval, the others stay the same", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one"), edJWK(2, "two")))
			set := server.follow(t, jwks.Config{Refresh: 10 * time.Minute})
			before := offered(t, set, header("two"), 1)
			server.serve(setOf(edJWK(2, "two")))
			offered(t, set, header("one"), 1)
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			offered(t, set, header("one"), 0)
			if after := offered(t, set, header("two"), 1); after[0] != before[0] {
				t.Error("an unchanged key is another object")
			}
		})
	})
	t.Run("KY-27 another key under the same kid replaces it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			set := server.follow(t, jwks.Config{})
			before := offered(t, set, header("one"), 1)
			server.serve(setOf(edJWK(2, "one")))
			time.Sleep(15 * time.Minute)
			synctest.Wait()
			if after := offered(t, set, header("one"), 1); after[0] == before[0] {
				t.Error("the old key is still offered")
			}
		})
	})
}

func TestGarbage(t *testing.T) {
	const garbage = 10_000
	t.Run("KY-02 10,000 random kids in a second", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			server.latency = 50 * time.Millisecond
			set := server.follow(t, jwks.Config{})
			time.Sleep(time.Minute)
			var flood sync.WaitGroup
			began := time.Now()
			for i := range garbage {
				flood.Go(func() {
					time.Sleep(time.Duration(i) * time.Second / garbage)
					asked := time.Now()
					keys, err := set.Keys(t.Context(), header(fmt.Sprint("garbage", i)))
					if len(keys) > 0 || err != nil && !errors.Is(err, jwks.ErrUnavailable) {
						t.Errorf("garbage %d: %v, %v", i, keys, err)
					}
					// MinInterval, and the fetches at both ends of it.
					if took := time.Since(asked); took > 1100*time.Millisecond {
						t.Errorf("garbage %d waited %v", i, took)
					}
				})
			}
			for range 100 { // a known kid never waits, during all of it
				asked := time.Now()
				offered(t, set, header("one"), 1)
				offered(t, set, header(""), 1)
				if took := time.Since(asked); took != 0 {
					t.Errorf("a known kid waited %v", took)
				}
				time.Sleep(10 * time.Millisecond)
			}
			flood.Wait()
			fetches := server.fetches()[1:]
			for i := 1; i < len(fetches); i++ {
				if gap := fetches[i].Sub(fetches[i-1]); gap < time.Second {
					t.Errorf("two fetches within %v", gap)
				}
			}
			if n, most := len(fetches), int(time.Since(began)/time.Second)+1; n > most {
				t.Errorf("%d fetches, want at most %d", n, most)
			}
			// Right after it, a real rotation is accepted within one fetch.
			server.serve(setOf(edJWK(2, "two")))
			offered(t, set, header("two"), 1)
			if n := len(server.fetches()) - 1 - len(fetches); n != 1 {
				t.Errorf("%d fetches for the new kid, want 1", n)
			}
		})
	})
	t.Run("only so many wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			server.latency = time.Second
			set := server.follow(t, jwks.Config{})
			before := runtime.NumGoroutine()
			var flood sync.WaitGroup
			for i := range garbage {
				flood.Go(func() { set.Keys(t.Context(), header(fmt.Sprint("garbage", i))) })
			}
			synctest.Wait()
			if n := runtime.NumGoroutine() - before; n > 1100 {
				t.Errorf("%d goroutines", n)
			}
			unavailable(t, set, header("another"))
			offered(t, set, header("one"), 1)
			flood.Wait()
		})
	})
	t.Run("a refresh that is due meanwhile waits in peace", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { // whose time would stand still if it did not
			server := newKeyServer(setOf(edJWK(1, "one")))
			set := server.follow(t, jwks.Config{Refresh: time.Minute, Timeout: 10 * time.Second})
			server.latency = 8 * time.Second
			time.Sleep(53 * time.Second)
			var flood sync.WaitGroup
			for i := range garbage {
				flood.Go(func() { set.Keys(t.Context(), header(fmt.Sprint("garbage", i))) })
			}
			flood.Wait()
			offered(t, set, header("one"), 1)
		})
	})
	t.Run("a refused kid is asked about once in ten seconds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			set := server.follow(t, jwks.Config{})
			began := time.Now()
			for time.Since(began) < time.Minute {
				offered(t, set, header("retired"), 0)
				time.Sleep(100 * time.Millisecond)
			}
			if n := len(server.fetches()); n > 7 {
				t.Errorf("%d fetches in a minute, want at most 7", n)
			}
		})
	})
	t.Run("no kid, a foreign algorithm, a kid too long: no fetch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			set := server.follow(t, jwks.Config{Algorithms: []string{"EdDSA"}})
			for _, h := range []claims.Header{{Algorithm: "RS256"}, {Algorithm: "RS256", KeyID: "x"}, {Algorithm: "HS256", KeyID: "x"},
				{Algorithm: "none", KeyID: "x"}, header(string(make([]byte, 257)))} {
				offered(t, set, h, 0)
			}
			if n := len(server.fetches()); n != 1 {
				t.Errorf("%d fetches, want 1", n)
			}
		})
	})
}

func TestStartEmpty(t *testing.T) {
	start := func(t *testing.T) (*keyServer, *jwks.Set) {
		server := newKeyServer(setOf(edJWK(1, "one")))
		server.latency = 2 * time.Second
		return server, server.follow(t, jwks.Config{StartEmpty: true})
	}
	t.Run("requests wait for the first fetch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server, set := start(t)
			began := time.Now()
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() { offered(t, set, header("one"), 1) })
				all.Go(func() { offered(t, set, header(""), 1) })
			}
			synctest.Wait()
			if err := set.Ready(t.Context()); !errors.Is(err, jwks.ErrUnavailable) || time.Since(began) != 0 {
				t.Errorf("Ready: %v", err)
			}
			all.Wait()
			if n, took := len(server.fetches()), time.Since(began); n != 1 || took != 2*time.Second {
				t.Errorf("%d fetches, %v", n, took)
			}
		})
	})
	t.Run("as long as their context, and 1024 at most", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, set := start(t)
			ctx, cancel := context.WithCancel(t.Context())
			var all sync.WaitGroup
			for range 1024 {
				all.Go(func() {
					if _, err := set.Keys(ctx, header("one")); !errors.Is(err, jwks.ErrUnavailable) || !errors.Is(err, context.Canceled) {
						t.Errorf("got %v", err)
					}
				})
			}
			synctest.Wait()
			began := time.Now()
			unavailable(t, set, header("one")) // one too many
			cancel()
			all.Wait()
			if took := time.Since(began); took != 0 {
				t.Errorf("%v", took)
			}
			offered(t, set, header("one"), 1)
		})
	})
	t.Run("KY-04 and not for another one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server, set := start(t)
			server.fail(errDown)
			began := time.Now()
			unavailable(t, set, header("one"))
			for range 100 {
				unavailable(t, set, header("one"))
			}
			if took := time.Since(began); took != 2*time.Second {
				t.Errorf("%v", took)
			}
		})
	})
}

func TestOutage(t *testing.T) {
	t.Run("KY-04 at the start", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer("")
			server.fail(errDown)
			if _, err := jwks.New(server.config(jwks.Config{})); !errors.Is(err, jwks.ErrUnavailable) || !errors.Is(err, errDown) {
				t.Errorf("got %v", err)
			}
		})
	})
	t.Run("KY-04 at the start, hanging", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer("")
			server.latency = time.Hour
			began := time.Now()
			_, err := jwks.New(server.config(jwks.Config{Timeout: 3 * time.Second}))
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 3*time.Second {
				t.Errorf("got %v after %v", err, time.Since(began))
			}
		})
	})
	t.Run("KY-04 by choice", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer("")
			server.fail(errDown)
			set := server.follow(t, jwks.Config{StartEmpty: true})
			unavailable(t, set, header("one"))
			if err := set.Ready(t.Context()); !errors.Is(err, jwks.ErrUnavailable) {
				t.Errorf("Ready: %v", err)
			}
			time.Sleep(10 * time.Minute)
			unavailable(t, set, header("one"))
			if n := len(server.fetches()); n < 10 || n > 40 {
				t.Errorf("%d fetches in 10 minutes, want a growing pause up to 1 minute", n)
			}
			server.serve(setOf(edJWK(1, "one")))
			time.Sleep(time.Minute)
			synctest.Wait()
			offered(t, set, header("one"), 1)
			if err := set.Ready(t.Context()); err != nil {
				t.Errorf("Ready: %v", err)
			}
		})
	})
	t.Run("KY-05 after the start, up to MaxStale", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			set := server.follow(t, jwks.Config{MaxStale: 2 * time.Hour})
			loaded := time.Now()
			key := offered(t, set, header("one"), 1)
			server.fail(errDown)
			time.Sleep(2*time.Hour - time.Minute)
			unavailable(t, set, header("new")) // nobody knows, so it is not refused
			time.Sleep(time.Until(loaded.Add(2 * time.Hour)))
			offered(t, set, header("one"), 1)
			if s := set.Stats(); s.Stale || !errors.Is(s.Err, errDown) || s.Failures < 10 || s.Keys != 1 {
				t.Errorf("%+v", s)
			}
			time.Sleep(time.Nanosecond)
			unavailable(t, set, header("one"))
			unavailable(t, set, header(""))
			if s := set.Stats(); !s.Stale {
				t.Errorf("%+v", s)
			}
			server.serve(setOf(edJWK(1, "one")))
			time.Sleep(time.Minute)
			synctest.Wait()
			if again := offered(t, set, header("one"), 1); again[0] != key[0] {
				t.Error("the key came back as another object")
			}
		})
	})
	for name, doc := range map[string]string{
		"empty": "", "no keys": `{"keys":[]}`, "no member": `{}`, "array": `[]`, "null": `null`, "null keys": `{"keys":null}`,
		"HTML": `<html>Sign in</html>`, "truncated": setOf(edJWK(2, "two"))[:60], "text after": setOf(edJWK(2, "two")) + "x",
		"two documents": setOf(edJWK(2, "two")) + setOf(edJWK(2, "two")), "case": `{"Keys":[` + setOf(edJWK(2, "two"))[9:],
		"keys twice":       `{"keys":[],` + setOf(edJWK(2, "two"))[1:],
		"no usable":        setOf(object{"kty": "oct", "k": "AAAA"}),
		"invalid UTF-8":    `{"x":"` + "\xff" + `",` + setOf(edJWK(2, "two"))[1:],
		"too many":         setOf(make([]any, 101)...),
		"two marks":        "\ufeff\ufeff" + setOf(edJWK(2, "two")),
		"object of keys":   `{"keys":{"a":1}}`,
		"larger than 1 MB": setOf(edJWK(2, "two")) + string(make([]byte, 1<<20)),
	} {
		t.Run("KY-06 "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newKeyServer(setOf(edJWK(1, "one")))
				set := server.follow(t, jwks.Config{})
				server.serve(doc)
				time.Sleep(15 * time.Minute)
				synctest.Wait()
				offered(t, set, header("one"), 1)
				if s := set.Stats(); s.Err == nil || s.Failures == 0 || s.LastFailure.IsZero() {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestCancelledCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newKeyServer(setOf(edJWK(1, "one")))
		server.latency = time.Second
		set := server.follow(t, jwks.Config{})
		time.Sleep(time.Minute)
		server.serve(setOf(edJWK(2, "two")))
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() { // it causes the fetch, and leaves
			if _, err := set.Keys(ctx, header("two")); !errors.Is(err, context.Canceled) || !errors.Is(err, jwks.ErrUnavailable) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		for range 100 {
			callers.Go(func() { offered(t, set, header("two"), 1) })
		}
		synctest.Wait()
		cancel()
		callers.Wait()
		if n := len(server.fetches()); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
	})
}

func TestClose(t *testing.T) {
	for name, c := range map[string]jwks.Config{"KY-28": {}, "KY-28 on demand": {OnDemand: true}, "KY-28 empty": {StartEmpty: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // which fails if a goroutine stays
				server := newKeyServer(setOf(edJWK(1, "one")))
				set := server.follow(t, c)
				synctest.Wait()
				server.latency = time.Hour
				waiting := make(chan error)
				go func() {
					_, err := set.Keys(t.Context(), header("new"))
					waiting <- err
				}()
				time.Sleep(2 * time.Second)
				began := time.Now()
				set.Close()
				set.Close()
				if err := <-waiting; !errors.Is(err, jwks.ErrUnavailable) {
					t.Errorf("who waited got %v", err)
				}
				if time.Since(began) != 0 {
					t.Error("Close waited for the key server")
				}
				unavailable(t, set, header("one"))
				unavailable(t, set, header("new"))
				if err := set.Ready(t.Context()); !errors.Is(err, jwks.ErrUnavailable) {
					t.Errorf("Ready: %v", err)
				}
			})
		})
	}
}

func TestZero(t *testing.T) {
	var set jwks.Set
	var files jwks.FileSet
	unavailable(t, &set, header("one"))
	unavailable(t, &files, header("one"))
	if !errors.Is(set.Ready(t.Context()), jwks.ErrUnavailable) || !errors.Is(files.Ready(t.Context()), jwks.ErrUnavailable) {
		t.Error("a zero value is ready")
	}
	if !set.Stats().Stale || !files.Stats().Stale {
		t.Error("a zero value is not stale")
	}
	if set.Issuer() != "" {
		t.Error("a zero value has an issuer")
	}
	set.Close()
}

func TestOnDemand(t *testing.T) {
	t.Run("no goroutine, one fetch per interval", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			set, err := jwks.New(server.config(jwks.Config{OnDemand: true, Refresh: 10 * time.Minute}))
			if err != nil {
				t.Fatal(err)
			}
			// It is not closed: the bubble would tell of a goroutine that stays.
			time.Sleep(time.Hour)
			server.serve(setOf(edJWK(2, "two")))
			offered(t, set, header("one"), 0) // long gone: the question waited for the refresh
			for range 100 {
				offered(t, set, header("two"), 1)
			}
			if n := len(server.fetches()); n > 3 {
				t.Errorf("%d fetches", n)
			}
		})
	})
	t.Run("starting empty it loads at the first question", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			set := server.follow(t, jwks.Config{OnDemand: true, StartEmpty: true})
			if n := len(server.fetches()); n != 0 {
				t.Errorf("%d fetches", n)
			}
			offered(t, set, header("one"), 1)
		})
	})
	t.Run("while the key server hangs, only one question per pause waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			set := server.follow(t, jwks.Config{OnDemand: true, MaxStale: time.Hour})
			server.latency = 24 * time.Hour
			time.Sleep(15 * time.Minute)
			offered(t, set, header("one"), 1) // waits for the timeout once
			began := time.Now()
			for range 1000 {
				offered(t, set, header("one"), 1)
				time.Sleep(time.Second)
			}
			if took := time.Since(began); took != 1000*time.Second {
				t.Errorf("known kids waited %v", took-1000*time.Second)
			}
		})
	})
}

func TestCacheControl(t *testing.T) {
	for _, row := range []struct {
		control, age string
		want         time.Duration
	}{
		{"", "", 15 * time.Minute},
		{"public, max-age=300", "", 5 * time.Minute},
		{"Max-Age=\"300\"", "", 5 * time.Minute},
		{"max-age=300", "120", 3 * time.Minute},
		{"max-age=300", "9999", time.Minute},
		{"max-age=0, no-store", "", time.Minute},
		{"max-age=86400", "", 15 * time.Minute},
		{"max-age=-1", "", 15 * time.Minute},
		{"max-age=99999999999999999999", "", 15 * time.Minute},
		{"s-maxage=60, no-cache", "", 15 * time.Minute},
	} {
		t.Run(row.control+" "+row.age, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newKeyServer(setOf(edJWK(1, "one")))
				server.header = http.Header{"Cache-Control": {row.control}, "Age": {row.age}}
				server.follow(t, jwks.Config{})
				time.Sleep(row.want*9/10 - time.Nanosecond)
				if n := len(server.fetches()); n != 1 {
					t.Errorf("%d fetches before %v", n, row.want)
				}
				time.Sleep(row.want/10 + time.Nanosecond)
				synctest.Wait()
				if n := len(server.fetches()); n != 2 {
					t.Errorf("%d fetches after %v, want 2", n, row.want)
				}
			})
		})
	}
}

// Every answer is a whole old or a whole new set.
func TestSwap(t *testing.T) {
	t.Run("KY-23", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			old, next := setOf(edJWK(1, "a"), edJWK(2, "a2")), setOf(edJWK(3, "b"), edJWK(4, "b2"))
			server := newKeyServer(old)
			set := server.follow(t, jwks.Config{Refresh: time.Second, MinInterval: 100 * time.Millisecond})
			done := make(chan struct{})
			var readers sync.WaitGroup
			for range 100 {
				readers.Go(func() {
					for {
						select {
						case <-done:
							return
						case <-time.After(900 * time.Millisecond):
						}
						keys, err := set.Keys(t.Context(), header(""))
						if err != nil || len(keys) != 2 || keys[0].ID()+"2" != keys[1].ID() {
							t.Errorf("got %v, %v", keys, err)
						}
					}
				})
			}
			for i := range 1000 {
				time.Sleep(time.Second)
				if i%2 == 0 {
					server.serve(next)
				} else {
					server.serve(old)
				}
			}
			close(done)
			readers.Wait()
		})
	})
}

func BenchmarkKeys(b *testing.B) {
	set := newKeyServer(setOf(edJWK(1, "one"), edJWK(2, "two"))).follow(b, jwks.Config{})
	ctx := context.Background()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if keys, err := set.Keys(ctx, header("two")); err != nil || len(keys) != 1 {
				b.Error(keys, err)
			}
		}
	})
}
