// Package vectortest holds package jwks against Wycheproof's vectors of JSON Web
// Keys. It is a module of its own, so that its dependency is nobody else's.
package vectortest
