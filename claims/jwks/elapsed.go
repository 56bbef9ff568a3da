package jwks

import "time"

// elapsed is the time from a to b, by the wall clock or by the monotonic one, whichever
// says more. The monotonic clock stands still while a machine is suspended, and the wall
// clock can be set back. What must not grow old, such as a key that was withdrawn in the
// meantime, must not profit from either.
func elapsed(a, b time.Time) time.Duration {
	return max(b.Sub(a), b.Round(0).Sub(a.Round(0))) // Round(0) takes the monotonic reading off
}
