//go:build unix

package signing

// Private judges the permissions of a key file.
var Private = private
