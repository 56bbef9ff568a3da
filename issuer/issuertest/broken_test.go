package issuertest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
)

// broken is a small store with one fault.
type broken struct {
	fault   string
	mu      sync.Mutex
	records map[string]issuer.Record
}

func (b *broken) is(fault string) bool { return b.fault == fault }

func (b *broken) get(session string) issuer.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.records[session]
	if !b.is("expired records stay") && !time.Now().Before(r.Expiry) {
		return issuer.Record{}
	}
	return r
}

func (b *broken) Load(ctx context.Context, session string) (issuer.Record, time.Time, error) {
	if err := ctx.Err(); err != nil && !b.is("the context is ignored") {
		return issuer.Record{}, time.Time{}, err
	}
	r := b.get(session)
	if !b.is("data is shared") {
		r.Data = append([]byte(nil), r.Data...)
	}
	if b.is("it has no clock") {
		return r, time.Time{}, nil
	}
	return r, time.Now(), nil
}

func (b *broken) Swap(ctx context.Context, r issuer.Record) (bool, error) {
	if err := ctx.Err(); err != nil && !b.is("the context is ignored") {
		return false, err
	}
	if b.is("it looks, and then writes") {
		old := b.get(r.Session)
		time.Sleep(time.Millisecond)
		b.mu.Lock()
		defer b.mu.Unlock()
		if old.Version+1 != r.Version {
			return false, nil
		}
		b.records[r.Session] = r
		return true, nil
	}
	old := b.get(r.Session)
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := b.records[r.Session]; now.Version > old.Version && time.Now().Before(now.Expiry) {
		old = now
	}
	switch {
	case b.is("versions may skip") && r.Version > old.Version:
	case b.is("records are created at any version") && old.Version == 0:
	case old.Version+1 != r.Version:
		return b.is("a lost swap is reported as won"), nil
	}
	if b.is("a write is lost now and then") && r.Version%3 == 0 {
		return true, nil
	}
	if b.is("expiry is in seconds") {
		r.Expiry = r.Expiry.Truncate(time.Second).Add(time.Second)
	}
	if b.is("expiry never moves") && old.Version > 0 {
		r.Expiry = old.Expiry
	}
	if b.is("text is cut at NUL") {
		r.Subject, _, _ = strings.Cut(r.Subject, "\x00")
	}
	if !b.is("data is shared") {
		r.Data = append([]byte(nil), r.Data...)
	}
	b.records[r.Session] = r
	return true, nil
}

func (b *broken) List(ctx context.Context, subject string) ([]issuer.Record, error) {
	if err := ctx.Err(); err != nil && !b.is("the context is ignored") {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var records []issuer.Record
	for _, r := range b.records {
		same := r.Subject == subject || b.is("subjects fold case") && strings.EqualFold(r.Subject, subject)
		if same && (time.Now().Before(r.Expiry) || b.is("expired records are listed")) {
			r.Data = append([]byte(nil), r.Data...)
			records = append(records, r)
		}
	}
	if b.is("a list has one record") && len(records) > 1 {
		records = records[:1]
	}
	return records, nil
}

const variable = "ISSUERTEST_BROKEN"

// TestBroken is what TestBrokenStoresAreFound runs in another process.
func TestBroken(t *testing.T) {
	fault, set := os.LookupEnv(variable)
	if !set {
		t.Skip("run by TestBrokenStoresAreFound")
	}
	issuertest.RunInBubble(t, func(testing.TB) issuer.Store {
		return &broken{fault: fault, records: make(map[string]issuer.Record)}
	})
}

// TestBrokenStoresAreFound runs the kit against stores that each have one fault,
// and against the same store without any.
func TestBrokenStoresAreFound(t *testing.T) {
	for _, fault := range []string{
		"", "expired records stay", "the context is ignored", "data is shared", "it has no clock", "it looks, and then writes",
		"versions may skip", "records are created at any version", "a lost swap is reported as won", "a write is lost now and then",
		"expiry is in seconds", "expiry never moves", "text is cut at NUL", "subjects fold case", "expired records are listed", "a list has one record",
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$", "-test.count=1", "-test.failfast")
		cmd.Env = append(os.Environ(), variable+"="+fault)
		out, err := cmd.CombinedOutput()
		if found := err != nil; found != (fault != "") {
			t.Errorf("fault %q: found is %v\n%s", fault, found, out)
		}
	}
}
