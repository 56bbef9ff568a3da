package issuerredis

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/issuer"
)

// Store is an [issuer.Store] in Redis. It is safe for concurrent use, and many on
// many machines may share a server. Its zero value refuses: use New.
type Store struct {
	client redis.UniversalClient
	config Config
}

var _ issuer.Store = (*Store)(nil)

// New returns a Store that uses client, or every mistake in client and c. It
// doesn't connect. The application closes client.
func New(client redis.UniversalClient, c Config) (*Store, error) {
	c, err := c.settled()
	if err := errors.Join(fit(client), err); err != nil {
		return nil, err
	}
	return &Store{client, c}, nil
}

var errNoStore = errors.New("issuerredis: the Store was not made by New")

// begin bounds a call in time, and refuses a zero Store and a context that has ended.
func (s *Store) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if s == nil || s.client == nil {
		return ctx, func() {}, errNoStore
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	return ctx, cancel, ctx.Err()
}

func (s *Store) sessionKey(session string) string { return s.config.Prefix + "s:" + session }

func (s *Store) subjectKey(subject string) string {
	digest := sha256.Sum256([]byte(subject))
	return s.config.Prefix + "u:" + base64.RawURLEncoding.EncodeToString(digest[:16])
}

// Load implements [issuer.Store].
func (s *Store) Load(ctx context.Context, session string) (issuer.Record, time.Time, error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err != nil {
		return issuer.Record{}, time.Time{}, err
	}
	r, now, err := s.load(ctx, session)
	if err != nil {
		return issuer.Record{}, time.Time{}, fmt.Errorf("issuerredis: load: %w", err)
	}
	return r, now, nil
}

func (s *Store) load(ctx context.Context, session string) (issuer.Record, time.Time, error) {
	c, err := loadScript.run(ctx, s.client, s.sessionKey(session))
	if err != nil {
		return issuer.Record{}, time.Time{}, err
	}
	return answered(session, c)
}

// answered reads what the script to load said.
func answered(session string, c *redis.Cmd) (issuer.Record, time.Time, error) {
	parts, err := c.Slice()
	if err != nil {
		return issuer.Record{}, time.Time{}, err
	}
	if len(parts) < 2 {
		return issuer.Record{}, time.Time{}, errors.New("the answer has no time")
	}
	now, err := serverTime(parts[0], parts[1])
	if err != nil || len(parts) < 3 || parts[2] == nil { // Lua ends a table at nil
		return issuer.Record{}, now, err
	}
	value, _ := parts[2].(string)
	r, err := parse(session, value)
	// Redis removes a key when its time has come, by the millisecond before or after.
	if err != nil || !now.Before(r.Expiry) {
		return issuer.Record{}, now, err
	}
	return r, now, nil
}

func serverTime(seconds, micros any) (time.Time, error) {
	a, errA := strconv.ParseInt(fmt.Sprint(seconds), 10, 64)
	b, errB := strconv.ParseInt(fmt.Sprint(micros), 10, 64)
	return time.UnixMicro(a*1e6 + b), errors.Join(errA, errB)
}

// Swap implements [issuer.Store].
func (s *Store) Swap(ctx context.Context, r issuer.Record) (bool, error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	switch {
	case err != nil:
		return false, err
	case r.Version == 0: // which follows no version
		return false, nil
	case len(r.Subject) > math.MaxUint16:
		return false, fmt.Errorf("issuerredis: swap: subject has %d bytes", len(r.Subject))
	}
	swapped, err := s.swap(ctx, r)
	if err != nil {
		return false, fmt.Errorf("issuerredis: swap: %w", err)
	}
	return swapped, nil
}

// What the script says.
const (
	notSwapped = iota
	swapped
	listFirst
)

func (s *Store) swap(ctx context.Context, r issuer.Record) (bool, error) {
	said, listed := listFirst, ""
	var err error
	if named(r.Session, r.Subject) {
		said, err = s.trySwap(ctx, r, strconv.FormatInt(r.Expiry.UnixMilli(), 10))
		return said == swapped && err == nil, err
	}
	// A session must be on its subject's list before it is there, or RevokeAll may miss
	// it. The list is another key, on another machine of a Cluster, so one script can't
	// write both: the list comes first.
	if r.Version > 1 { // it is listed already, most likely for long enough
		if said, err = s.trySwap(ctx, r, "0"); err != nil {
			return false, err
		}
	}
	if said == listFirst {
		if listed, err = s.list(ctx, r); err != nil {
			return false, err
		}
		said, err = s.trySwap(ctx, r, listed)
	}
	if err == nil && said == listFirst {
		err = errors.New("the list of the subject's sessions ends too early")
	}
	return said == swapped && err == nil, err
}

// named reports whether a session has its subject's name. So have the records of
// package recovery, which belong to no subject. List finds such a record by its name,
// and it needs no list.
func named(session, subject string) bool { return session == subject && len(session) <= maxSession }

const maxSession = 32 // issuer.Record

func (s *Store) trySwap(ctx context.Context, r issuer.Record, listed string) (int, error) {
	c, err := swapScript.run(ctx, s.client, s.sessionKey(r.Session),
		number(r.Version-1), number(r.Version), r.Expiry.UnixMilli(), listed, tail(r))
	if err != nil {
		return 0, err
	}
	return c.Int()
}

// list puts a session on its subject's list, and returns until when it stands there.
// To do so twice does no harm, nor for a session that is never stored.
func (s *Store) list(ctx context.Context, r issuer.Record) (until string, err error) {
	c, err := listScript.run(ctx, s.client, s.subjectKey(r.Subject), r.Session, r.Expiry.UnixMilli())
	if err != nil {
		return "", err
	}
	return c.Text()
}
