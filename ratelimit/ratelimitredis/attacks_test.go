package ratelimitredis_test

// Attacks on shared state that no test here has in its name, and why. Those on
// limits and lockouts as such are in package ratelimit; ratelimittest proves the
// store for LO-03, LO-16, LO-32 and RL-14.
var _ = map[string]string{
	"LO-02": "TestThreeProcesses: whoever is blocked is not looked at",
	"LO-19": "also by construction: a value and its expiry are one SET",
	"LO-25": "keys expire with what they say, and noeviction refuses the rest: TestKeys, TestFailures",
	"RL-02": "ratelimittest: Take/1000 in parallel; a script is one step for all nodes",
	"XX-08": "there is no goroutine but those of go-redis, which end when the application closes its client",
}
