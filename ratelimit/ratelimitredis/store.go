package ratelimitredis

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

// Store is a [ratelimit.Store] and a [lockout.Store] in Redis. It is safe for concurrent use, and many
// on many machines may share a server. Its zero value refuses: use [New].
type Store struct {
	client      redis.UniversalClient
	config      Config
	take, apply script
}

var (
	_ ratelimit.Store = (*Store)(nil)
	_ lockout.Store   = (*Store)(nil)
)

// New returns a Store that uses client, or every mistake in client and c. It
// doesn't connect. The application closes client.
func New(client redis.UniversalClient, c Config) (*Store, error) {
	c, err := c.settled()
	if err := errors.Join(fit(client), err); err != nil {
		return nil, err
	}
	return &Store{client, c, newScript(clockText + takeText), newScript(clockText + applyText)}, nil
}

var (
	errNoStore = errors.New("ratelimitredis: the Store was not made by New")
	errAnswer  = errors.New("the answer has another form than the script gives it")
)

// begin bounds a call, and refuses one that can't be made.
func (s *Store) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if s == nil || s.client == nil {
		return ctx, func() {}, errNoStore
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	return ctx, cancel, ctx.Err() // a client that has gone is not charged
}

// name names the state of a policy and a key: the key by its digest, which is
// also what Cluster picks the slot by.
func (s *Store) name(kind, policy, key string) string {
	// The policy is written as it is: it has no characters that name a slot. A key may
	// have any, and is nobody's business.
	digest := sha256.Sum256([]byte(key))
	var k [43]byte
	base64.RawURLEncoding.Encode(k[:], digest[:])
	if s.config.OneSlot {
		return s.config.Prefix + kind + ":{1}" + string(k[:]) + ":" + url.QueryEscape(policy)
	}
	return s.config.Prefix + kind + ":{" + string(k[:]) + "}:" + url.QueryEscape(policy)
}

// Take implements [ratelimit.Store]. It is sent once. When the reply is lost it is an
// error, and the cells may have been charged.
func (s *Store) Take(ctx context.Context, cells []ratelimit.Cell) (bool, error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err != nil {
		return false, err
	}
	// All keys first, then all parameters: so a Cluster finds the slot.
	command := s.take.command(len(cells), 2*len(cells))
	for _, c := range cells {
		command = append(command, s.name("limit", c.Policy, c.Key))
	}
	for _, c := range cells {
		command = append(command, int64(c.Cost), int64(c.Tolerance))
	}
	reply, err := s.take.run(ctx, s.client, true, command)
	ok := false
	if err == nil {
		ok, err = readDebts(reply.Val(), cells)
	}
	if err != nil {
		return false, fmt.Errorf("ratelimitredis: take: %w", explain(err))
	}
	return ok, nil
}

// readDebts reads the answer of take.lua.
func readDebts(answer any, cells []ratelimit.Cell) (ok bool, err error) {
	debts, isList := answer.([]any)
	if !isList {
		debts = []any{answer}
	}
	if len(debts) != len(cells) {
		return false, errAnswer
	}
	ok = true
	for i := range cells {
		debt, isNumber := debts[i].(int64)
		if !isNumber {
			return false, errAnswer
		}
		if debt < 0 { // -1 minus the debt, so that a debt of 0 can be refused too
			debt, ok = -1-debt, false
		}
		cells[i].Debt = time.Duration(debt)
	}
	return ok, nil
}

// explain says what to do about an error that Redis Cluster alone gives.
func explain(err error) error {
	if strings.HasPrefix(err.Error(), "CROSSSLOT") {
		return fmt.Errorf("limits of one request are in different slots of the Cluster: give them the same key, don't join them, or set Config.OneSlot: %w", err)
	}
	return err
}

var operations = map[lockout.Op]string{
	lockout.OpCharge: "charge",
	lockout.OpRefund: "refund",
	lockout.OpClear:  "clear",
	lockout.OpPeek:   "peek",
}

// Apply implements [lockout.Store]. If the client's MaxRetries allow it, it is sent again
// when the reply was lost. A charge is made once all the same.
func (s *Store) Apply(ctx context.Context, e lockout.Entry) (charges int, wait time.Duration, err error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err != nil {
		return 0, 0, err
	}
	op, ok := operations[e.Op]
	if !ok {
		return 0, 0, errors.New("ratelimitredis: apply: Entry.Op is unknown")
	}
	// Eight bytes, as a Lua number would round it. Seconds and ns for the same reason.
	receipt := binary.BigEndian.AppendUint64(nil, e.Receipt)
	reply, err := s.apply.run(ctx, s.client, false, append(s.apply.command(1, 7), s.name("lockout", e.Name, e.Key),
		op, receipt, e.Tries,
		int64(e.Window/time.Second), int64(e.Window%time.Second),
		int64(e.Block/time.Second), int64(e.Block%time.Second)))
	var answer []int64
	if err == nil {
		answer, err = reply.Int64Slice()
	}
	if err == nil && len(answer) != 3 {
		err = errAnswer
	}
	if err != nil {
		return 0, 0, fmt.Errorf("ratelimitredis: apply: %w", err)
	}
	return int(answer[0]), time.Duration(answer[1])*time.Second + time.Duration(answer[2]), nil
}
