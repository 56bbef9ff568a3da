// Package vectortest holds claims and claims/jwks against Wycheproof's vectors of
// JSON Web Signatures and Keys, and against other implementations. It is a module
// of its own, so that what it depends on is nobody else's. It has no code.
//
// The vectors of the RFCs and of tink need no dependency: they are in
// claims/internal/jws and in claims, where a plain "go test" runs them.
package vectortest
