// Package jws is a door for tests: public test vectors sign payloads that are
// no claims, so they can't come in through a verifier of claims. The tests that
// use them live in a module of their own, for what they depend on.
package jws

// Verify checks the signature of token (RFC 7515 §7.1), whatever its payload,
// under one key. It is set by package claims and is the same code that a
// verifier of claims runs, without what comes after. It decides on nothing else.
var Verify func(token, alg, kid string, material any) error
