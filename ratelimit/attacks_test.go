package ratelimit_test

// Attacks of the list that this package can't meet, or meets only in part, and
// why. All others are names of tests.
var _ = map[string]string{
	"RL-15": "limits are mounted on routes, behind the mux that matched; there is no path matching here",
	"RL-25": "documented at All: limit by account and by address together",
	"XX-02": "how the tests are run",
	"XX-04": "SHA-256 and maphash only; nothing to approve",
	"XX-05": "no secret is compared here",
	"XX-06": "mutants are tried by hand",
	"XX-07": "a matter of the whole module",
	"XX-08": "the only goroutine is a Breaker's probe, which ends by itself after Timeout",
	"XX-09": "needs a store that outlives the process: breaker_test.go in ratelimitredis",
	"XX-10": "a matter of go.mod",
}
