// Package signing holds the keys that sign tokens, and says which one signs when.
package signing
