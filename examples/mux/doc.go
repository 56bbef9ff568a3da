// Package mux has no code of its own. Its tests build the servers of
// examples/stdlib, chi, gin and echo, send each of them the same requests over
// HTTP, and compare the answers byte for byte.
package mux
