// Package issuertest proves an [issuer.Store], and helps to test what uses one.
//
//	func TestStore(t *testing.T) {
//		issuertest.Run(t, func(t testing.TB) issuer.Store { return open(t) })
//	}
package issuertest

import (
	"testing"
	"testing/synctest"

	"github.com/gatehouse-go/gatehouse/issuer"
)

// Run proves that what open returns is an [issuer.Store]: its semantics, expiry,
// compare-and-swap under concurrency, and, through real issuers on top of it,
// that a refresh token is spent once and that nothing is lost whichever call
// fails. Each test opens the store anew; it may be the same database, because
// no test uses another's sessions or subjects.
//
// It takes some seconds of the store's clock.
func Run(t *testing.T, open func(testing.TB) issuer.Store) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, open) })
	}
}

// RunInBubble is [Run] with each test in a bubble of testing/synctest, in which
// no time is lost. It is for stores that have no connections and no clock but
// package time's.
func RunInBubble(t *testing.T, open func(testing.TB) issuer.Store) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(t, open) })
		})
	}
}

type opener = func(testing.TB) issuer.Store

var cases = []struct {
	name string
	run  func(*testing.T, opener)
}{
	{"absent", absent},
	{"round trip", roundTrip},
	{"versions", versions},
	{"data is not shared", notShared},
	{"list", list},
	{"expiry", expiry},
	{"context", ended},
	{"one swap wins", oneWins},
	{"no swap is lost", noneLost},
	{"one success without grace", oneSuccess},
	{"one successor within grace", oneSuccessor},
	{"revocation wins", revocationWins},
	{"a fault at each call", faults},
}
