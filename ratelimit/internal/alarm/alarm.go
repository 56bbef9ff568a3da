// Package alarm keeps strangers from filling a log.
package alarm

import (
	"sync"
	"time"
)

// Alarm rings once in each pause, however often it is pulled. The zero Alarm is
// ready and safe for concurrent use.
type Alarm struct {
	mu     sync.Mutex
	last   time.Time
	silent int
}

// Rings reports whether to write a line now, and how many pulls since the last
// one were silent.
func (a *Alarm) Rings(pause time.Duration) (silent int, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	// A negative age means that the clock was set back: ring, rather than stay
	// silent until it has caught up.
	if age := time.Since(a.last); 0 <= age && age < pause {
		a.silent++
		return 0, false
	}
	silent, a.silent, a.last = a.silent, 0, time.Now()
	return silent, true
}
