package drivertest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuerredis"
	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
)

// network is between a store and its server.
type network struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
}

func newNetwork(t *testing.T, server *process) *network {
	t.Helper()
	s := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	n := &network{t, toxiproxy.NewProxy(s, "store", "127.0.0.1:0", server.address())}
	n.mend()
	t.Cleanup(n.proxy.Stop)
	return n
}

func (n *network) mend() {
	n.t.Helper()
	if err := n.proxy.Start(); err != nil {
		n.t.Fatal(err)
	}
}

// with runs do while the network is ill.
func (n *network) with(toxic string, do func()) {
	n.t.Helper()
	cure := n.poison(toxic)
	do()
	cure()
}

func (n *network) poison(toxic string) (cure func()) {
	n.t.Helper()
	w, err := n.proxy.Toxics.AddToxicJson(strings.NewReader(toxic))
	if err != nil {
		n.t.Fatal(err)
	}
	return func() {
		if err := n.proxy.Toxics.RemoveToxic(context.Background(), w.Name); err != nil {
			n.t.Error(err)
		}
	}
}

const (
	slow      = `{"type": "latency", "stream": "downstream", "attributes": {"latency": 30, "jitter": 10}}`
	noAnswers = `{"type": "timeout", "stream": "downstream", "attributes": {"timeout": 0}}`
	noWay     = `{"type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}}`
	reset     = `{"type": "reset_peer", "stream": "downstream", "attributes": {"timeout": 0}}`
	cutShort  = `{"type": "limit_data", "stream": "downstream", "attributes": {"bytes": 3}}`
)

func TestNetwork(t *testing.T) {
	t.Parallel()
	const timeout = time.Second
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		n := newNetwork(t, postgres(t))
		s, _ := openPostgres(t, n.proxy.Listen, issuersql.Config{Timeout: timeout})
		illness(t, n, s)
	})
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		n := newNetwork(t, newRedis(t, always...))
		illness(t, n, openRedis(t, n.proxy.Listen, issuerredis.Config{Timeout: timeout}))
	})
}

func illness(t *testing.T, n *network, s issuer.Store) {
	p := &patient{t: t, at: &tripped{Store: s}}
	p.strict, p.graced = newNode(t, p.at, 0, secret), newNode(t, p.at, time.Minute, secret)
	t.Run("slow", func(t *testing.T) { n.with(slow, func() { p.refreshes(t, p.graced, p.login(t)) }) })
	for name, toxic := range map[string]string{"half-open": noWay, "reset": reset, "cut short": cutShort} {
		t.Run(name, func(t *testing.T) {
			token := p.login(t)
			n.with(toxic, func() { p.fails(t, p.graced, token) })
			p.refreshes(t, p.graced, token)
		})
	}
	t.Run("away", func(t *testing.T) {
		token := p.login(t)
		n.proxy.Stop()
		p.fails(t, p.strict, token)
		n.mend()
		p.refreshes(t, p.strict, token) // it was never spent
	})
	t.Run("RF-17 the answer is lost, with grace", func(t *testing.T) {
		token := p.login(t)
		p.loses(t, n, p.graced, token)
		p.refreshes(t, p.graced, token)
	})
	t.Run("RF-17 the answer is lost, without", func(t *testing.T) {
		token := p.login(t)
		p.loses(t, n, p.strict, token)
		if _, err := p.until(p.strict, token); !errors.Is(err, issuer.ErrReused) {
			t.Errorf("a token that the store has spent: %v", err)
		}
	})
}

// tripped is a store with something that happens before the next Swap.
type tripped struct {
	issuer.Store
	beforeSwap func()
}

func (s *tripped) Swap(ctx context.Context, r issuer.Record) (bool, error) {
	if trip := s.beforeSwap; trip != nil {
		s.beforeSwap = nil
		trip()
	}
	return s.Store.Swap(ctx, r)
}

// patient is a client over an ill network.
type patient struct {
	t              *testing.T
	at             *tripped
	strict, graced *tokens
}

func (p *patient) login(t *testing.T) string {
	t.Helper()
	for range 50 {
		if token, err := (local{p.strict}).issue(context.Background()); err == nil {
			return token
		}
	}
	t.Fatal("no session can be issued")
	return ""
}

// until refreshes until there is an answer about the token. Connections that broke
// while nobody looked may fail once each.
func (p *patient) until(node *tokens, token string) (next string, err error) {
	for range 50 {
		next, err = local{node}.refresh(context.Background(), token)
		if err == nil || errors.Is(err, issuer.ErrGrant) {
			break
		}
	}
	return next, err
}

func (p *patient) refreshes(t *testing.T, node *tokens, token string) {
	t.Helper()
	for range 3 {
		next, err := p.until(node, token)
		if err != nil {
			t.Errorf("refresh: %v", err)
			return
		}
		token = next
	}
}

// fails refreshes in vain, with no deadline but the store's own.
func (p *patient) fails(t *testing.T, node *tokens, token string) {
	t.Helper()
	began := time.Now()
	next, err := local{node}.refresh(context.Background(), token)
	if err == nil || errors.Is(err, issuer.ErrGrant) || next != "" {
		t.Errorf("refresh over an ill network: %q, %v", next, err)
	}
	if took := time.Since(began); took > deadline+slack {
		t.Errorf("it took %v", took)
	}
}

// loses refreshes such that the store does it, and its answer gets lost.
func (p *patient) loses(t *testing.T, n *network, node *tokens, token string) {
	t.Helper()
	var cure func()
	p.at.beforeSwap = func() { cure = n.poison(noAnswers) }
	p.fails(t, node, token)
	cure()
}
