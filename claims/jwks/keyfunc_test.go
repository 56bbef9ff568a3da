package jwks_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"golang.org/x/time/rate"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// storage is a jwkset.Storage with some faults.
type storage struct {
	jwkset.Storage
	all, one error
	hang     bool
}

func (s *storage) KeyReadAll(ctx context.Context) ([]jwkset.JWK, error) {
	if s.all != nil {
		return nil, s.all
	}
	return s.Storage.KeyReadAll(ctx)
}

func (s *storage) KeyRead(ctx context.Context, kid string) (jwkset.JWK, error) {
	if s.hang {
		<-ctx.Done()
		return jwkset.JWK{}, ctx.Err()
	}
	if s.one != nil {
		return jwkset.JWK{}, s.one
	}
	return s.Storage.KeyRead(ctx, kid)
}

func newKeyfunc(t *testing.T, s *storage, keys ...any) claims.KeySet {
	t.Helper()
	memory := jwkset.NewMemoryStorage()
	for _, each := range keys {
		m := each.(jwkset.JWKMarshal)
		k, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{Private: true}, jwkset.JWKValidateOptions{SkipAll: true})
		if err == nil {
			err = memory.KeyWrite(t.Context(), k)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Storage = memory
	k, err := keyfunc.New(keyfunc.Options{Storage: s})
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwks.FromKeyfunc(k)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func edMarshal(seed byte, kid string) jwkset.JWKMarshal {
	return jwkset.JWKMarshal{KTY: "OKP", CRV: "Ed25519", KID: kid, X: edJWK(seed, "")["x"].(string)}
}

func TestFromKeyfunc(t *testing.T) {
	if _, err := jwks.FromKeyfunc(nil); err == nil {
		t.Error("nil is a set")
	}
	enc, ops, alg := edMarshal(2, "enc"), edMarshal(3, "ops"), edMarshal(4, "alg")
	enc.USE, ops.KEYOPS, alg.ALG = "enc", []jwkset.KEYOPS{"sign"}, "RS256"
	private := edMarshal(5, "private")
	private.D = b64(ed(5).Seed())
	secret := jwkset.JWKMarshal{KTY: "oct", KID: "secret", K: b64(make([]byte, 32))}
	keys := []any{edMarshal(1, "good"), enc, ops, alg, private, secret}
	t.Run("KY-12 KY-13 KY-14 keys are judged as elsewhere", func(t *testing.T) {
		set := newKeyfunc(t, new(storage), keys...)
		good := offered(t, set, header("good"), 1)
		offered(t, set, header("private"), 1)
		for _, kid := range []string{"enc", "ops", "alg", "unknown"} {
			offered(t, set, header(kid), 0)
		}
		offered(t, set, claims.Header{Algorithm: "RS256", KeyID: "good"}, 0)
		offered(t, set, claims.Header{Algorithm: "HS256", KeyID: "secret"}, 0)
		offered(t, set, claims.Header{Algorithm: "HS256"}, 0)
		if all := offered(t, set, header(""), 2); all[0] != good[0] {
			t.Error("an unchanged key is another object")
		}
	})
	t.Run("KY-11 KY-27 duplicate kids", func(t *testing.T) {
		offered(t, newKeyfunc(t, new(storage), edMarshal(1, "k"), edMarshal(2, "l")), header("k"), 1)
	})
	t.Run("KY-05 a storage that fails", func(t *testing.T) {
		set := newKeyfunc(t, &storage{one: errDown}, keys...)
		offered(t, set, header("good"), 1)
		unavailable(t, set, header("unknown"))
		unavailable(t, newKeyfunc(t, &storage{all: errDown}), header("good"))
	})
	t.Run("KY-02 an unknown kid waits a second at most, a known one not", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			set := newKeyfunc(t, &storage{hang: true}, keys...)
			began := time.Now()
			go set.Keys(t.Context(), header("other"))
			synctest.Wait()
			offered(t, set, header("good"), 1)
			if time.Since(began) != 0 {
				t.Error("a known kid waited")
			}
			_, err := set.Keys(t.Context(), header("unknown"))
			if !errors.Is(err, jwks.ErrUnavailable) || time.Since(began) != time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		})
	})
	t.Run("too many keys", func(t *testing.T) {
		var many []any
		for i := range 101 {
			many = append(many, edMarshal(byte(i), fmt.Sprint(i)))
		}
		unavailable(t, newKeyfunc(t, new(storage), many...), header("1"))
	})
}

// followKeyfunc is a keyfunc that fetches from server as keyfunc's default
// options do, but for the limiter.
func followKeyfunc(t *testing.T, server *keyServer, limiter *rate.Limiter) claims.KeySet {
	t.Helper()
	const at = "https://id.example/jwks"
	one, err := jwkset.NewStorageFromHTTP(at, jwkset.HTTPClientStorageOptions{
		Client: &http.Client{Transport: server}, Ctx: t.Context(), NoErrorReturnFirstHTTPReq: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := jwkset.NewHTTPClient(jwkset.HTTPClientOptions{
		HTTPURLs: map[string]jwkset.Storage{at: one}, RateLimitWaitMax: time.Minute, RefreshUnknownKID: limiter,
	})
	if err != nil {
		t.Fatal(err)
	}
	k, err := keyfunc.New(keyfunc.Options{Storage: all})
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwks.FromKeyfunc(k)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestKeyfuncGarbage(t *testing.T) {
	const period = 5 * time.Minute
	usual := func() *rate.Limiter { return rate.NewLimiter(rate.Every(period), 1) }
	t.Run("KY-02 unknown kids are looked for once in a period, and never cost a known one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			set := followKeyfunc(t, server, usual())
			offered(t, set, header("gone"), 0)
			for _, kid := range []string{"new", "gone"} {
				unavailable(t, set, header(kid))
				offered(t, set, header("one"), 1)
			}
			if n := len(server.fetches()); n != 2 {
				t.Errorf("%d fetches, want 2", n)
			}
			server.serve(setOf(edJWK(1, "one"), edJWK(2, "new")))
			unavailable(t, set, header("new")) // the price
			time.Sleep(period)
			offered(t, set, header("new"), 1)
		})
	})
	t.Run("a limiter that never lets it look", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			unavailable(t, followKeyfunc(t, newKeyServer(setOf(edJWK(1, "one"))), rate.NewLimiter(1, 0)), header("gone"))
		})
	})
	t.Run("KY-05 a key server that hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			set := followKeyfunc(t, server, usual())
			server.latency = time.Hour
			unavailable(t, set, header("new")) // though the storage says that it is not there
			offered(t, set, header("one"), 1)
		})
	})
	t.Run("KY-05 a caller who leaves", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer(setOf(edJWK(1, "one")))
			set := followKeyfunc(t, server, usual())
			server.latency = time.Hour
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if keys, err := set.Keys(ctx, header("new")); keys != nil || !errors.Is(err, jwks.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, %v", keys, err)
			}
		})
	})
	t.Run("KY-04 down from the start", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := newKeyServer("")
			server.fail(errDown)
			set := followKeyfunc(t, server, usual())
			for range 2 {
				unavailable(t, set, header("one"))
				unavailable(t, set, header(""))
			}
			server.serve(setOf(edJWK(1, "one")))
			time.Sleep(period)
			offered(t, set, header("one"), 1)
		})
	})
}
