package ratelimit

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit/internal/named"
)

// policy is one limit, compiled. The word is that of the RateLimit draft.
type policy struct {
	name      string
	limit     Limit
	interval  time.Duration
	tolerance time.Duration
	key       KeyFunc
	watch     *peerWatch // nil if key isn't RemoteIP
	cost      func(*http.Request) int
	space     named.Digest // of name, in memory
	local     *policy      // this process's share, while the store fails; may be nil
	open      bool         // whether to admit everything then
}

func compile(c Config, limit Limit) *policy {
	return &policy{name: c.Name, limit: limit, interval: limit.interval(), tolerance: limit.tolerance(), key: c.Key, watch: watchPeers(c), cost: c.Cost, open: c.FailOpen}
}

// ask finds out which key pays for a request, and how much. Both are checked where
// the tokens are spent.
func (p *policy) ask(r *http.Request) (key string, n int, err error) {
	if p.key == nil {
		return "", 0, p.noKey()
	}
	if key, err = p.key(r); err != nil {
		return "", 0, fmt.Errorf("ratelimit: key of %s: %w", p.name, err)
	}
	if p.watch != nil {
		p.watch.look(r, key)
	}
	if p.cost == nil {
		return key, 1, nil
	}
	return key, p.cost(r), nil
}

func (p *policy) noKey() error { return fmt.Errorf("ratelimit: %s has no Key for requests", p.name) }

func (p *policy) costError(n int) error {
	return fmt.Errorf("ratelimit: cost is %d, must be 1 to the burst of %s, %d", n, p.name, p.limit.Burst)
}

// cell is what n tokens of key are for a store.
func (p *policy) cell(key string, n int) Cell {
	return Cell{Policy: p.name, Key: key, Cost: time.Duration(n) * p.interval, Interval: p.interval, Tolerance: p.tolerance}
}

// decide puts into words what a store answered about a bucket. ok says whether n
// tokens were taken, and debt is what now stands.
func (p *policy) decide(d *Decision, ok bool, debt time.Duration, n int) {
	d.Allowed = ok
	d.Policy = p.name
	d.Limit = p.limit
	d.Remaining = int(max(0, p.tolerance-debt) / p.interval)
	d.RetryAfter = max(0, debt+time.Duration(n)*p.interval-p.tolerance)
	d.Reset = debt
}
