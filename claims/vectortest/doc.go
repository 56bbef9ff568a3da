// Package vectortest holds tests of package claims that need more than the
// standard library: public test vectors, and other implementations to compare
// with. It has no code of its own.
package vectortest
