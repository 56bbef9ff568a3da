package ratelimit

import (
	"sync"
	"time"
)

// alarm rings once in each pause, whoever pulls it: what strangers can bring about
// must not fill a log.
type alarm struct {
	mu     sync.Mutex
	last   time.Time
	silent int // how often it was pulled since and did not ring
}

func (a *alarm) rings(pause time.Duration) (silent int, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := time.Since(a.last); 0 <= d && d < pause {
		a.silent++
		return 0, false
	}
	silent, a.silent, a.last = a.silent, 0, time.Now()
	return silent, true
}
