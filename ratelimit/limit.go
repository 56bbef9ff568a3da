package ratelimit

import (
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/time/rate"
)

// A Limit says how often: Burst at once, and from then on Rate a second. It decides as
// a [rate.Limiter] does: a bucket of Burst tokens starts full and is refilled
// continuously. In any span of time d at most Burst + Rate*d are admitted. There are
// no windows at whose edges twice as many get in.
//
// The zero Limit admits nobody and is refused by [New].
type Limit struct {
	Rate  rate.Limit // tokens a second: above 0, at most a million
	Burst int        // size of the bucket: at least 1
}

// Per is a Limit as people say it: Per(100, time.Minute) is a bucket of 100 that takes
// a minute to refill. [New] refuses a limit that makes no sense, such as Per(0, d).
func Per(n int, d time.Duration) Limit {
	return Limit{Rate: rate.Limit(float64(n) / d.Seconds()), Burst: n}
}

// maxRate keeps the rounding of the interval between two tokens to whole
// nanoseconds below a thousandth.
const maxRate = 1e6

// maxTolerance is the longest time that a bucket may take to refill: 52 days. All
// numbers of a decision stay below twice this, and so below 2^53. Up to there a Lua
// number, which is a double, is exact.
const maxTolerance = time.Duration(1) << 52

// interval is the time that one token takes, in whole nanoseconds.
func (l Limit) interval() time.Duration {
	return time.Duration(math.Round(1e9 / float64(l.Rate)))
}

// tolerance is the time that the whole bucket takes.
func (l Limit) tolerance() time.Duration {
	return time.Duration(l.Burst) * l.interval()
}

func (l Limit) validate() error {
	var errs []error
	r := float64(l.Rate)
	rateOK := r > 0 && r <= maxRate // false for NaN as well
	if !rateOK {
		errs = append(errs, fmt.Errorf("ratelimit: Limit.Rate is %v, must be above 0 and at most %v a second", r, maxRate))
	}
	if l.Burst < 1 {
		errs = append(errs, fmt.Errorf("ratelimit: Limit.Burst is %d, must be at least 1", l.Burst))
	}
	if rateOK && l.Burst >= 1 && float64(l.Burst)*math.Round(1e9/r) > float64(maxTolerance) { // as tolerance, which might overflow
		errs = append(errs, fmt.Errorf("ratelimit: Limit takes longer than %v to refill", maxTolerance.Round(time.Hour)))
	}
	return errors.Join(errs...)
}

// share is a part of l, with a burst of at least one.
func (l Limit) share(part float64) Limit {
	return Limit{Rate: l.Rate * rate.Limit(part), Burst: max(1, int(float64(l.Burst)*part))}
}
