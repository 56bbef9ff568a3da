//go:build unix

package issuer

// Private judges the permissions of a key file.
var Private = private
