package issuer_test

import "testing"

// elsewhere names the attacks on issuing and refreshing that no test here has in
// its name, and why. All others are names of subtests: grep for the id.
var elsewhere = map[string]string{
	"IS-03": "a million ids take minutes here: the test in issue_test.go takes 12,000, and looks at every bit",
	"IS-06": "0 is no mistake, it stands for the default; TestDefaultsFitWhatIsSet. All else is in config_test.go",
	"RF-08": "in refresh_test.go, and for every call of the store in issuertest",
	"RF-24": "an access token of a session that ended is valid until it expires, AccessLife at most: clock_test.go; at a SessionVerifier it is refused at once: live_test.go",
	"RF-26": "storage per session is one record that is overwritten, TestOneRecordPerSession; a million sessions are a matter of the stores on disk",
	"RF-29": "decisions use the store's clock: TestClocksOfMachines",
	"RF-33": "issuertest takes the outcome apart that a history must have (one success, one successor, revocation wins); histories are checked with the stores that have servers",
	"RF-35": "no secret is compared: a token is known by its signature, and found by the session that it names. crypto's verification takes care of time",
	"RF-36": "unknown tokens cost a signature check and are forgotten; nothing is stored, TestUnknownTokensLeaveNothing. Limits by source are package ratelimit's, mounted before the handler",
	"KY-24": "a key verifies until its last token has expired, and never signs again: TestKeysOfAnIssuer, and TestSchedule of package signing",
	"KY-27": "ids are thumbprints, so another key has another id; Schedule.Replace puts whole sets in place: TestWithdrawnKeys, here and in package signing",
	"KY-32": "what is published is written from the public half alone: TestJWKS of package signing",
}

func TestElsewhereSaysWhy(t *testing.T) {
	for id, why := range elsewhere {
		if len(id) != 5 || why == "" {
			t.Errorf("%q: %q", id, why)
		}
	}
}
