package ratelimit

import "time"

// The engine is the generic cell rate algorithm in whole nanoseconds. All that is
// kept of a bucket is its debt: the time until it is full again. A token costs
// interval of debt. A debt up to tolerance, which is burst*interval, is granted. Debt
// melts as time passes. A bucket without debt is full, just like one that was never
// used.
//
// Stores keep the debt with the time at which they wrote it, or the time at which it
// will have melted, by their own clock.
//
// Every store calculates with these integers, a Lua script as well: all are below
// 2^53 (see maxTolerance). Only the clock is larger. A script therefore keeps a time
// as seconds and nanoseconds, and subtracts each before it joins them. So two stores
// whose clocks show the same time decide the same, to the nanosecond.

// spend is the one decision: the debt after taking cost more, if it is granted.
func spend(debt, cost, tolerance time.Duration) (after time.Duration, ok bool) {
	if debt+cost > tolerance {
		return debt, false
	}
	return debt + cost, true
}
