package issuer_test

import (
	"context"
	"crypto/rand"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
)

func TestMemoryStore(t *testing.T) {
	issuertest.RunInBubble(t, func(testing.TB) issuer.Store { return issuer.NewMemoryStore() })
}

// TestMemoryStoreForgets fills a store with sessions that expire, and sees the
// memory come back while others are written.
func TestMemoryStoreForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := issuer.NewMemoryStore()
		write := func(n int, data int) {
			for range n {
				r := issuer.Record{Session: rand.Text(), Subject: rand.Text(), Version: 1, Expiry: time.Now().Add(time.Hour), Data: make([]byte, data)}
				if ok, err := s.Swap(context.Background(), r); !ok || err != nil {
					t.Fatal(ok, err)
				}
			}
		}
		before := heapInUse()
		write(2000, 10_000)
		time.Sleep(2 * time.Hour)
		write(1000, 1)
		if grown := int64(heapInUse()) - int64(before); grown > 4<<20 {
			t.Errorf("%d bytes are held for 20 MB of records that have expired", grown)
		}
		runtime.KeepAlive(s)
	})
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
