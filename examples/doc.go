// Package examples has no code. Its tests see that each example is one folder that
// can be copied: they do copy it, out of the repository.
package examples
