package jwks

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
)

// usualAlgorithms are all that keys can have, the most usual first.
var usualAlgorithms = []string{"RS256", "ES256", "ES384", "ES512", "EdDSA", "RS384", "RS512", "PS256", "PS384", "PS512"}

// mistakes collects what is wrong in a configuration.
type mistakes struct {
	in    error
	found []error
}

func (m *mistakes) add(format string, a ...any) {
	m.found = append(m.found, fmt.Errorf("%w: "+format, append([]any{m.in}, a...)...))
}

// joined returns all of them, nil if there are none.
func (m *mistakes) joined() error { return errors.Join(m.found...) }

// within settles a duration.
func (m *mistakes) within(name string, d *time.Duration, usual, least, most time.Duration) {
	if *d == 0 {
		*d = usual
	}
	if *d < least || *d > most {
		m.add("%s is %v, not between %v and %v", name, *d, least, most)
	}
}

// maxStale settles a MaxStale, which must leave a refresh the time that others
// give it.
func (m *mistakes) maxStale(d *time.Duration, least time.Duration, others string) {
	if *d == 0 {
		*d = max(24*time.Hour, least)
	}
	if *d < least {
		m.add("MaxStale is %v, less than the %v that a refresh may take by %s: slow would be unavailable", *d, least, others)
	}
	if most := 30 * 24 * time.Hour; *d > most {
		m.add("MaxStale is %v, more than %v", *d, most)
	}
}

// count settles a number.
func (m *mistakes) count(name string, n *int, usual, most int) {
	if *n == 0 {
		*n = usual
	}
	if *n < 0 || *n > most {
		m.add("%s is %d, not between 1 and %d", name, *n, most)
	}
}

// algorithms settles the algorithms of a configuration.
func (m *mistakes) algorithms(names []string) []string {
	if names == nil {
		return usualAlgorithms
	}
	if len(names) == 0 {
		m.add("Algorithms is empty")
	}
	names = slices.Clone(names)
	for i, name := range names {
		names[i] = jws.Canonical(name)
		if name = names[i]; !slices.Contains(usualAlgorithms, name) {
			m.add("Algorithms: %s is not an algorithm for public keys", quoted(name))
		}
	}
	return names
}
