package ratelimit

import "time"

// The engine is the generic cell rate algorithm in whole nanoseconds. Of a
// bucket only its debt is kept: how long it will take until it is full again.
// A token costs interval of debt, and a debt up to tolerance, which is
// burst*interval, is granted. Debt melts as time passes; a bucket without debt
// is full, which is the same as one that was never used.
//
// Stores keep the time at which the debt will have melted, or the debt and the
// time at which it was that, by their own clock.
// Every store calculates with these integers, a Lua script as well: all are
// below 2^53 (see maxTolerance). Only the clock itself is larger; a script
// therefore keeps that time as seconds and nanoseconds, and subtracts the
// parts before it joins them. Then two stores whose clocks show the same time
// decide the same, to the nanosecond.

// spend is the one decision: the debt after taking cost more, if it is granted.
func spend(debt, cost, tolerance time.Duration) (after time.Duration, ok bool) {
	if debt+cost > tolerance {
		return debt, false
	}
	return debt + cost, true
}

// decide puts into words what a store answered about a bucket.
func (p *policy) decide(d *Decision, ok bool, debt time.Duration, n int) {
	d.Allowed = ok
	d.Policy = p.name
	d.Limit = p.limit
	d.Remaining = int(max(0, p.tolerance-debt) / p.interval)
	d.RetryAfter = max(0, debt+time.Duration(n)*p.interval-p.tolerance)
	d.Reset = debt
}
