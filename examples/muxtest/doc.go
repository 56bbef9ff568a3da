// Package muxtest has no code: its tests drive the servers of examples/stdlib,
// chi, gin and echo with the same requests, over HTTP, and compare the answers
// byte for byte.
package muxtest
