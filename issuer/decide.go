package issuer

import "time"

// verdict is what becomes of a refresh token whose signature held.
type verdict int

const (
	unknown   verdict = iota // there is no such session
	ended                    // the session has ended
	expired                  // the session or the token has expired
	exhausted                // the session has had all generations that a token can name
	rotate                   // the token is current: it is spent and gets a successor
	repeat                   // the token was just spent: it gets the same successor again
	reused                   // the token was spent before: the session ends
	ahead                    // the token is from a later generation than the session: the store has lost a write; the session ends
)

// decide judges a token of a generation. It is the whole rotation policy: a
// function of the session, the time and the grace alone.
//
// A token that is ahead is refused, and not believed. A store that has lost its
// generation also takes the spent tokens before it for unspent. Ending the session
// refuses those too.
func decide(s *session, generation uint64, now time.Time, grace time.Duration) verdict {
	switch {
	case s == nil:
		return unknown
	case s.ended != "":
		return ended
	case !now.Before(s.expiry) || !now.Before(s.absolute):
		return expired
	case generation > s.generation:
		return ahead
	case generation == s.generation:
		return rotate
	case generation+1 == s.generation && now.Sub(s.rotated).Abs() < grace:
		return repeat
	default:
		return reused
	}
}
