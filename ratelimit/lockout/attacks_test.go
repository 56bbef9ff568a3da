package lockout_test

// Attacks of the list that this package can't meet, or meets only in part, and
// why. All others are names of tests.
var _ = map[string]string{
	"LO-09": "the application mounts a lockout on recovery only; a lockout has no hold on anything else",
	"LO-13": "an Attempt sees its key and nothing of the request",
	"LO-15": "which entry points ask the lockout is the recovery flow's matter",
	"LO-18": "MemoryStore is documented as one process; shared stores are proven by lockouttest",
	"LO-19": "a store's matter; in memory charge and expiry are one write",
	"LO-20": "Redis only: Store.Check in ratelimitredis, and its package documentation",
	"LO-21": "the form of codes is the recovery flow's matter",
	"LO-24": "a key needs no account: unknown ones are counted and blocked alike (LO-31)",
	"LO-28": "expiry of codes is the recovery flow's matter; a check that says no is counted",
	"LO-30": "the lockout never sees a code",
	"LO-36": "several nodes need a shared store: guesses_test.go in ratelimitredis",
}
