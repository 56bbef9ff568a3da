package jwks

import (
	"slices"

	"github.com/gatehouse-go/gatehouse/claims"
)

// Algorithms returns under which algorithms the set has keys for kid, and the field that
// gives them others. A [claims.Verifier] asks it for the log, after it has refused a
// token that no key fits.
func (s *Set) Algorithms(kid string) (algorithms []string, field string) {
	return s.keeper.current.Load().algorithms(kid), "jwks.Config.Algorithms"
}

// Algorithms returns under which algorithms the set has keys for kid, and the field that
// gives them others, as [Set.Algorithms] does.
func (s *FileSet) Algorithms(kid string) (algorithms []string, field string) {
	// Keys of PEM bundles have one algorithm, and it is named elsewhere.
	current := s.keeper.current.Load()
	field = "jwks.FilesConfig.Algorithms"
	if current != nil && !slices.ContainsFunc(current.keys, func(k *claims.Key) bool { return k.ID() != "" }) && !slices.ContainsFunc(s.config.Paths, isSetName) {
		field = "jwks.FilesConfig.PEMAlgorithm"
	}
	return current.algorithms(kid), field
}

func (s *snapshot) algorithms(kid string) (algorithms []string) {
	if s == nil {
		return nil
	}
	for _, k := range s.keys {
		if (kid == "" || k.ID() == "" || k.ID() == kid) && !slices.Contains(algorithms, k.Algorithm()) {
			algorithms = append(algorithms, k.Algorithm())
		}
	}
	return algorithms
}
