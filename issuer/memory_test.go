package issuer_test

import (
	"context"
	"crypto/rand"
	"maps"
	mathrand "math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
)

func TestMemoryStore(t *testing.T) {
	issuertest.RunInBubble(t, func(testing.TB) issuer.Store { return issuer.NewMemoryStore() })
}

// TestMemoryStoreTellsIDsApart that differ only in what a fixed room would cut
// off or fill up.
func TestMemoryStoreTellsIDsApart(t *testing.T) {
	s := issuer.NewMemoryStore()
	id := strings.Repeat("x", 31)
	if ok, err := s.Swap(t.Context(), issuer.Record{Session: id, Subject: "alice", Version: 1, Expiry: time.Now().Add(time.Hour)}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for _, other := range []string{"", id[1:], id + "\x00", id + "x", id + "\x00\x00"} {
		if r, _, err := s.Load(t.Context(), other); err != nil || r.Version != 0 {
			t.Errorf("%q: %+v, %v", other, r, err)
		}
	}
	if ok, err := s.Swap(t.Context(), issuer.Record{Session: id + "xx", Subject: "alice", Version: 1, Expiry: time.Now().Add(time.Hour)}); ok || err == nil {
		t.Errorf("an id of 33 bytes: %v, %v", ok, err)
	}
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

// TestListLeak removes the middle of a subject's list and then its end: the first
// must not hold on to either.
func TestListLeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := issuer.NewMemoryStore()
		before := heapInUse()
		add := func(life time.Duration, data int) {
			r := issuer.Record{Session: rand.Text(), Subject: "alice", Version: 1, Expiry: time.Now().Add(life), Data: make([]byte, data)}
			if ok, err := s.Swap(t.Context(), r); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		add(2*time.Second, 20<<20) // the last of the list
		add(time.Second, 1)
		add(time.Hour, 1)
		time.Sleep(3 * time.Second)
		add(time.Hour, 1)
		if grown := int64(heapInUse()) - int64(before); grown > 4<<20 {
			t.Errorf("%d bytes are held for 20 MB of records that have expired", grown)
		}
		runtime.KeepAlive(s)
	})
}

// TestMemoryStoreLists has sessions of three subjects come and expire in any
// order, and sees each subject's list hold what lives.
func TestMemoryStoreLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := issuer.NewMemoryStore()
		live := make(map[string]issuer.Record)
		r := mathrand.New(mathrand.NewPCG(5, 6))
		for range 3000 {
			time.Sleep(time.Second)
			add := issuer.Record{Session: rand.Text(), Subject: strconv.Itoa(r.IntN(3)), Version: 1, Expiry: time.Now().Add(time.Duration(1+r.IntN(40)) * time.Second)}
			if ok, err := s.Swap(t.Context(), add); !ok || err != nil {
				t.Fatal(ok, err)
			}
			live[add.Session] = add
			maps.DeleteFunc(live, func(_ string, r issuer.Record) bool { return !time.Now().Before(r.Expiry) })
			listed := 0
			for subject := range 3 {
				records, err := s.List(t.Context(), strconv.Itoa(subject))
				if err != nil {
					t.Fatal(err)
				}
				for _, got := range records {
					if want, ok := live[got.Session]; !ok || want.Subject != got.Subject || got.Subject != strconv.Itoa(subject) {
						t.Fatalf("%q is listed for %d, which is %+v", got.Session, subject, want)
					}
				}
				listed += len(records)
			}
			if listed != len(live) {
				t.Fatalf("%d are listed, %d live", listed, len(live))
			}
		}
	})
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
