package recovery_test

// Attacks of the list on recovery that no test here has in its name, and why.
// Those on lockouts as such are in package ratelimit, those on shared stores in
// ratelimitredis.
var _ = map[string]string{
	"LO-13": "a guess is counted by its account alone; nothing else of the request is looked at",
	"LO-20": "a matter of Redis: ratelimitredis.Store.Check; a Log in an SQL database is not evicted",
	"LO-25": "TestStrangersRecords: guesses write nothing where nobody has asked; what a start and a Log write is bounded by limits in front, which are documented",
	"LO-36": "TestLog_machines here, three processes in ratelimitredis",
	"XX-04": "HMAC-SHA256, SHA-256 and crypto/rand only: all approved",
	"XX-05": "digests are compared by hmac.Equal",
	"XX-08": "there is no goroutine to end",
}
