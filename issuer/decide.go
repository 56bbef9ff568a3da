package issuer

import "time"

// verdict is what becomes of a refresh token whose signature held.
type verdict int

const (
	unknown verdict = iota // there is no such session
	ended                  // the session has ended
	expired                // the session has expired
	rotate                 // the token is spent and gets a successor
	keep                   // the token stays as it is: nobody but RefreshWithoutRotation decides so
	repeat                 // the token is just spent and gets the same successor again
	reused                 // the token was spent before: the session ends
	ahead                  // the token is newer than the session, whose store forgot it: the session ends
)

// decide judges a token of a generation. It is the whole rotation policy: a
// function of the session, the time and the grace alone.
//
// A token that is ahead is refused, and not believed, because the store that
// forgot its generation lets those before it look unspent. Ending the session
// refuses them too.
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
