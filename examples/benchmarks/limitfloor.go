package main

import (
	"hash/maphash"
	"math/bits"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// openTable is the floor of limiters: integer GCRA in an open table of 16-byte
// digests. It only finds and counts: of one size, under one lock, with no
// bound, no expiry, no growth.
type openTable struct {
	interval, tolerance int64 // nanoseconds
	seeds               [2]maphash.Seed
	base                time.Time
	mu                  sync.Mutex
	slots               []struct {
		hi, lo uint64
		full   int64 // when the debt will have melted
	}
}

func newOpenTable(keys, burst int, window time.Duration) *openTable {
	t := &openTable{base: time.Now(), interval: max(1, int64(window)/int64(burst)), tolerance: int64(window)}
	t.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	t.slots = make([]struct {
		hi, lo uint64
		full   int64
	}, 1<<bits.Len(uint(keys)*5/4))
	return t
}

// allow takes one token and returns the debt that then stands.
func (t *openTable) allow(key string) (debt int64, ok bool) {
	hi, lo := maphash.String(t.seeds[0], key), maphash.String(t.seeds[1], key)
	mask := uint64(len(t.slots) - 1)
	t.mu.Lock()
	now := int64(time.Since(t.base))
	i := hi & mask
	for t.slots[i].full != 0 && (t.slots[i].hi != hi || t.slots[i].lo != lo) {
		i = (i + 1) & mask
	}
	s := &t.slots[i]
	debt = max(0, s.full-now)
	if debt+t.interval > t.tolerance {
		t.mu.Unlock()
		return debt, false
	}
	debt += t.interval
	s.hi, s.lo, s.full = hi, lo, now+debt
	t.mu.Unlock()
	return debt, true
}

var (
	problemType = []string{"application/problem+json"}
	tooMany     = []byte(`{"title":"Too Many Requests","status":429}`)
)

// handler is the least that a limit with the draft's headers and Retry-After
// can be.
func (t *openTable) handler(next http.Handler) http.Handler {
	policy := []string{`"p";q=` + strconv.FormatInt(t.tolerance/t.interval, 10) + `;w=` + strconv.FormatInt(t.tolerance/1e9, 10)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		debt, ok := t.allow(host)
		h := w.Header()
		h["Ratelimit-Policy"] = policy
		var buf [64]byte
		b := append(buf[:0], `"p";r=`...)
		b = strconv.AppendInt(b, (t.tolerance-debt)/t.interval, 10)
		b = append(b, `;t=`...)
		b = strconv.AppendInt(b, (debt+1e9-1)/1e9, 10)
		h["Ratelimit"] = []string{string(b)}
		if !ok {
			h["Retry-After"] = []string{strconv.FormatInt((debt+t.interval-t.tolerance+1e9-1)/1e9, 10)}
			h["Content-Type"] = problemType
			w.WriteHeader(http.StatusTooManyRequests)
			w.Write(tooMany)
			return
		}
		next.ServeHTTP(w, r)
	})
}
