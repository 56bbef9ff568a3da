package issuertest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
)

// faults lets one call go wrong, each in turn, in the life of a session: issued,
// refreshed twice, revoked. The client does what clients do: it tries again.
func faults(t *testing.T, open opener) {
	store := open(t)
	for _, grace := range []time.Duration{0, time.Minute} {
		for _, fault := range []Fault{Unsent, Unheard} {
			for at := 0; ; at++ {
				l := &life{t: t, fault: fault, grace: grace}
				faulty := Faulty(store, func(call int) Fault {
					if call == at {
						l.hit = true
						return fault
					}
					return None
				})
				l.name = fmt.Sprintf("grace %v, fault %d at call %d", grace, fault, at)
				l.node = nodes(t, faulty, grace)[0]
				l.run()
				if !l.hit {
					break
				}
			}
		}
	}
}

// life is one session with one fault in it.
type life struct {
	t     *testing.T
	name  string
	node  *issuer.Issuer[struct{}]
	fault Fault
	grace time.Duration
	hit   bool
}

func (l *life) run() {
	pair, err := l.retried(func() (issuer.Pair, error) {
		return l.node.Issue(l.t.Context(), claims.Claims[struct{}]{Subject: "of a life with faults"})
	})
	if err != nil {
		l.t.Errorf("%s: Issue: %v", l.name, err)
		return
	}
	spent := pair
	for range 2 {
		spent = pair
		failed := false
		pair, err = l.retried(func() (issuer.Pair, error) {
			p, err := l.node.Refresh(l.t.Context(), spent.RefreshToken)
			failed = failed || err != nil
			return p, err
		})
		// Without grace, a token whose answer was lost is spent: its session is
		// over, and nothing else may be.
		if l.grace == 0 && l.fault == Unheard && failed && errors.Is(err, issuer.ErrReused) {
			return
		}
		if err != nil {
			l.t.Errorf("%s: Refresh: %v", l.name, err)
			return
		}
	}
	_, err = l.retried(func() (issuer.Pair, error) {
		return issuer.Pair{}, l.node.Revoke(l.t.Context(), pair.RefreshToken)
	})
	if err != nil {
		l.t.Errorf("%s: Revoke: %v", l.name, err)
	}
	for _, token := range []string{pair.RefreshToken, spent.RefreshToken} {
		_, err = l.retried(func() (issuer.Pair, error) { return l.node.Refresh(l.t.Context(), token) })
		if !errors.Is(err, issuer.ErrGrant) {
			l.t.Errorf("%s: after Revoke: %v", l.name, err)
		}
	}
}

// retried tries again what could not be done, once. What could not be done may
// neither be called the token's fault, nor give out tokens.
func (l *life) retried(do func() (issuer.Pair, error)) (issuer.Pair, error) {
	pair, err := do()
	if err == nil || !errors.Is(err, ErrFault) {
		return pair, err
	}
	if errors.Is(err, issuer.ErrGrant) || pair != (issuer.Pair{}) {
		l.t.Errorf("%s: a fault came out as %v, %v", l.name, pair, err)
	}
	return do()
}
